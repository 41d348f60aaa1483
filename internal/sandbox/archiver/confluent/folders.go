package confluent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"backfill/internal/sandbox/archiver"
)

// Partitioners and clocks, by the last part of their class names.
const (
	classDefault = "DefaultPartitioner"
	classTime    = "TimeBasedPartitioner"
	classHourly  = "HourlyPartitioner"
	classDaily   = "DailyPartitioner"
	classField   = "FieldPartitioner"

	clockWallclock = "Wallclock"
	clockRecord    = "Record"
	clockField     = "RecordField"

	hourlyPath = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"
	dailyPath  = "'year'=YYYY/'month'=MM/'day'=dd"

	hourMillis = 3_600_000
	dayMillis  = 24 * hourMillis
)

// partitioner names the folder of a record.
type partitioner struct {
	class    string
	clock    string
	path     []token
	pathText string
	duration int64
	zone     *time.Location
	fields   []string
	delim    string
}

// token is a piece of a Joda pattern: a letter so many times, or a text.
type token struct {
	letter byte
	n      int
	text   string
}

func readPartitioner(r *reader, delim string) partitioner {
	p := partitioner{
		class: r.choice(setClass, classDefault, classTime, classHourly, classDaily, classField),
		clock: r.choice(setExtractor, clockWallclock, clockRecord, clockField), delim: delim,
		pathText: r.settings[setPath], duration: r.number(setDuration, 1, 366*dayMillis),
	}
	switch p.class {
	case classHourly:
		p.pathText, p.duration = hourlyPath, hourMillis
	case classDaily:
		p.pathText, p.duration = dailyPath, dayMillis
	case classField:
		p.fields = strings.Split(r.settings[setFields], ",")
		for _, f := range p.fields {
			known := f == "company_id" || f == "currency" || f == "type" || f == "version"
			r.check(known, "%s is %q: events have company_id, currency, type and version", setFields, f)
		}
	}
	r.choice(setLocale, "en-US", "en")
	r.choice(setTimeField, "occurred_at")
	var err error
	p.zone, err = time.LoadLocation(r.settings[setZone])
	r.check(err == nil, "%s is %q: want an IANA name", setZone, r.settings[setZone])
	p.path, err = parseJoda(p.pathText)
	r.check(err == nil, "%s: %v", setPath, err)
	return p
}

func (p *partitioner) timed() bool {
	return p.class == classTime || p.class == classHourly || p.class == classDaily
}

// reads reports that the value decides the folder.
func (p *partitioner) reads() bool {
	return p.class == classField || p.timed() && p.clock == clockField
}

// lines are those of the dataset's archive section.
func (p *partitioner) lines() []string {
	if !p.timed() || p.delim != "/" {
		return nil
	}
	clock := map[string]string{clockWallclock: "wallclock", clockRecord: "record", clockField: "event"}[p.clock]
	line := fmt.Sprintf("folder_time: {clock: %s, zone: %s", clock, p.zone)
	if p.pathText != hourlyPath {
		line += fmt.Sprintf(", path: %q", p.pathText)
	}
	if p.duration != hourMillis && p.duration != dayMillis {
		line += fmt.Sprintf(", duration: %s", time.Duration(p.duration)*time.Millisecond)
	}
	return []string{line + "}"}
}

// parseJoda reads a pattern of Joda-Time: y or Y, M, d, H, h, m and texts.
func parseJoda(pattern string) ([]token, error) {
	var out []token
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("%q has an open quote", pattern)
			}
			out = append(out, token{text: pattern[i+1 : i+1+end]})
			i += end + 2
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if !strings.ContainsRune("yYMdHhm", rune(c)) || c == 'M' && n > 2 {
				return nil, fmt.Errorf("%q is not modelled: use y, Y, M, MM, d, H, h, m and quoted text", pattern[i:i+n])
			}
			out = append(out, token{letter: c, n: n})
			i += n
		default:
			out = append(out, token{text: string(c)})
			i++
		}
	}
	return out, nil
}

// millis returns the record's time by the extractor; now is the connector's clock.
func (p *partitioner) millis(r *archiver.Record, now int64) (int64, error) {
	switch {
	case p.clock == clockWallclock:
		return now, nil
	case p.clock == clockRecord && r.Timestamp >= 0:
		return r.Timestamp, nil
	case p.clock == clockField && r.HasEvent:
		return floorDiv(r.Event, 1000), nil
	}
	return 0, fmt.Errorf("the record at offset %d has no time for the extractor %s", r.Offset, p.clock)
}

// folder returns the encoded partition of a record.
func (p *partitioner) folder(r *archiver.Record, now int64) (string, error) {
	switch {
	case p.class == classDefault:
		return fmt.Sprintf("partition=%d", r.Partition), nil
	case p.class == classField:
		return p.byFields(r)
	}
	at, err := p.millis(r, now)
	if err != nil {
		return "", err
	}
	// The local clock is floored, so that the two hours that clocks repeat share a folder.
	_, offset := time.UnixMilli(at).In(p.zone).Zone()
	local := at + int64(offset)*1000
	local = floorDiv(local, p.duration) * p.duration
	return render(p.path, time.UnixMilli(local).UTC()), nil
}

func render(path []token, t time.Time) string {
	var b strings.Builder
	for _, k := range path {
		n := 0
		switch k.letter {
		case 'y', 'Y':
			n = t.Year()
			if k.n == 2 {
				n %= 100
			}
		case 'M':
			n = int(t.Month())
		case 'd':
			n = t.Day()
		case 'H':
			n = t.Hour()
		case 'h':
			n = (t.Hour()+11)%12 + 1
		case 'm':
			n = t.Minute()
		default:
			b.WriteString(k.text)
			continue
		}
		fmt.Fprintf(&b, "%0*d", k.n, n)
	}
	return b.String()
}

// byFields renders <field>=<value>, unescaped. A field that is absent is null, as a schema with nullable
// fields has it.
func (p *partitioner) byFields(r *archiver.Record) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(r.Value))
	dec.UseNumber()
	var value map[string]any
	if err := dec.Decode(&value); err != nil {
		return "", fmt.Errorf("partitioning the record at offset %d: %w", r.Offset, err)
	}
	parts := make([]string, len(p.fields))
	for i, field := range p.fields {
		switch v := value[field].(type) {
		case nil:
			parts[i] = field + "=null"
		case string, json.Number, bool:
			parts[i] = fmt.Sprintf("%s=%v", field, v)
		default:
			return "", fmt.Errorf("partitioning the record at offset %d: %s is a %T", r.Offset, field, v)
		}
	}
	return strings.Join(parts, p.delim), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
