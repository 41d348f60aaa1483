package pod_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"backfill/internal/pod"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestXCom(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "return.json")
	for _, verdict := range []string{"RECONCILED", "NOT"} { // the second replaces the first
		if err := pod.WriteXCom(file, map[string]any{"verdict": verdict, "rows": 5}); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(file)
		if want := `{"rows":5,"verdict":"` + verdict + `"}`; err != nil || string(body) != want {
			t.Errorf("%s, %v, want %s", body, err, want)
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the folder holds %q", got)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v: the sidecar runs as another user and must be able to read it", info.Mode(), err)
	}
}

// TestXComIsAllOrNothing: whatever goes wrong, the sidecar finds the earlier
// file or none, and nothing else is left.
func TestXComIsAllOrNothing(t *testing.T) {
	cases := []struct {
		name   string
		result any
		says   string
	}{
		{"too large", strings.Repeat("x", pod.MaxXCom), "the result has 32770 bytes, XCom takes 32768"},
		{"no JSON", func() {}, "encoding the result: json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "return.json")
			if err := pod.WriteXCom(file, "before"); err != nil {
				t.Fatal(err)
			}
			if err := pod.WriteXCom(file, c.result); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if body, err := os.ReadFile(file); err != nil || string(body) != `"before"` || len(names(t, dir)) != 1 {
				t.Errorf("%s, %v, beside %q", body, err, names(t, dir))
			}
		})
	}
	t.Run("the name is taken by a folder", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "return.json")
		if err := os.MkdirAll(filepath.Join(file, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := pod.WriteXCom(file, 1); err == nil || !strings.Contains(err.Error(), "writing the result: rename") {
			t.Error(err)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("left behind: %q", got)
		}
	})
}

func TestXComAtItsLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "return.json")
	if err := pod.WriteXCom(file, strings.Repeat("x", pod.MaxXCom-2)); err != nil {
		t.Fatal(err)
	}
	var back string
	if body, err := os.ReadFile(file); err != nil || json.Unmarshal(body, &back) != nil || len(back) != pod.MaxXCom-2 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// TestOutsideOfAPod: without the folders of a pod nothing is written, and that
// is no error.
func TestOutsideOfAPod(t *testing.T) {
	dir := t.TempDir()
	if err := pod.WriteXCom(filepath.Join(dir, "xcom", "return.json"), func() {}); err != nil {
		t.Error(err)
	}
	if err := pod.WriteTermination(filepath.Join(dir, "termination-log"), "x"); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("written: %q", got)
	}
}

func TestTermination(t *testing.T) {
	cases := []struct{ name, message, want string }{
		{"short", "rows would vanish", "rows would vanish"},
		{"empty", "", ""},
		{"at the limit", strings.Repeat("x", 4096), strings.Repeat("x", 4096)},
		{"over the limit", strings.Repeat("x", 5000), strings.Repeat("x", 4096)},
		{"the limit cuts a rune of two bytes", strings.Repeat("x", 4095) + "éé", strings.Repeat("x", 4095)},
		{"the limit cuts a rune of three bytes", strings.Repeat("x", 4094) + "→→", strings.Repeat("x", 4094)},
		{"the limit follows a rune", strings.Repeat("x", 4093) + "→→", strings.Repeat("x", 4093) + "→"},
		{"no UTF-8", "key \xff\xfe.json", "key ?.json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "termination-log")
			if err := os.WriteFile(file, []byte(strings.Repeat("earlier ", 1000)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := pod.WriteTermination(file, c.message); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil || string(got) != c.want || !utf8.Valid(got) {
				t.Errorf("%d bytes, %v, want %d: …%q", len(got), err, len(c.want), got[max(0, len(got)-8):])
			}
		})
	}
	if err := pod.WriteTermination(t.TempDir(), "x"); err == nil || !strings.Contains(err.Error(), "writing the termination message: ") {
		t.Errorf("a folder: %v", err)
	}
}
