package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	plantedMaskKey = "Planted-mask-key-of-more-than-32-bytes-3Gh"
	plantedAccount = "GB33BUKB20201555Planted" // the value of a masked column, in good rows and in bad ones
)

// maskedLines are records whose account is masked: one good, and one of each
// kind that goes to quarantine.
func maskedLines() string {
	at := dayStarts()[0].Add(time.Hour).Format(time.RFC3339)
	var b strings.Builder
	line := func(id, amount, account string) {
		fmt.Fprintf(&b, `{"id":%q,"v":1,"at":%q,"amount":%q,"currency":"USD","note":"x","more":{"n":1},"account":%s}`+"\n", id, at, amount, account)
	}
	line("good", "1.00", `"`+plantedAccount+`"`)
	line("long", "2.00", `"`+strings.Repeat(plantedAccount, 100)+`"`)
	line("none", "3.00", "null")
	line("number", "no number", `"`+plantedAccount+`"`)                  // another column does not fit
	line("object", "4.00", `{"iban":"`+plantedAccount+`"}`)              // the masked one does not
	line("pair", "5.00", `"`+plantedAccount+`\ud800"`)                   // nor does half of a character
	fmt.Fprintf(&b, `{"id":"broken","account":"%s`+"\n", plantedAccount) // no JSON at all
	fmt.Fprintf(&b, `{"id":"undatable","at":"%s","account":"%s"}`+"\n", plantedAccount[:4], plantedAccount)
	return b.String()
}

// TestSecretsMaskedColumnsAreReadableNowhere loads a masked column and looks
// for its values and the key in everything there is: Parquet, table, kept rows
// and quarantine included.
func TestSecretsMaskedColumnsAreReadableNowhere(t *testing.T) {
	l := newLane(t)
	l.sql(t, "ALTER TABLE payroll.events ADD COLUMN account varchar(64)")
	w := newWorld("masks", 1)
	if err := l.put(context.Background(), "archive", "masks/events/partition=0/events+0+0000000000.json", []byte(maskedLines())); err != nil {
		t.Fatal(err)
	}
	const last = "  - {name: source,      type: varchar(16),     const: payroll}\n"
	file := w.datasetFile(t, "replace_window", last, last+"  - {name: account, type: varchar(64), from: value.account, mask: hmac_sha256}\n")
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(plantedMaskKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	window := []string{"--dataset", file, "--from", "2026-03-07", "--to", "2026-03-08"}
	e := &evidence{texts: map[string]string{}}
	key := []string{"BACKFILL_MASK_KEY=" + plantedMaskKey}

	o := e.run(t, l, nil, 2, append([]string{"run"}, window...)...)
	if !strings.Contains(o.result.Error, "the column account is masked, and there is no key") {
		t.Error(o.result.Error)
	}
	e.run(t, l, []string{"BACKFILL_MASK_KEY=" + plantedMaskKey[:20]}, 3, append([]string{"run"}, window...)...)
	e.run(t, l, key, 4, append([]string{"run", "--set", "quarantine.max_records=0"}, window...)...)
	loaded := e.run(t, l, key, 0, append([]string{"run", "--keep-replaced"}, window...)...)
	h := hmac.New(sha256.New, []byte(plantedMaskKey))
	h.Write([]byte(plantedAccount))
	if got := l.rows(t, "SELECT id, account FROM payroll.events WHERE id IN ('good', 'none') ORDER BY id"); len(got) != 2 || got[0] != "good|"+hex.EncodeToString(h.Sum(nil))+"|" || got[1] != "none|NULL|" {
		t.Errorf("the table holds %q", got)
	}

	// The plan knows which key it was: its pods need none but to convert.
	e.run(t, l, nil, 0, "load", "--plan", loaded.result.Plan)
	o = e.run(t, l, []string{"BACKFILL_MASK_KEY=" + strings.Repeat("another key ", 4)}, 2, "load", "--plan", loaded.result.Plan)
	if !strings.Contains(o.result.Error, "the mask key is another one") {
		t.Error(o.result.Error)
	}
	// The key from a file is the same run; another key is another one.
	if o = e.run(t, l, []string{"BACKFILL_MASK_KEY_FILE=" + keyFile}, 0, append([]string{"run"}, window...)...); !o.result.Done || o.result.Run != loaded.result.Run {
		t.Errorf("the key from a file: done %v, run %s", o.result.Done, o.result.Run)
	}
	o = e.run(t, l, []string{"BACKFILL_MASK_KEY=" + strings.Repeat("another key ", 4)}, 0, append([]string{"run", "--keep-replaced"}, window...)...)
	if o.result.Done || o.result.Run == loaded.result.Run || o.result.Converted != o.result.Chunks {
		t.Errorf("another key: done %v, run %s, %d of %d chunks converted", o.result.Done, o.result.Run, o.result.Converted, o.result.Chunks)
	}
	e.run(t, l, nil, 0, "load", "--undo", fmt.Sprint(o.result.Seq), "--dataset", file, "--set", "mask_key_id="+maskKeyIDOf(t, l, loaded.result.Plan))
	plan := e.run(t, l, key, 0, append([]string{"plan", "--replan", "--reconvert"}, window...)...)
	if o := e.run(t, l, nil, 3, "convert", "--plan", plan.result.Plan); !strings.Contains(o.result.Error, "columns are masked, and the key with id") {
		t.Error(o.result.Error)
	}

	e.staging(t, l)
	e.add("table", strings.Join(l.rows(t, "SELECT id, note, account, JSON_SERIALIZE(more) FROM payroll.events"), "\n"))
	e.check(t, []string{plantedMaskKey, plantedAccount}, func(string) bool { return true })
	withheld := false
	for where, text := range e.texts {
		withheld = withheld || strings.HasPrefix(where, "quarantine ") && strings.Count(text, `"withheld":true`) == 4 && strings.Count(text, `"raw":""`) == 4
	}
	if !withheld {
		t.Error("no quarantine file lists four records without their bytes")
	}
}

// maskKeyIDOf reads which key a plan's dataset was compiled for.
func maskKeyIDOf(t *testing.T, l *lane, plan string) string {
	t.Helper()
	text := l.object(t, strings.TrimPrefix(plan, "s3://staging/"))
	_, rest, ok := strings.Cut(text, `mask_key_id\": \"`)
	if !ok || len(rest) < 16 {
		t.Fatalf("the plan names no key:\n%s", text)
	}
	return rest[:16]
}
