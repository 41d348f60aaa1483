package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The oracle reads staging's documents and the ledger by itself, one by one, and
// says what is referred to. It shares no code with gc.

// referred is what some document names.
type referred struct {
	plans  map[string]plainPlan // by key
	all    map[string][]string  // key → who names it
	wanted map[string][]string  // Parquet that a load may still copy → its plans
}

type plainPlan struct {
	Seq      int64  `json:"seq"`
	Run      string `json:"run"`
	Chunks   int    `json:"chunks"`
	Segments []struct {
		Key string `json:"key"`
	} `json:"segments"`
	Slices []struct {
		Index int `json:"index"`
	} `json:"slices"`
	loaded, stopped, tied bool
	ids                   []string
}

const gcTarget = "targets/payroll.events/"

// refer reads all of it; a document that names a thing which is not there is told
// to missing.
func refer(t *testing.T, l *lane, files map[string][]byte, missing func(key, by string)) *referred {
	t.Helper()
	r := &referred{plans: map[string]plainPlan{}, all: map[string][]string{}, wanted: map[string][]string{}}
	name := func(key, by string) {
		r.all[key] = append(r.all[key], by)
		if _, there := files["w/"+key]; !there {
			missing(key, by)
		}
	}
	tied := r.evidence(t, files, name)
	held, stopped := r.ledger(t, l, name)
	newest, done := int64(0), map[string]int64{} // newest plan of a run that is loaded and reconciled
	for key, body := range files {
		key = strings.TrimPrefix(key, "w/")
		if !strings.HasPrefix(key, gcTarget+"plans/") {
			continue
		}
		p := parsed[plainPlan](t, key, body)
		for _, s := range p.Segments {
			name(s.Key, key)
			p.ids = append(p.ids, chunkIDs(t, files["w/"+s.Key])...)
		}
		p.loaded, p.stopped, p.tied = len(held[p.Seq]) == len(p.Slices), stopped[p.Seq] || files["w/"+fmt.Sprintf(gcTarget+"loads/%012d/aborted.json", p.Seq)] != nil, tied[key]
		r.plans[key] = p
		newest = max(newest, p.Seq)
		if p.loaded && p.tied {
			done[p.Run] = max(done[p.Run], p.Seq)
		}
	}
	for key, p := range r.plans {
		if p.Seq == newest {
			r.all[key] = append(r.all[key], "it is the newest")
		}
		r.chunks(t, files, key, p, p.loaded && p.tied || p.stopped && !p.loaded || done[p.Run] > p.Seq, name)
	}
	return r
}

// chunks takes the receipts of a plan's chunks, and their Parquet unless the plan
// is over.
func (r *referred) chunks(t *testing.T, files map[string][]byte, key string, p plainPlan, over bool, name func(key, by string)) {
	for _, id := range p.ids {
		receipt := "chunks/" + id + "/receipt.json"
		body, there := files["w/"+receipt]
		if !there {
			continue // not converted
		}
		r.all[receipt] = append(r.all[receipt], key)
		got := parsed[struct {
			Parquet    []struct{ Key string } `json:"parquet"`
			Quarantine *struct{ Key string }  `json:"quarantine"`
		}](t, receipt, body)
		for _, f := range got.Parquet {
			if !over {
				r.wanted[f.Key] = append(r.wanted[f.Key], key)
				name(f.Key, key)
			}
		}
		if q := got.Quarantine; q != nil { // it, or what is left of it
			places := filepath.Dir(q.Key) + "/quarantine.places.jsonl.zst"
			if _, whole := files["w/"+q.Key]; !whole {
				name(places, receipt)
			}
		}
	}
}

// evidence takes what sealed reports name, and says which plans one of them found right.
func (r *referred) evidence(t *testing.T, files map[string][]byte, name func(key, by string)) map[string]bool {
	t.Helper()
	tied := map[string]bool{}
	for key, body := range files {
		folder, sealed := strings.CutSuffix(strings.TrimPrefix(key, "w/"), "/seal.json")
		if !sealed {
			continue
		}
		seal := parsed[struct {
			Verdict string
			Files   []struct{ Name string }
		}](t, key, body)
		for _, f := range seal.Files {
			name(folder+"/"+f.Name, key)
		}
		r.all[folder+"/seal.json"] = append(r.all[folder+"/seal.json"], "it is a seal")
		zip, err := gzip.NewReader(bytes.NewReader(files["w/"+folder+"/evidence.jsonl.gz"]))
		if err != nil {
			t.Fatal(err)
		}
		lines := json.NewDecoder(zip)
		for {
			var link struct{ Kind, Key string }
			if err := lines.Decode(&link); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if link.Kind != "object" {
				name(link.Key, folder)
				tied[link.Key] = tied[link.Key] || strings.HasPrefix(seal.Verdict, "RECONCILED")
			}
		}
	}
	return tied
}

// ledger takes what the warehouse names, and says which slices of each plan hold
// and which plans were stopped.
func (r *referred) ledger(t *testing.T, l *lane, name func(key, by string)) (held map[int64]map[int64]bool, stopped map[int64]bool) {
	t.Helper()
	held, stopped = map[int64]map[int64]bool{}, map[int64]bool{}
	rows, err := l.read("SELECT kind, seq, slice_index, plan_key, COALESCE(receipt_key, '') FROM payroll.events__backfill_ledger ORDER BY change_number")
	if err != nil && !strings.Contains(err.Error(), "does not exist") {
		t.Fatal(err)
	}
	for _, row := range rows {
		var seq, slice int64
		part := strings.Split(row, "|")
		if _, err := fmt.Sscan(part[1], &seq); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(part[2], &slice); err != nil {
			t.Fatal(err)
		}
		name(part[3], "the ledger")
		if part[4] != "" {
			name(part[4], "the ledger")
		}
		if held[seq] == nil {
			held[seq] = map[int64]bool{}
		}
		switch part[0] {
		case "load":
			held[seq][slice] = true
		case "undo":
			delete(held[seq], slice)
			stopped[seq] = true
		case "abort":
			stopped[seq] = true
		}
	}
	return held, stopped
}

func parsed[T any](t *testing.T, key string, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return v
}

func chunkIDs(t *testing.T, segment []byte) (ids []string) {
	t.Helper()
	if segment == nil {
		return nil
	}
	zip, err := zstd.NewReader(bytes.NewReader(segment))
	if err != nil {
		t.Fatal(err)
	}
	defer zip.Close()
	lines := json.NewDecoder(zip)
	for {
		var c struct {
			ID string `json:"id"`
		}
		if err := lines.Decode(&c); err == io.EOF {
			return ids
		} else if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
}

// undangling demands that nothing names what is not there.
func undangling(t *testing.T, l *lane) *referred {
	t.Helper()
	return refer(t, l, l.files(t), func(key, by string) { t.Errorf("%s names %s, which is gone", by, key) })
}
