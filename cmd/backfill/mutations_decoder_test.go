package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wrongDecoder builds the worker with a decoder that reads one amount a cent too high. The fault stands in a file that
// replaces one of the sources for this build alone, so that the worker itself holds no fault code.
func wrongDecoder(t *testing.T, h *harness, amount string) *harness {
	t.Helper()
	const source, sound = "../../internal/decode/decimal.go", "func scaleShort(text []byte, scale int) (n int64, ok bool) {"
	body, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(body), sound) != 1 {
		t.Fatalf("%s no longer has %q: plant the fault where numbers are read now", source, sound)
	}
	wrong := strings.Replace(string(body), sound, sound+`
	if n, ok = scaleShortSound(text, scale); string(text) == "`+amount+`" {
		n++
	}
	return n, ok
}

func scaleShortSound(text []byte, scale int) (n int64, ok bool) {`, 1)
	path, err := filepath.Abs(source)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: file(t, "decimal.go", wrong)}})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := buildWorker(t.TempDir(), "-overlay", file(t, "overlay.json", string(overlay)))
	if err != nil {
		t.Fatal(err)
	}
	return &harness{s3: h.s3, warehouse: h.warehouse, binary: binary, dir: h.dir}
}

// TestMutationsByTheDecoder: a decoder that is wrong about one value can't find that itself, and its receipts say the same
// as its table. A sound program that reads the archive finds it, with key and column; so do totals from outside, and the
// wrong one when it meets a table that is right.
func TestMutationsByTheDecoder(t *testing.T) {
	const key, amount = "pay-0004", "1317.76"
	wrong := wrongDecoder(t, shared, amount)
	p := newPaid(t, wrong, "decoder_own", true)
	if found := p.join(t); len(found) != 1 || found[0].Key != key || !slices.Equal(found[0].Columns, []string{"gross_amount"}) {
		t.Fatalf("the planted fault did what it should not: %+v", found)
	}
	register := file(t, "register.csv", python(t, mutations+"join.py", p.dir, "--register"))
	for _, way := range []string{"archive", "receipts"} {
		p.h.run(t, 0, p.march("--way", way)...)
		o := p.h.run(t, 5, p.march("--way", way, "--control-totals", register)...)
		if o.result.Breaks != 1 || !strings.Contains(o.result.Sentence, "control→table EUR / DE1, line ") || !strings.Contains(o.result.Sentence, "(+0.01)") {
			t.Errorf("the register against the wrong table, way of %s: %s", way, o.result.Sentence)
		}
	}

	p.h = shared
	p.reconcile(t)
	// The receipts are the wrong decoder's: only reading the archive anew knows better, as the README says.
	p.h.run(t, 0, p.march("--way", "receipts")...)
	p.h.run(t, 5, p.march("--way", "receipts", "--control-totals", register)...)
	found := p.h.run(t, 5, p.march("--way", "archive")...)
	p.h.run(t, 0, "repair", "--dataset", p.file, "--report", found.result.Report, "--apply", "--approved-by", "A. Controller")
	if left := p.join(t); len(left) > 0 {
		t.Errorf("the sound program's repair left %+v", left)
	}

	right := newPaid(t, shared, "decoder_foreign", false)
	right.h.run(t, 0, right.march("--control-totals", register)...)
	right.h = wrong
	if rows := right.report(t, right.h.run(t, 5, right.march()...)); len(rows) != 1 || rows[0].Class != "changed" || !slices.Equal(rows[0].Key, []string{key}) || len(rows[0].Columns) != 1 || rows[0].Columns[0].Column != "gross_amount" {
		t.Errorf("the wrong decoder against a right table: %+v", rows)
	}
}
