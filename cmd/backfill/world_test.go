package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// event is a payroll event.
type event struct {
	id       string
	version  int
	at       time.Time // whole microseconds, UTC
	cents    int64
	currency string
	note     string
	gone     bool // the version deletes its key
}

// archived is an event at its place in the archive.
type archived struct {
	event
	partition int
	offset    int64
}

// world is an archive that a test writes record by record: the worker reads
// its objects, an oracle its records.
type world struct {
	prefix  string       // of all keys, without a slash at the end
	records [][]archived // by partition, then offset
	flushed []int        // records of each partition that stand in objects
	firsts  [][]int      // first offsets of each partition's objects
}

func newWorld(prefix string, partitions int) *world {
	return &world{prefix: prefix, records: make([][]archived, partitions), flushed: make([]int, partitions), firsts: make([][]int, partitions)}
}

// add appends an event to a partition; flush makes it visible.
func (w *world) add(partition int, e event) {
	w.records[partition] = append(w.records[partition], archived{event: e, partition: partition, offset: int64(len(w.records[partition]))})
}

// object returns what a partition has not archived yet as one object.
func (w *world) object(partition int) (key string, body []byte) {
	key, body = w.peek(partition)
	w.firsts[partition] = append(w.firsts[partition], w.flushed[partition])
	w.flushed[partition] = len(w.records[partition])
	return key, body
}

// peek is what object will return.
func (w *world) peek(partition int) (key string, body []byte) {
	first := w.flushed[partition]
	var b strings.Builder
	for _, r := range w.records[partition][first:] {
		b.WriteString(r.line())
	}
	return fmt.Sprintf("%s/events/partition=%d/events+%d+%010d.json", w.prefix, partition, partition, first), []byte(b.String())
}

// visible are the records that stand in objects.
func (w *world) visible() []archived {
	var all []archived
	for p, records := range w.records {
		all = append(all, records[:w.flushed[p]]...)
	}
	return all
}

// line is the record's line; an event without an id stands for a line that is no JSON.
func (a archived) line() string {
	if a.id == "" {
		return "{\"id\": \"broken\", \n"
	}
	return fmt.Sprintf(`{"id":%q,"v":%d,"at":%q,"amount":%q,"currency":%q,"note":%q,"more":{"n":[%d,null]},"gone":%t,"p":%d,"o":%d}`+"\n",
		a.id, a.version, a.at.Format("2006-01-02T15:04:05.000000Z07:00"), amount(a.cents), a.currency, a.note, a.version, a.gone, a.partition, a.offset)
}

func amount(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// flush archives what every partition has open.
func (w *world) flush(t *testing.T, h *harness) {
	t.Helper()
	for p := range w.records {
		if w.flushed[p] == len(w.records[p]) {
			continue
		}
		key, body := w.object(p)
		if err := h.put(context.Background(), "archive", key, body); err != nil {
			t.Fatal(err)
		}
	}
}

// worldColumns are the table that a world is loaded into.
const worldColumns = `id varchar(36) NOT NULL, v integer NOT NULL, happened_at timestamp NOT NULL, amount decimal(18,2), currency char(3), note varchar(40),
 more super, gone boolean, source varchar(16) NOT NULL, loaded_by varchar(16) DEFAULT 'nobody',
 _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64), PRIMARY KEY (id)`

// worldRows reads the table, every column.
const worldRows = `SELECT id, v, happened_at, amount, currency, note, JSON_SERIALIZE(more), source, loaded_by, _kafka_topic, _kafka_partition, _kafka_offset, _backfill_run, gone
 FROM payroll.events ORDER BY happened_at, id, v, _kafka_partition, _kafka_offset, amount, note, loaded_by`

// worldZone is the calendar of a world's days; one of its nights has a clock change.
const worldZone = "America/Los_Angeles"

const worldDataset = `version: 1
name: events
archive:
  uri: "s3://archive/%s/events"
  layout: confluent
  lateness: 1h
  idle: 80000h
records: {event_time: value.at}
calendar: America/Los_Angeles
columns:
  - {name: id,          type: varchar(36),     from: value.id, required: true}
  - {name: v,           type: integer,         from: value.v, required: true}
  - {name: happened_at, type: timestamp,       from: value.at, required: true, fraction: reject}
  - {name: amount,      type: "decimal(18,2)", from: value.amount}
  - {name: currency,    type: char(3),         from: value.currency}
  - {name: note,        type: varchar(40),     from: value.note}
  - {name: more,        type: super,           from: value.more}
  - {name: gone,        type: boolean,         from: value.gone}
  - {name: source,      type: varchar(16),     const: payroll}
table:
  name: payroll.events
  mode: %s
  scope: "source = 'payroll'"
  window_column: happened_at
  key: [id]
  latest_by: [v]
  not_loaded: [loaded_by]
  provenance: true
staging: {uri: "s3://staging/w"}
quarantine: {max_records: 10, max_rate: 1}
reconcile: {totals: [amount], by: [currency]}
`

// datasetFile writes the world's dataset file for a mode; pairs are texts to
// replace in it.
func (w *world) datasetFile(t *testing.T, mode string, pairs ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "events.yaml")
	text := strings.NewReplacer(pairs...).Replace(fmt.Sprintf(worldDataset, w.prefix, mode))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// timeless makes a dataset one without event time: no windows, append only.
func timeless() []string {
	return []string{"event_time: value.at", "event_time: none", "  window_column: happened_at\n", "", "  latest_by: [v]\n", ""}
}

// insert is the statement that puts an event into the table as another
// pipeline would: without a place in the archive.
func (e event) insert(source, by string) string {
	return fmt.Sprintf("INSERT INTO payroll.events (id, v, happened_at, amount, currency, note, more, gone, source, loaded_by) VALUES ('%s', %d, '%s', %s, '%s', '%s', JSON_PARSE('{\"n\":[%d,null]}'), %t, '%s', '%s')",
		e.id, e.version, e.at.UTC().Format("2006-01-02 15:04:05.000000"), amount(e.cents), e.currency, e.note, e.version, e.gone, source, by)
}
