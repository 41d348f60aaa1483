package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// user is any user but root; Kubernetes may choose another one.
const user = "65532:65532"

// Media types of the OCI image specification.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// image says what the image is called and what it tells of itself.
type image struct {
	name, version, revision, architecture string
	created                               time.Time
}

// built is a finished image.
type built struct {
	archive []byte
	digest  string // of the manifest: the image's digest in registries
	size    int64  // bytes of its blobs, as registries store them
}

// descriptor names a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// file is one entry of a tar.
type file struct {
	name string
	mode int64
	body []byte
}

// build writes the archive: an OCI image layout, with the manifest.json beside
// it that docker load reads.
func (i image) build(binary []byte) (*built, error) {
	plain, err := pack([]file{{"backfill", 0o555, binary}})
	if err != nil {
		return nil, err
	}
	layer, err := compress(plain)
	if err != nil {
		return nil, err
	}
	var files []file
	blob := func(mediaType string, body []byte) descriptor {
		d := descriptor{MediaType: mediaType, Digest: digest(body), Size: int64(len(body))}
		files = append(files, file{blobName(d), 0o444, body})
		return d
	}
	layerBlob := blob(typeLayer, layer)
	config, err := json.Marshal(i.config(digest(plain)))
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	configBlob := blob(typeConfig, config)
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeManifest, "config": configBlob, "layers": []descriptor{layerBlob}})
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	manifestBlob := blob(typeManifest, manifest)
	b := &built{digest: manifestBlob.Digest, size: layerBlob.Size + configBlob.Size + manifestBlob.Size}
	manifestBlob.Annotations = map[string]string{"org.opencontainers.image.ref.name": i.tag(), "io.containerd.image.name": i.fullName()}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{manifestBlob}})
	if err != nil {
		return nil, fmt.Errorf("encoding the index: %w", err)
	}
	docker, err := json.Marshal([]map[string]any{{"Config": blobName(configBlob), "RepoTags": []string{i.name}, "Layers": []string{blobName(layerBlob)}}})
	if err != nil {
		return nil, fmt.Errorf("encoding docker's manifest: %w", err)
	}
	files = append(files, file{"index.json", 0o444, index}, file{"manifest.json", 0o444, docker}, file{"oci-layout", 0o444, []byte(`{"imageLayoutVersion":"1.0.0"}`)})
	b.archive, err = pack(files)
	return b, err
}

// config is what a runtime needs to know, and the labels.
func (i image) config(layer string) map[string]any {
	labels := map[string]string{
		"org.opencontainers.image.title":       "backfill",
		"org.opencontainers.image.description": "Rebuilds a window of a Redshift table from archived Kafka events and proves the result",
		"org.opencontainers.image.version":     i.version,
		"org.opencontainers.image.created":     i.created.Format(time.RFC3339),
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
	if i.revision != "" {
		labels["org.opencontainers.image.revision"] = i.revision
	}
	created := i.created.Format(time.RFC3339)
	return map[string]any{
		"created": created, "architecture": i.architecture, "os": "linux",
		"config":  map[string]any{"Entrypoint": []string{"/backfill"}, "User": user, "WorkingDir": "/", "Labels": labels},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{layer}},
		"history": []map[string]any{{"created": created, "created_by": "COPY bin/backfill /backfill"}},
	}
}

// tag returns the part after the colon; a name without one is "latest".
func (i image) tag() string {
	last := i.name[strings.LastIndex(i.name, "/")+1:]
	if _, tag, ok := strings.Cut(last, ":"); ok {
		return tag
	}
	return "latest"
}

// fullName is the name with its registry, as containerd keeps it.
func (i image) fullName() string {
	name := i.name
	if !strings.Contains(name[strings.LastIndex(name, "/")+1:], ":") {
		name += ":latest"
	}
	first, _, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		return "docker.io/library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return name
	}
	return "docker.io/" + name
}

// pack writes a tar whose bytes depend on names, modes and contents alone.
func pack(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	return b.Bytes(), nil
}

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // its header holds no name and no time
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compressing the layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing the layer: %w", err)
	}
	return b.Bytes(), nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func blobName(d descriptor) string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

// checkStatic refuses a program that an empty root can't start: one that is no
// ELF file or asks for a dynamic linker.
func checkStatic(binary []byte) error {
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("this is no Linux program: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("the program is linked dynamically and can't start on an empty root: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
