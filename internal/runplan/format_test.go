package runplan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The values below fill every field, so that each name is pinned.

func sampleRefs() []runplan.ObjectRef {
	return []runplan.ObjectRef{
		{Key: "payroll.events/partition=3/payroll.events+3+0000000100.json.gz", Size: 1000, ETag: "0f3c-2", Version: "v1", First: 100, Ordered: true, Lower: true, End: 130, Generation: 1, Tombstones: true,
			Sides: []runplan.SideRef{{View: "keys", Key: "payroll.events/partition=3/payroll.events+3+0000000100.keys.avro", Size: 30, ETag: "0f3d", Version: "v2"}}},
		{Key: "2024/03/01/late.json", Size: 20, ETag: "e2", First: kafka.NoOffset},
	}
}

func sampleCells() account.Cells {
	lane, err := account.ParseInt128("-92233720368547758089223372036854775808")
	if err != nil {
		panic(err)
	}
	return account.Cells{
		{Topic: "payroll.events", Partition: 3, Day: 19783, Bucket: -2, Group: "EUR\x1f\x00"}: {
			Rows: 2, Offsets: 2, OffsetSum: account.FromInt64(201), Lane1: lane, Lane2: account.FromInt64(-7),
			Sums: []account.Int128{account.FromInt64(-1250)}, Counts: []int64{1},
		},
	}
}

func samples() map[string]any {
	window := kafka.Window{From: 1709280000000000, To: 1709366400000000}
	slice := runplan.Slice{Index: 0, DayFrom: 19783, DayTo: 19784, Window: window}
	at := time.Date(2024, 3, 2, 1, 2, 3, 456000000, time.UTC)
	counts := account.NewChunk()
	for i, d := range account.Dispositions() {
		counts.Tally[d] = int64(i)
	}
	counts.OutOfWindow[19784], counts.OutOfWindow[2932897] = 2, 1
	counts.Dropped[`"payment.created"`], counts.Reasons["gross_amount: too_many_digits"], counts.Undatable["2024/03/01/late.json"] = 4, 1, 2
	counts.Cells = sampleCells()
	counts.Objects = []account.ObjectCount{
		{Key: sampleRefs()[0].Key, Records: 30, Proof: kafka.ProofDerived, Open: true, First: 100, Last: 129},
		{Key: sampleRefs()[1].Key, Records: 6, Proof: kafka.ProofUnproven, First: -1, Last: -1},
	}
	counts.Ranges, counts.RangesCut, counts.LastRecord = []account.Range{{From: 100, To: 130}}, true, 1709366400000001
	counts.Findings = []account.Finding{{Class: account.ArchiveConflict, Object: sampleRefs()[0].Key, Offset: 107, Text: "other bytes"}}
	counts.Schemas = []account.SchemaCount{{ID: "17", Subject: "pay-value", Version: 2, Kind: "AVRO", Records: 9, Rows: 8, Extra: 1, Object: sampleRefs()[0].Key, Row: 3, Offset: 103}}
	tp := kafka.TopicPartition{Topic: "payroll.events", Partition: 3}
	return map[string]any{
		"head": &runplan.Head{
			Format: runplan.Format, Run: "run", Seq: 12, Attempt: "ATTEMPT", Target: "payroll.events",
			Dataset: runplan.Dataset{Name: "payroll_events", Digest: "d1", ConvertDigest: "d2", Text: "version: 1\n"},
			Archive: "s3://archive/topics", Warehouse: runplan.Warehouse{URL: "redshift://u@h/db", IAMRole: "arn:aws:iam::1:role/copy", TLS: true, TLSOptions: `{"ca_file":"/ca.pem"}`, SignIn: `{"password":"${PW}"}`, PasswordEnv: "PW"},
			Window: window, Converter: 1, Version: "1.0", KMSKey: "alias/staging", Sealed: at, Objects: 2, Bytes: 1020, Ignored: map[string]int{"marker": 1}, SkippedFolders: 3, Inventory: "inventory of a day", AsOf: at, Chunks: 1,
			Segments: []runplan.Segment{{Key: "targets/payroll.events/segments/ATTEMPT/00000.jsonl.zst", Chunks: 1, Bytes: 99, SHA256: "ab"}},
			Slices:   []runplan.Slice{slice}, ListingID: "l1", Supersedes: &runplan.Supersedes{Seq: 11, Reasons: []string{"asked for"}}, Seal: "cd",
			Standing: []runplan.Standing{{Rows: 2, Lane1: account.FromInt64(-7), Lane2: account.FromInt64(8)}}, LastChange: 5,
			Damaged: []runplan.Input{{Partition: tp, ObjectRef: sampleRefs()[0]}}, Salt: "SALT", Asked: []string{"replan"}, By: "finance", Reason: "late files",
			Schemas: &runplan.Schemas{Key: "schemas/ef.json", SHA256: "ef", Count: 2},
		},
		"head_least": &runplan.Head{},
		"chunk":      &runplan.Chunk{ID: "c1", Partition: tp, Objects: sampleRefs(), Following: sampleRefs()[:1], Bytes: 1020},
		"chunk_receipt": &runplan.ChunkReceipt{
			Format: runplan.Format, Chunk: "c1", Attempt: "ATTEMPT", Converter: 1, Version: "1.0", Partition: tp, Window: window,
			Parquet:    []runplan.File{{Key: "chunks/c1/ATTEMPT/part-00000.parquet", Size: 5000, ETag: "e3", Rows: 2}},
			Quarantine: &runplan.File{Key: "chunks/c1/ATTEMPT/quarantine.jsonl.zst", Size: 50, ETag: "e4", Rows: 6}, Counts: counts, Done: at,
		},
		"slice_receipt": &runplan.SliceReceipt{
			Format: runplan.Format, Run: "run", Seq: 12, Attempt: "ATTEMPT", Target: "payroll.events", Slice: slice, Mode: "upsert", Lanes: 2,
			Stage: sampleCells(), Inserted: sampleCells(), Deleted: account.Cells{}, Superseded: 1, Vanished: 2, Queries: []string{"SELECT 1"},
			After: sampleCells(), Taken: sampleCells(), Outdated: sampleCells(), Already: sampleCells(), Differing: sampleCells(), Repeated: 3, Doubled: 4, DoubledOffsets: 1, Stale: sampleCells(), Twins: sampleCells(), Ties: sampleCells(),
			Kind: "undo", Aside: &runplan.PutAside{Table: "payroll.kept", Rows: 2, Replaced: sampleCells(), Left: sampleCells()},
		},
		"slice_receipt_least": &runplan.SliceReceipt{
			Format: runplan.Format, Run: "run", Seq: 12, Attempt: "ATTEMPT", Target: "payroll.events", Slice: slice,
			Stage: sampleCells(), Inserted: sampleCells(), Deleted: account.Cells{}, Superseded: 1, Vanished: 2, Queries: []string{"SELECT 1"},
		},
	}
}

