package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/archiver"
	"backfill/internal/tieout"
)

// compared are layouts of the generator, of every archiver and format that it
// writes, whose objects are all read.
var compared = []string{
	"confluent-json", "confluent-avro", "confluent-bytes", "confluent-schedule", "confluent-field", "confluent-field-avro", "confluent-parquet", "confluent-field-parquet", "confluent-sides", "confluent-sides-avro", "confluent-blank",
	"lenses-json", "lenses-text", "lenses-avro", "lenses-parquet", "lenses-partitionby-json", "lenses-envelope-json", "lenses-envelope-avro", "lenses-envelope-parquet",
	"aiven-jsonl", "aiven-json", "aiven-csv", "aiven-avro", "aiven-fields-jsonl", "aiven-fields-json", "aiven-fields-csv", "aiven-fields-avro",
	"aiven-time-jsonl", "aiven-key-jsonl", "aiven-parquet", "aiven-fields-parquet",
	"firehose-json", "firehose-lines", "firehose-parquet", "firehose-msk-envelope", "msk-delivery", "secor-delimited", "secor-sequence", "secor-sequence-plain", "secor-msgpack", "wix-text", "vector-json", "vector-text",
	"fluentbit-json", "fluentd-json", "logstash-json", "redpanda-lines", "redpanda-concatenate", "redpanda-json-array", "camel-streaming",
}

// dated are the layouts with folders by time, of which a run lists and reads
// those that its window needs. By the connector's clock, Kafka's or the event's.
var dated = []string{"confluent-hourly", "confluent-hourly-avro", "confluent-hourly-event", "confluent-daily", "confluent-daily-parquet", "confluent-time"}

// notCompared are the other layouts of the generator, and why.
var notCompared = map[string]string{
	"confluent-delims": "its keys have no folders, so that its archive is the whole bucket, which all tests share",
}

// TestEveryLayoutIsCompared: no layout of the generator is forgotten.
func TestEveryLayoutIsCompared(t *testing.T) {
	for _, name := range archivegen.LayoutNames() {
		if _, left := notCompared[name]; left == (slices.Contains(compared, name) || slices.Contains(dated, name)) {
			t.Errorf("%s is compared, or has a reason why not, and not both", name)
		}
	}
}

// TestSameRowsWhateverTheArchiver archives the same events as different
// archivers do, with retries and records that can't become rows,
// and loads each archive by the dataset written beside it: the tables are the same
// to the last value, each record ends where the generator says, and the report
// says what proves the offsets.
func TestSameRowsWhateverTheArchiver(t *testing.T) {
	h := shared
	options := func(layout string) archivegen.Options {
		o := archivegen.Options{Seed: 77, Events: 300, Partitions: 2, EventsPerObject: 40, Layout: layout, Faults: archivegen.DefaultFaults()}
		o.Faults.SupersededVersions = 12
		return o
	}
	settings := func(layout string) (set []string) {
		if layout == "confluent-hourly-event" || layout == "confluent-time" {
			// In folders by event time, what a partition archived after the window's end lies in folders that are not listed.
			set = append(set, "--set", "archive.idle=24h")
		}
		return set
	}
	load := func(t *testing.T, layout string) []string {
		t.Helper()
		o := options(layout)
		cannot, err := archivegen.Impossible(o)
		if err != nil {
			t.Fatal(err)
		}
		o.LeaveOut = slices.Sorted(maps.Keys(cannot))
		a := h.generate(t, o)
		table := "same_" + strings.NewReplacer("-", "_", ".", "_").Replace(layout)
		gaps := slices.ContainsFunc(a.truth.Partitions, func(p archivegen.PartitionTruth) bool { return len(p.Gaps) > 0 })
		exit := 0
		if gaps && a.truth.Identity != archiver.Unproven { // records that the archiver dropped are missed, and nothing explains why
			exit = 6
		}
		ran := h.run(t, exit, append([]string{"run"}, a.window(append(h.table(t, table), settings(layout)...)...)...)...)
		rep := (&foreign{t: t, h: h}).report(ran.result.Report)
		proofs, tally := map[kafka.Proof]int{}, account.Tally{}
		for _, s := range rep.Sequences {
			tally.Add(s.Tally)
			for proof, n := range s.Proofs {
				proofs[proof] += n
			}
		}
		if slices.Contains(dated, layout) {
			checkPruned(t, tally, a.truth)
		} else {
			checkTally(t, tally, a.truth.Dispositions)
		}
		checkProofs(t, proofs, a.truth.Identity, rep.Exceptions)
		if strings.HasPrefix(layout, "lenses-") && a.truth.Identity == archiver.Derived {
			checkAdrift(t, proofs, a.truth, rep.Exceptions)
		}
		if o := h.run(t, exit, append([]string{"reconcile", "--way", "archive"}, a.window(append(settings(layout), "--set", "table.name=payroll."+table, "--set", "staging.uri=s3://staging/"+table)...)...)...); exit == 0 && !strings.Contains(o.stdout, "RECONCILED") {
			t.Errorf("by the archive itself: %s", o.stdout)
		}
		return alike(t, h, table)
	}
	want := load(t, "")
	if len(want) == 0 {
		t.Fatal("there are no rows")
	}
	for _, layout := range slices.Concat(compared, dated) {
		t.Run(layout, func(t *testing.T) {
			if got := load(t, layout); !slices.Equal(got, want) {
				t.Errorf("%d rows, want %d; %s", len(got), len(want), firstDifference(got, want))
			}
		})
	}
}

