package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// worker builds the real worker as the Makefile does.
func worker(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backfill")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=1.2.3", "-o", file, "../backfill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func testImage() image {
	return image{name: "backfill:1.2.3", version: "1.2.3", revision: "abc", architecture: "amd64", created: time.Unix(1_700_000_000, 0).UTC()}
}

// TestImage builds the image twice and reads it as a registry's client does:
// by digest from the index down.
func TestImage(t *testing.T) {
	binary := worker(t)
	if err := checkStatic(binary); err != nil {
		t.Fatal(err)
	}
	one, err := testImage().build(binary)
	if err != nil {
		t.Fatal(err)
	}
	two, err := testImage().build(bytes.Clone(binary))
	if err != nil || one.digest != two.digest || !bytes.Equal(one.archive, two.archive) {
		t.Errorf("built again: %s and %s, %v", one.digest, two.digest, err)
	}
	if one.size > maxBytes {
		t.Errorf("%d bytes compressed, at most %d are wanted", one.size, maxBytes)
	}
	if len(binary) > maxBytes {
		t.Errorf("%d bytes unpacked, at most %d are wanted", len(binary), maxBytes)
	}
	files := unpack(t, one.archive)
	read := func(d descriptor, into any) []byte {
		body, ok := files[blobName(d)]
		if !ok || digest(body) != d.Digest || int64(len(body)) != d.Size {
			t.Fatalf("%s: %d bytes with digest %s, want %d", d.Digest, len(body), digest(body), d.Size)
		}
		if into != nil {
			if err := json.Unmarshal(body, into); err != nil {
				t.Fatal(err)
			}
		}
		return body
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &index); err != nil || len(index.Manifests) != 1 {
		t.Fatalf("%s, %v", files["index.json"], err)
	}
	if m := index.Manifests[0]; m.Digest != one.digest || m.Annotations["io.containerd.image.name"] != "docker.io/library/backfill:1.2.3" || m.Annotations["org.opencontainers.image.ref.name"] != "1.2.3" {
		t.Errorf("%+v", m)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(index.Manifests[0], &manifest)
	var config struct {
		Architecture, OS string
		Config           struct {
			Entrypoint []string
			User       string
			Labels     map[string]string
		}
		Rootfs struct {
			Diffs []string `json:"diff_ids"`
		}
	}
	read(manifest.Config, &config)
	if c := config.Config; len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/backfill" || c.User != user || config.OS != "linux" {
		t.Errorf("%+v", config)
	}
	for label, want := range map[string]string{"version": "1.2.3", "revision": "abc", "created": "2023-11-14T22:13:20Z", "licenses": "Apache-2.0", "title": "backfill"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("%d layers", len(manifest.Layers))
	}
	layer, err := gzip.NewReader(bytes.NewReader(read(manifest.Layers[0], nil)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(layer)
	if err != nil || len(config.Rootfs.Diffs) != 1 || config.Rootfs.Diffs[0] != digest(plain) {
		t.Errorf("the layer's content has digest %s, the configuration says %q, %v", digest(plain), config.Rootfs.Diffs, err)
	}
	if root := unpack(t, plain); len(root) != 1 || !bytes.Equal(root["backfill"], binary) {
		t.Errorf("the root holds %d files", len(root))
	}
	var docker []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &docker); err != nil || len(docker) != 1 || docker[0].Config != blobName(manifest.Config) ||
		docker[0].Layers[0] != blobName(manifest.Layers[0]) || docker[0].RepoTags[0] != "backfill:1.2.3" {
		t.Errorf("%s, %v", files["manifest.json"], err)
	}
}

func unpack(t *testing.T, body []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(body)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Mode&0o222 != 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusedBinaries(t *testing.T) {
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip("no shell to look at")
	}
	if err := checkStatic(shell); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a dynamic program: %v", err)
	}
	if err := checkStatic([]byte("#!/bin/sh\n")); err == nil || !strings.Contains(err.Error(), "no Linux program") {
		t.Errorf("a script: %v", err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string][2]string{
		"backfill": {"docker.io/library/backfill:latest", "latest"}, "backfill:1": {"docker.io/library/backfill:1", "1"},
		"acme/backfill:1": {"docker.io/acme/backfill:1", "1"}, "localhost:5000/backfill": {"localhost:5000/backfill:latest", "latest"},
		"registry.example.org/data/backfill:1.2": {"registry.example.org/data/backfill:1.2", "1.2"},
	} {
		i := image{name: name}
		if i.fullName() != want[0] || i.tag() != want[1] {
			t.Errorf("%s is %s with tag %s, want %v", name, i.fullName(), i.tag(), want)
		}
	}
}
