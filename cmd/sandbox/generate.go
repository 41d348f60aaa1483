package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/sandbox/archivegen"
)

// maxParallel bounds the objects held in memory at a time, some MiB each.
const maxParallel = 64

type generateOptions struct {
	archive  archivegen.Options
	settings []string
	values   []string // settings of the values
	envFile  string
	bucket   string
	dir      string
	from, to string
	mix      string
	faults   []string
	truth    string
	dataset  string
	output   string
}

func generateCommand() command {
	return command{
		name: "generate", line: "write an archive of Kafka events with planted faults, and the truth about it",
		usage: " --seed N --events N --from DATE --to DATE [flags]",
		teaches: `
Writes payroll events as a Kafka Connect S3 sink archives them, below s3://archive of the running sandbox or into a
local folder, with duplicates, late records, superseded versions, malformed lines and whatever else an archive holds
after some years. The truth file says how each record must end and what every day must add up to, to the cent. The
same flags give the same bytes.

  sandbox generate --seed 1 --events 100000 --from 2026-10-01 --to 2026-11-01 --zone America/Los_Angeles \
      --truth truth.json --dataset payroll.yaml
  sandbox generate --seed 2 --events 5000 --from 2026-10-01 --to 2026-11-01 --dir ./archive \
      --faults none --fault damaged_objects=1 --fault offset_gaps=2

--faults default plants what a reader must cope with, so that a correct run reconciles; an unexplained gap or a damaged
object must be asked for. --fault NAME=VALUE changes one of them; the names are:
` + indent(strings.Join(faultNames(), ", ")) + `
Counts are numbers of records or objects, shares lie between 0 and 1. An archive is never written over another one.

--layout writes the same events as other archivers and formats do; faults that a layout can't show are left out of the
default mix, and refused where --fault asks for them. --setting NAME=VALUE sets the archiver as its own manual does:

  sandbox generate --seed 1 --events 5000 --from 2026-10-25 --to 2026-11-08 --zone America/New_York --truth truth.json \
      --dir ./archive --layout confluent-hourly --setting timestamp.extractor=Wallclock --setting store.kafka.keys=true

` + layoutHelp() + `

--values SHAPE writes what the events are as other producers do, in layouts that can hold it; --value-setting NAME=VALUE
sets the producer. Schemas of framed values are exported beside the archive, below <prefix>.schemas, and the dataset
reads them there. The shapes are plain and:
` + valueHelp(),
		bind: bindGenerate,
	}
}

func bindGenerate(flags *pflag.FlagSet) func(context.Context, process, []string) error {
	var o generateOptions
	flags.Uint64Var(&o.archive.Seed, "seed", 0, "seed of everything random (required)")
	flags.IntVar(&o.archive.Events, "events", 0, "payment events in the window, before planted ones (required)")
	flags.StringVar(&o.from, "from", "", "start of the window: a date, midnight in --zone (required)")
	flags.StringVar(&o.to, "to", "", "end of the window, exclusive: a date (required)")
	flags.StringVar(&o.archive.Zone, "zone", "UTC", "calendar zone of the window and of its days")
	flags.IntVar(&o.archive.DaysAround, "days-around", 3, "days before and after the window that are generated too; -1: none")
	flags.StringVar(&o.archive.Prefix, "prefix", "topics", "first part of the keys")
	flags.StringVar(&o.archive.Topic, "topic", "payroll.events", "Kafka topic")
	flags.IntVar(&o.archive.Partitions, "partitions", 6, "Kafka partitions")
	flags.StringVar(&o.archive.Codec, "codec", "", "none, gzip, zstd or mixed (default: gzip; with --layout: what its archiver does)")
	flags.StringVar(&o.archive.Layout, "layout", "", "archiver, keys and format (default: Confluent, default partitioner, JSON lines, where every fault can be planted)")
	flags.StringArrayVar(&o.settings, "setting", nil, "a setting of the layout's archiver, as NAME=VALUE; may be repeated")
	flags.StringVar(&o.archive.Values, "values", archivegen.ValuesPlain, "what producers make of the events; other shapes than plain need --layout")
	flags.StringArrayVar(&o.values, "value-setting", nil, "a setting of the producer, as NAME=VALUE; may be repeated")
	flags.BoolVar(&o.archive.BodyOffsets, "body-offsets", false, "put partition, offset and timestamp into each event, as a transform in Connect can")
	flags.IntVar(&o.archive.EventsPerObject, "events-per-object", 20_000, "events per object")
	flags.StringVar(&o.mix, "faults", "default", "what to begin with: default or none")
	flags.StringArrayVar(&o.faults, "fault", nil, "one fault, as NAME=VALUE; may be repeated")
	flags.IntVar(&o.archive.Parallel, "parallel", 0, "objects written at a time (default: one per processor)")
	flags.StringVar(&o.envFile, "env-file", "", "file that sandbox serve wrote (default: the environment)")
	flags.StringVar(&o.bucket, "bucket", archiveBucket, "bucket of the sandbox to write to")
	flags.StringVar(&o.dir, "dir", "", "local folder to write to instead")
	flags.StringVar(&o.truth, "truth", "", "file for the truth, as JSON (required)")
	flags.StringVar(&o.dataset, "dataset", "", "file for the dataset that reads this archive, as YAML")
	flags.StringVar(&o.output, "output", "text", "form of the summary: text or json")
	return func(ctx context.Context, p process, args []string) error {
		if len(args) > 0 {
			return usagef("generate takes no arguments, got %q", args[0])
		}
		for _, name := range []string{"seed", "events", "from", "to", "truth"} {
			if !flags.Changed(name) {
				return usagef("generate needs --%s", name)
			}
		}
		if err := o.complete(); err != nil {
			return err
		}
		return generate(ctx, p, o)
	}
}