// TestFormats pins the persistent formats. A golden file that changes is a
// format that changed: then runplan.Format rises, too.
func TestFormats(t *testing.T) {
	for name, sample := range samples() {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(sample, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			back := reflect.New(reflect.TypeOf(sample).Elem()).Interface()
			if err := json.Unmarshal(want, back); err != nil || !reflect.DeepEqual(back, sample) {
				t.Errorf("comes back as %+v, %v", back, err)
			}
		})
	}
}

// TestSamplesAreFull keeps the golden files honest when a field is added.
func TestSamplesAreFull(t *testing.T) {
	var look func(v reflect.Value, name string)
	look = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Pointer:
			look(v.Elem(), name)
		case reflect.Slice:
			if v.Len() > 0 {
				look(v.Index(0), name+"[0]")
			}
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if f.Name == "Index" || f.Name == "Deleted" || f.Type == reflect.TypeFor[time.Time]() || !f.IsExported() {
					continue
				}
				if v.Field(i).IsZero() {
					t.Errorf("%s.%s is empty in the sample", name, f.Name)
				}
				look(v.Field(i), name+"."+f.Name)
			}
		}
	}
	for name, sample := range samples() {
		if !strings.HasSuffix(name, "_least") {
			look(reflect.ValueOf(sample), name)
		}
	}
}

// TestIDsAreStable pins ids: another id for the same input would convert every
// chunk again.
func TestIDsAreStable(t *testing.T) {
	got := []string{
		string(runplan.NewRunID("digest", kafka.Window{From: 1, To: 2})),
		string(runplan.Cut([]runplan.Input{input(3, 100, 7)}, 10, basis())[0].ID),
		runplan.ListingID([]runplan.Input{input(3, 100, 7)}),
	}
	file := filepath.Join("testdata", "ids.json")
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(text, want) {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
}
