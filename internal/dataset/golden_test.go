package dataset

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // zones are there whatever the machine has

	"backfill/internal/fail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load reads a test dataset with the flags (# set: …) and the environment
// (# env: …) that its comments give.
func load(t *testing.T, file string) (text []byte, overrides []string, env func(string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if one, ok := strings.CutPrefix(line, "# set: "); ok {
			overrides = append(overrides, strings.TrimSuffix(one, "\n"))
		}
		if one, ok := strings.CutPrefix(line, "# env: "); ok {
			name, value, _ := strings.Cut(strings.TrimSuffix(one, "\n"), "=")
			vars[name] = value
		}
	}
	return text, overrides, func(name string) string { return vars[name] }
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("no files for %s: %v", pattern, err)
	}
	return list
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n--- got\n%s\n--- want\n%s", file, got, want)
	}
}

// The canonical text of good datasets, where they run, and their digests: a
// changed digest makes every run plan and convert again.
func TestGood(t *testing.T) {
	for _, file := range files(t, "testdata/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, overrides, env := load(t, file)
			d, err := Compile(filepath.Base(file), text, overrides, env)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			b.Write(d.Text)
			signIn, err := d.Warehouse.SignIn.Text()
			if err != nil {
				t.Fatal(err)
			}
			tls, err := d.Warehouse.TLS.Text()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "digest    %s\nconvert   %s\nstaging   %s\nwarehouse %s role=%s tls=%s sign_in=%s\n",
				d.Digest, d.ConvertDigest, strings.TrimSpace(d.Staging.URI+" "+d.Staging.KMSKey), d.Warehouse.URL, d.Warehouse.IAMRole, tls, signIn)
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", b.Bytes())
		})
	}
}

// Every message of bad datasets, as users see them.
func TestBad(t *testing.T) {
	for _, file := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, overrides, env := load(t, file)
			_, err := Compile(filepath.Base(file), text, overrides, env)
			if !fail.Is(err, fail.BadDataset) {
				t.Fatalf("got %v, want a %s error", err, fail.BadDataset)
			}
			if fail.HintOf(err) == "" {
				t.Error("the error has no hint")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", []byte(err.Error()+"\n"))
		})
	}
}