// alike are the rows of a table of payroll events, however their archiver spelled
// the JSON in them.
func alike(t *testing.T, h *harness, table string) []string {
	t.Helper()
	rows := h.rows(t, `SELECT event_id, type, employee_id, company_id, gross_amount, tax_amount, net_amount, currency, pay_run_id, occurred_at,
 version, bank_account, source, JSON_SERIALIZE(details) FROM payroll.`+table+` ORDER BY event_id`)
	for i, row := range rows {
		rows[i] = spelledAlike(t, row)
	}
	return rows
}

// spelledAlike spells the JSON at a row's end in one way: formats escape the same
// text differently.
func spelledAlike(t *testing.T, row string) string {
	t.Helper()
	at := strings.Index(row, "|{")
	if at < 0 {
		return row
	}
	var value any
	in := json.NewDecoder(strings.NewReader(row[at+1:]))
	in.UseNumber()
	if err := in.Decode(&value); err != nil {
		t.Fatalf("%s: %v", row, err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return row[:at+1] + string(text)
}

// checkPruned compares where records of an archive ended of which only some
// folders had to be read. Records that belong to the window are all there; the
// others are at least those of objects that hold any of the window's, and at
// most all.
func checkPruned(t *testing.T, got account.Tally, truth archivegen.Truth) {
	t.Helper()
	var needed account.Tally
	for _, o := range truth.Objects {
		if d := byDisposition(o.Dispositions); d[account.Filtered]+d[account.Rejected]+d[account.DuplicateOffset]+d[account.Row] > 0 {
			needed.Add(d)
		}
	}
	all := byDisposition(truth.Dispositions)
	for i, n := range all {
		d := account.Disposition(i)
		if got[d] < needed[d] || got[d] > n {
			t.Errorf("%d records are %s, want %d to %d", got[d], d, needed[d], n)
		}
		switch d {
		case account.Filtered, account.Rejected, account.DuplicateOffset, account.Row:
			if needed[d] != n {
				t.Errorf("of %d records that are %s, objects of the window hold %d", n, d, needed[d])
			}
		}
	}
	if got.Read() >= all.Read() {
		t.Errorf("%d records of %d were read: no folder was left out", got.Read(), all.Read())
	}
}

func byDisposition(d archivegen.Dispositions) account.Tally {
	return account.Tally{
		account.Unreadable: d.Unreadable, account.Tombstone: d.Tombstone, account.Undatable: d.Undatable, account.OutOfWindow: d.OutOfWindow,
		account.Filtered: d.Filtered, account.Rejected: d.Rejected, account.DuplicateOffset: d.DuplicateOffset, account.Row: d.Rows,
	}
}

// checkTally compares where records ended.
func checkTally(t *testing.T, got account.Tally, want archivegen.Dispositions) {
	t.Helper()
	for i, n := range byDisposition(want) {
		d := account.Disposition(i)
		if got[d] != n {
			t.Errorf("%d records are %s, want %d", got[d], d, n)
		}
	}
}

// checkAdrift demands that each partition's first object, and no other, is
// unproven: names have last offsets, and no partition begins at 0.
func checkAdrift(t *testing.T, got map[kafka.Proof]int, truth archivegen.Truth, exceptions []tieout.Exception) {
	t.Helper()
	adrift := 0
	for _, p := range truth.Partitions {
		if p.FirstOffset > 0 {
			adrift++
		}
	}
	said := slices.ContainsFunc(exceptions, func(e tieout.Exception) bool { return strings.Contains(e.Class, "unproven") })
	if got[kafka.ProofUnproven] != adrift || adrift == 0 || !said {
		t.Errorf("%d objects are unproven, want %d; said: %t", got[kafka.ProofUnproven], adrift, said)
	}
}

// checkProofs compares what proves the offsets. Where nothing does, the report
// has to say so.
func checkProofs(t *testing.T, got map[kafka.Proof]int, want archiver.Identity, exceptions []tieout.Exception) {
	t.Helper()
	said := slices.ContainsFunc(exceptions, func(e tieout.Exception) bool { return strings.Contains(e.Class, "unproven") })
	switch want {
	case archiver.Unproven:
		if got[kafka.ProofUnproven] == 0 || got[kafka.ProofBody]+got[kafka.ProofDerived] > 0 || !said {
			t.Errorf("offsets are %v, and nothing proves them; said: %t in %+v", got, said, exceptions)
		}
	case archiver.Body:
		if got[kafka.ProofBody] == 0 || got[kafka.ProofUnproven]+got[kafka.ProofDerived] > 0 || said {
			t.Errorf("offsets are %v, and stand in the records", got)
		}
	default:
		if got[kafka.ProofDerived] == 0 || got[kafka.ProofBody] > 0 {
			t.Errorf("offsets are %v, and follow from names", got)
		}
	}
}
