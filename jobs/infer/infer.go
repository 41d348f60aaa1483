// Package infer proposes a dataset for an archive that nobody has described: it
// looks at the names and at some records of objects all over it. It writes
// nothing and asks no warehouse.
package infer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"backfill/internal/codec"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/survey"
	"backfill/jobs/workspace"
)

// Options say what to look at, and how to name the result.
type Options struct {
	URI      string
	Layout   string // "": a sample of the keys decides
	Table    string // "": made from the topic, in schema public
	Calendar string // IANA zone; "": UTC
}

// The bounds of the sample.
const (
	mostKeys    = 50_000 // listed
	mostObjects = 40     // opened
	mostTails   = 16     // partitions whose end is looked at
	mostRecords = 500    // of each object
	mostBytes   = 16 << 20
	recordBytes = 8 << 20
)

// Result is a dataset file.
type Result struct {
	YAML    string
	Records int64
	Objects int
	Masked  []string // columns that need BACKFILL_MASK_KEY
}

// Infer samples the archive and returns a dataset file that compiles. w is
// opened over the archive with layout auto, or the one that Options name.
func Infer(ctx context.Context, w *workspace.Workspace, o Options) (*Result, error) {
	sample, sides, err := listed(ctx, w, o)
	if err != nil {
		return nil, err
	}
	sample.Data = slices.DeleteFunc(sample.Data, func(c runplan.Chunk) bool { return c.Objects[0].Tombstones }) // keys without a value
	if len(sample.Data) == 0 {
		return nil, fail.New(fail.EmptyWindow, "there is no object with records to look at").At("%s", o.URI).Try("check the URI, case included: it is the folder of one topic, such as s3://bucket/topics/payroll.events")
	}
	in := &inference{w: w, o: o, sample: sample, sides: sides, survey: survey.New(), formats: map[string]int{}}
	for _, c := range sample.Spread(mostObjects) {
		if err := in.look(ctx, c); err != nil {
			return nil, err
		}
	}
	all, broken := in.survey.Records()
	if all == broken {
		return nil, fail.New(fail.BadLayout, "none of %d records is a JSON object, an Avro record or a Parquet row", all).At("%s", o.URI).
			Try("if the objects are CSV, texts or bytes, describe the dataset by hand: archive.format csv, text or bytes")
	}
	p := in.survey.Propose()
	text := p.YAML(in.source())
	return &Result{YAML: text, Records: all, Objects: in.objects, Masked: p.Personal}, nil
}

// inference is one look at an archive.
type inference struct {
	w       *workspace.Workspace
	o       Options
	sample  *workspace.Sample
	sides   *sides // nil: none stand beside values
	survey  *survey.Survey
	objects int
	formats map[string]int // of objects
}

// look adds the first records of an object. One that can't be read is passed
// over: it is the doctor's to complain about, and the sample has others.
func (in *inference) look(ctx context.Context, c runplan.Chunk) error {
	records, done, err := in.open(ctx, c.Objects[0])
	defer done()
	if err != nil {
		if ctx.Err() != nil || fail.ExitOf(err) == fail.ExitEnvironment {
			return err
		}
		in.w.Log.Warn(fmt.Sprintf("%s is passed over: %v", c.Objects[0].Key, err))
		return nil
	}
	in.objects++
	for range mostRecords {
		record, err := records.Next(nil)
		var bad *decode.BadRecord
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			in.survey.Add(nil)
		case err != nil:
			in.w.Log.Warn(fmt.Sprintf("%s is read to its record %v", c.Objects[0].Key, err))
			return nil
		default:
			in.survey.Add(record)
		}
	}
	return nil
}

// open gives the records of an object as JSON texts, whatever it is.
func (in *inference) open(ctx context.Context, o runplan.ObjectRef) (decode.Records, func(), error) {
	body, err := in.w.Open(ctx, o)
	if err != nil {
		return nil, func() {}, err
	}
	plain, err := codec.Open(io.LimitReader(body, mostBytes), codec.Limits{})
	if err != nil {
		return nil, func() { body.Close() }, err
	}
	done := func() { plain.Close(); body.Close() } // reading is over: what they say does not matter
	if plain.Begins("PAR1") {
		in.formats["Parquet"]++
		whole, err := in.w.Open(ctx, o) // its footer is at the end
		if err != nil {
			return nil, done, err
		}
		done = func() { plain.Close(); body.Close(); whole.Close() }
		file, err := format.NewParquet(whole, format.Limits{RecordBytes: recordBytes})
		if err != nil {
			return nil, done, err
		}
		return file, func() { file.Close(); done() }, nil
	}
	kind := "JSON"
	if plain.Begins("Obj\x01") {
		kind = "Avro"
	}
	in.formats[kind]++
	records, err := decode.NewRecords(plain, decode.AnyFormat, decode.Limits{RecordBytes: recordBytes})
	return records, done, err
}

// source says what is known of the archive besides its records.
func (in *inference) source() survey.Source {
	topic := in.topic()
	src := survey.Source{
		URI: in.o.URI, Layout: in.sample.Name, LayoutWhy: firstClause(in.sample.Layout), Format: "auto",
		Sampled: in.sampled(), Calendar: orElse(in.o.Calendar, "UTC"), Table: orElse(in.o.Table, "public."+identifier(topic)), Name: identifier(topic),
	}
	if in.sample.Name == dataset.LayoutUnnamed {
		src.Constants, src.Topic = true, identifier(topic)
		src.LayoutWhy = "LOOK: no archiver's way to name objects fits; a record is known by its object and row, and offsets are unproven. A {key_pattern: …} says more"
	}
	if in.sides != nil {
		in.sides.describe(&src)
	}
	src.Idle, src.IdleWhy = 24*time.Hour, "a guess: how long a partition may be silent at a window's end and still count as settled"
	return src
}

func (in *inference) sampled() string {
	var kinds []string
	for kind, n := range in.formats {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(kinds)
	listed := fmt.Sprintf("all %d objects", len(in.sample.Objects))
	if !in.sample.All {
		listed = fmt.Sprintf("the first %d objects by name", len(in.sample.Objects))
	}
	return fmt.Sprintf("Sample: the first %d records of %d objects (%s), spread over %s of %d partitions.", mostRecords, in.objects, strings.Join(kinds, ", "), listed, len(in.sample.Partitions()))
}

// topic is the one topic of the archive, or what its URI ends in.
func (in *inference) topic() string {
	topics := map[string]bool{}
	var last kafka.TopicPartition
	for tp := range in.sample.Partitions() {
		topics[tp.Topic], last = true, tp
	}
	if len(topics) == 1 && last.Topic != "" && in.sample.Name != dataset.LayoutUnnamed {
		return last.Topic
	}
	return lastStep(in.o.URI)
}

func firstClause(text string) string {
	first, _, _ := strings.Cut(text, ";")
	return first
}

func lastStep(uri string) string {
	uri = strings.TrimRight(uri, "/")
	return uri[strings.LastIndexByte(uri, '/')+1:]
}

// identifier is a name that Redshift does not change.
func identifier(text string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, text), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "t_" + name
	}
	return name[:min(len(name), 80)]
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
