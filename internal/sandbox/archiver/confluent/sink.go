package confluent

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backfill/internal/sandbox/archiver"
)

const (
	nullsFail   = "fail"
	nullsIgnore = "ignore"
	nullsWrite  = "write"
)

const padLimit = 30

// sink is a connector's configuration, read and checked.
type sink struct {
	topic, dir          string
	dirDelim, fileDelim string
	pad                 int
	flush               int
	rotate, schedule    int64 // milliseconds; 0: off
	noClobber           bool
	folders             partitioner
	values              format
	keys, headers       *format // nil: not stored
	nulls, tombFolder   string
	body                bool
}

// reader reads settings and keeps what is wrong with them.
type reader struct {
	settings archiver.Settings
	wrong    []string
}

func (r *reader) check(ok bool, text string, args ...any) {
	if !ok {
		r.wrong = append(r.wrong, fmt.Sprintf(text, args...))
	}
}

func (r *reader) choice(name string, choices ...string) string {
	v := r.settings[name]
	r.check(slices.Contains(choices, v), "%s is %q: want %s", name, v, strings.Join(choices, ", "))
	return v
}

func (r *reader) number(name string, least, most int64) int64 {
	n, err := strconv.ParseInt(r.settings[name], 10, 64)
	r.check(err == nil && n >= least && n <= most, "%s is %q: want %d to %d", name, r.settings[name], least, most)
	return n
}

func (r *reader) yes(name string) bool { return r.choice(name, "true", "false") == "true" }

// open reads a configuration.
func open(c archiver.Config) (archiver.Archiver, error) {
	r := &reader{settings: c.Settings}
	s := &sink{
		topic: c.Topic, dir: c.Settings[setDir], dirDelim: c.Settings[setDirDelim], fileDelim: c.Settings[setFileDelim],
		pad: int(r.number(setPad, 0, padLimit)), rotate: max(0, r.number(setRotate, -1, 1<<50)),
		schedule: max(0, r.number(setSchedule, -1, 1<<50)), noClobber: r.yes(setNoClobber),
		nulls: r.choice(setNulls, nullsFail, nullsIgnore, nullsWrite), tombFolder: c.Settings[setTombFolder],
		body: c.BodyOffsets, flush: c.Size,
	}
	if s.dir == defaults[setDir] {
		s.dir = c.Prefix
	}
	if c.Settings[setFlush] != "" {
		s.flush = int(r.number(setFlush, 1, 1<<31-1))
	}
	r.check(s.dirDelim != "" && s.fileDelim != "", "%s and %s must not be blank", setDirDelim, setFileDelim)
	r.check(s.tombFolder != "", "%s must not be blank", setTombFolder)
	s.folders = readPartitioner(r, s.dirDelim)
	s.values = readFormat(r, setFormat, c)
	if r.yes(setKeys) {
		f := readFormat(r, setKeyForm, c)
		s.keys = &f
	}
	if r.yes(setHeaders) {
		f := readFormat(r, setHeadForm, c)
		r.check(f.class != formatBytes, "%s does not store headers: choose another %s", formatBytes, setHeadForm)
		s.headers = &f
	}
	r.check(s.nulls != nullsWrite || s.keys != nil, "%s write needs %s: a tombstone is archived by its key alone", setNulls, setKeys)
	r.check(s.rotate == 0 || s.folders.timed(), "%s needs a partitioner by time", setRotate)
	if len(r.wrong) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(r.wrong, "; "))
	}
	return s, nil
}

// root is the folder that holds the topic's objects, "" where the delimiter makes no folders.
func (s *sink) root() string {
	if s.dirDelim != "/" {
		return ""
	}
	if s.dir == "" {
		return s.topic
	}
	return s.dir + "/" + s.topic
}

// Facts says what survives: the folder names the partition only with the default partitioner, and only there
// do the rows of a file have consecutive offsets.
func (s *sink) Facts() archiver.Facts {
	f := archiver.Facts{Identity: archiver.Derived, Root: s.root(), Archive: s.layoutLines(), Records: []string{"envelope: none"}, Cannot: s.cannot()}
	if s.folders.class != classDefault {
		f.Identity = archiver.Unproven
	}
	if s.body {
		f.Identity = archiver.Body
	}
	if s.values.class == formatBytes && s.values.separator != "\n" {
		f.Records = append(f.Records, "unpack: text")
	}
	switch {
	case s.values.typed():
		f.Fixed = s.values.class + " holds values of its schema"
	case s.folders.reads():
		f.Fixed = "the partitioner reads fields of the value"
	default:
		f.Bytes = true
	}
	if s.headers != nil {
		f.Headers = "envelope.headers"
	}
	if s.nulls == nullsIgnore {
		f.Lost = func(r archiver.Record) bool { return r.Value == nil }
	}
	return f
}

func (s *sink) layoutLines() []string {
	var lines []string
	if s.dirDelim == "/" && s.fileDelim == "+" {
		lines = append(lines, "layout: confluent")
	} else {
		lines = append(lines, fmt.Sprintf("layout: {confluent: {directory_delim: %q, file_delim: %q}}", s.dirDelim, s.fileDelim))
	}
	if s.values.class == formatBytes && s.values.separator != "\n" {
		lines = append(lines, fmt.Sprintf("format: {bytes: {delimiter: %q}}", s.values.separator))
	} else {
		lines = append(lines, "format: auto")
	}
	var sides []string
	if s.keys != nil {
		sides = append(sides, "keys")
	}
	if s.headers != nil {
		sides = append(sides, "headers")
	}
	if s.nulls == nullsWrite {
		sides = append(sides, "tombstones")
	}
	if sides != nil {
		lines = append(lines, "join: ["+strings.Join(sides, ", ")+"]")
	}
	return append(lines, s.folders.lines()...)
}

// cannot lists the faults that this configuration can't show.
func (s *sink) cannot() map[string]string {
	c := map[string]string{
		"null_tail":        "the connector writes no null lines",
		"no_final_newline": "the connector ends each line",
		"multi_member":     "the connector compresses an object in one piece",
	}
	if s.nulls == nullsFail {
		c["tombstones"] = "with " + setNulls + " fail a task stops at the first null value"
	}
	if s.values.typed() {
		c["malformed_json"] = s.values.class + " holds values of a schema"
		c["bad_values"] = s.values.class + " holds values of a schema, and these do not fit it"
	}
	if s.folders.class != classDefault && s.folders.reads() {
		c["malformed_json"] = "the partitioner reads a field of the value, and the task stops where it can't"
	}
	if s.folders.timed() && s.folders.clock != clockWallclock {
		c["undatable"] = "the extractor " + s.folders.clock + " stops the task where there is no time"
	}
	if s.folders.class == classField {
		c["bad_values"] = "the partitioner reads fields, and the task stops where one is of the wrong type"
	}
	if !s.values.checked() {
		c["damaged_objects"] = "half of an uncompressed object reads well"
	}
	if !s.overlaps() {
		c["overlap_objects"] = "with these settings a retry writes the same objects again; overlaps need " + setSchedule + " with conditional writes and no side files, or several folders"
	}
	return c
}

// stepsAside reports that a retry finds the old object in its way and writes from the next offset on.
func (s *sink) stepsAside() bool {
	return s.schedule > 0 && s.noClobber && s.keys == nil && s.headers == nil
}

// overlaps reports whether retries of this configuration can write objects that overlap others.
func (s *sink) overlaps() bool { return s.stepsAside() || s.folders.class != classDefault }