// complete turns the texts of flags into options.
func (o *generateOptions) complete() error {
	zone, err := time.LoadLocation(o.archive.Zone)
	if err != nil {
		return usagef("--zone %s is not a time zone: name one like America/Los_Angeles", o.archive.Zone)
	}
	if o.archive.From, err = parseDay("from", o.from, zone); err != nil {
		return err
	}
	if o.archive.To, err = parseDay("to", o.to, zone); err != nil {
		return err
	}
	if !o.archive.From.Before(o.archive.To) {
		return usagef("--from %s must be before --to %s", o.from, o.to)
	}
	if o.archive.Parallel < 0 || o.archive.Parallel > maxParallel {
		return usagef("--parallel must be between 0 and %d, got %d", maxParallel, o.archive.Parallel)
	}
	if o.output != "text" && o.output != "json" {
		return usagef("--output is text or json, got %q", o.output)
	}
	if o.dir != "" && o.envFile != "" {
		return usagef("--dir and --env-file exclude each other: a local folder needs no sandbox")
	}
	if o.archive.Faults, err = parseFaults(o.mix, o.faults); err != nil {
		return err
	}
	return o.chooseLayout()
}

// chooseLayout reads the settings of the layout, and leaves out of the default mix what it can't show.
func (o *generateOptions) chooseLayout() error {
	var err error
	if o.archive.Settings, err = o.readSettings("setting", o.settings); err != nil {
		return err
	}
	if o.archive.ValueSettings, err = o.readSettings("value-setting", o.values); err != nil {
		return err
	}
	if o.archive.Values != archivegen.ValuesPlain && o.archive.Layout == "" {
		return usagef("--values %s needs --layout", o.archive.Values)
	}
	cannot, err := archivegen.Impossible(o.archive)
	if err != nil {
		return usagef("--layout: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(cannot)) {
		asked := slices.ContainsFunc(o.faults, func(f string) bool { return strings.HasPrefix(f, name+"=") })
		if !asked {
			o.archive.LeaveOut = append(o.archive.LeaveOut, name)
		}
	}
	return nil
}

// parseDay reads a date as midnight in zone, or an instant.
func parseDay(flag, text string, zone *time.Location) (time.Time, error) {
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("--%s %q is neither a date like 2026-10-01 nor an instant like 2026-10-01T07:00:00Z", flag, text)
	}
	return t, nil
}

// parseFaults begins with a mix and changes single faults, which go by their names in the truth file.
func parseFaults(mix string, changes []string) (archivegen.Faults, error) {
	var faults archivegen.Faults
	switch mix {
	case "default":
		faults = archivegen.DefaultFaults()
	case "none":
	default:
		return faults, usagef("--faults is default or none, got %q", mix)
	}
	for _, change := range changes {
		name, value, ok := strings.Cut(change, "=")
		if !ok {
			return faults, usagef("--fault %q is not of the form NAME=VALUE", change)
		}
		if !slices.Contains(faultNames(), name) {
			return faults, usagef("--fault %s: there is no such fault; there are %s", name, strings.Join(faultNames(), ", "))
		}
		_, err := strconv.ParseFloat(value, 64) // nothing but a number may go into the JSON below
		if err == nil {
			err = json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", name, value), &faults)
		}
		if err != nil {
			return faults, usagef("--fault %s=%s: the value does not fit (a count is a whole number, a share lies between 0 and 1)", name, value)
		}
	}
	return faults, nil
}

// faultNames lists the faults there are, in alphabetical order.
func faultNames() []string {
	text, err := json.Marshal(archivegen.Faults{})
	if err != nil {
		return nil // numbers alone always encode
	}
	var values map[string]float64
	if err := json.Unmarshal(text, &values); err != nil {
		return nil // as above
	}
	return slices.Sorted(maps.Keys(values))
}

func generate(ctx context.Context, p process, o generateOptions) error {
	to, err := openSink(p, o)
	if err != nil {
		return err
	}
	prefix, err := archivegen.Root(o.archive)
	if err != nil {
		return err
	}
	if prefix != "" {
		prefix += "/"
	}
	empty, err := to.Empty(ctx, prefix)
	if err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%s/%s already holds objects, and two archives in one place would make the truth wrong: choose another --prefix or --topic", to.URI(), prefix)
	}
	truth, err := archivegen.Generate(ctx, o.archive, to)
	if err != nil {
		return fmt.Errorf("generating the archive: %w", err)
	}
	var text bytes.Buffer
	if err := archivegen.WriteTruth(&text, truth); err != nil {
		return fmt.Errorf("encoding the truth: %w", err)
	}
	if err := writeFile(o.truth, text.Bytes(), 0o644); err != nil {
		return err
	}
	if o.dataset != "" {
		filled := strings.NewReplacer("{{archive}}", to.URI(), "{{staging}}", stagingURI(o)).Replace(archivegen.DatasetYAML(o.archive))
		if err := writeFile(o.dataset, []byte(filled), 0o644); err != nil {
			return err
		}
	}
	return writeSummary(p.stdout, o, to.URI()+"/"+prefix, truth)
}

func openSink(p process, o generateOptions) (sink, error) {
	if o.dir != "" {
		return newDirSink(o.dir)
	}
	env, err := openEnvironment(o.envFile, p.getenv)
	if err != nil {
		return nil, err
	}
	return newS3Sink(env, o.bucket)
}

// stagingURI puts the staging of a local archive beside it.
func stagingURI(o generateOptions) string {
	if o.dir != "" {
		d, err := newDirSink(o.dir)
		if err == nil {
			return d.URI() + "-staging"
		}
	}
	return "s3://" + stagingBucket + "/backfill"
}

// summary is what generate prints.
type summary struct {
	Archive string                         `json:"archive"`
	Truth   string                         `json:"truth"`
	Dataset string                         `json:"dataset,omitempty"`
	Objects int                            `json:"objects"`
	Bytes   int64                          `json:"bytes"`
	Records int64                          `json:"records"`
	Rows    int64                          `json:"rows"`       // that a correct conversion makes
	Table   int64                          `json:"table_rows"` // that remain when versions are superseded
	Planted map[archivegen.FaultKind]int64 `json:"planted"`
}

func writeSummary(w io.Writer, o generateOptions, uri string, t archivegen.Truth) error {
	s := summary{
		Archive: uri, Truth: o.truth, Dataset: o.dataset, Objects: len(t.Objects),
		Records: t.Dispositions.RecordsRead, Rows: t.Dispositions.Rows, Table: t.TableRows, Planted: t.PlantedCounts,
	}
	for _, object := range t.Objects {
		s.Bytes += object.Bytes
	}
	if o.output == "json" {
		return json.NewEncoder(w).Encode(s)
	}
	fmt.Fprintf(w, "%s\n  %d objects, %.1f MiB, %d readable records\n  %d rows in the window, %d after superseded versions\n",
		s.Archive, s.Objects, float64(s.Bytes)/(1<<20), s.Records, s.Rows, s.Table)
	fmt.Fprintln(w, "planted")
	for _, name := range slices.Sorted(maps.Keys(s.Planted)) {
		if n := s.Planted[name]; n > 0 {
			fmt.Fprintf(w, "  %-20s %d\n", name, n)
		}
	}
	fmt.Fprintf(w, "truth    %s\n", s.Truth)
	if s.Dataset != "" {
		fmt.Fprintf(w, "dataset  %s\n", s.Dataset)
	}
	return nil
}

// indent breaks a list into lines for --help.
func indent(text string) string {
	const width = 110
	var b strings.Builder
	used := 0
	for word := range strings.FieldsSeq(text) {
		if used == 0 || used+1+len(word) > width {
			if used > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(" ")
			used = 1
		}
		b.WriteString(" " + word)
		used += 1 + len(word)
	}
	return b.String()
}
