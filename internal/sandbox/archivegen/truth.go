package archivegen

import (
	"encoding/json"
	"fmt"
	"io"

	"backfill/internal/sandbox/archiver"
)

// Truth says what an archive holds and how each of its records must end, for the window of its Options
// and the dataset of DatasetYAML. Records of damaged objects count only in Objects: nobody can read them.
// Money is exact, as decimal text with two decimals.
type Truth struct {
	Seed    uint64  `json:"seed"`
	Options Options `json:"options"` // defaults filled in

	// Identity says what proves the offsets of this archive; empty for the default layout, whose are derived, or
	// in the body with BodyOffsets. Where it is unproven, records archived twice are rows twice, of which one is
	// superseded.
	Identity archiver.Identity `json:"identity,omitempty"`

	Dispositions Dispositions `json:"dispositions"`

	// Superseded counts the rows that lose to another version of their key; what remains are the rows of
	// the table.
	Superseded int64 `json:"superseded"`
	TableRows  int64 `json:"table_rows"`

	FilteredTypes   map[string]int64    `json:"filtered_types"`     // records in the window by type
	OutOfWindowDays map[string]int64    `json:"out_of_window_days"` // records by event day in Zone
	Totals          []Total             `json:"totals"`             // by currency
	Days            []Total             `json:"days"`               // by event day in Zone and currency, days without rows left out
	Partitions      []PartitionTruth    `json:"partitions"`
	Objects         []ObjectTruth       `json:"objects"`
	PlantedCounts   map[FaultKind]int64 `json:"planted_counts"` // copies of planted records not counted
	Planted         []Planted           `json:"planted"`        // in the order of Objects and rows
}

// Dispositions is the ladder: each record of each readable object, copies included, counts in the first
// class that fits. RecordsRead is their sum.
type Dispositions struct {
	RecordsRead     int64 `json:"records_read"`
	Unreadable      int64 `json:"unreadable"`
	Tombstone       int64 `json:"tombstone"`
	Undatable       int64 `json:"undatable"`
	OutOfWindow     int64 `json:"out_of_window"`
	Filtered        int64 `json:"filtered"`
	Suppressed      int64 `json:"suppressed"` // always 0: nobody is erased
	Rejected        int64 `json:"rejected"`
	DuplicateOffset int64 `json:"duplicate_offset"` // would be a row a second time
	Rows            int64 `json:"rows"`
}

// Total is money of one currency, of one day or of the window: of all rows, and of the rows left when the
// latest version of each key won.
type Total struct {
	Day      string `json:"day,omitempty"` // 2006-01-02
	Currency string `json:"currency"`
	Before   Money  `json:"before"`
	After    Money  `json:"after"`
}

// Money is a number of rows and the exact sums of their amounts; null amounts add nothing.
type Money struct {
	Rows  int64  `json:"rows"`
	Gross string `json:"gross_amount"`
	Tax   string `json:"tax_amount"`
	Net   string `json:"net_amount"`
}

// OffsetRange is inclusive at both ends.
type OffsetRange struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// PartitionTruth describes the log of one partition. First and last offset cover damaged objects too;
// in a partition without objects, the last is the first less one.
type PartitionTruth struct {
	Topic       string        `json:"topic"`
	Partition   int           `json:"partition"`
	Objects     int64         `json:"objects"` // copies and damaged ones included
	Records     int64         `json:"records"` // of readable objects, copies included
	FirstOffset int64         `json:"first_offset"`
	LastOffset  int64         `json:"last_offset"`
	Gaps        []OffsetRange `json:"gaps"`    // offsets that no object holds
	Damaged     []OffsetRange `json:"damaged"` // offsets that only damaged objects hold
}

// ObjectTruth describes one object.
type ObjectTruth struct {
	Key          string       `json:"key"`
	Partition    int          `json:"partition"`
	FirstOffset  int64        `json:"first_offset"`
	Records      int64        `json:"records"`
	Repeated     int64        `json:"repeated"`       // of them those that objects before hold too; in the default layout its first
	Bytes        int64        `json:"bytes"`          // as stored
	Codec        string       `json:"codec"`          // of the bytes, whatever the name says
	Members      int          `json:"members"`        // gzip members or zstd frames
	Side         bool         `json:"side,omitempty"` // it holds keys or headers of the records of another object
	Copy         bool         `json:"copy"`           // another object has the same content
	Damaged      bool         `json:"damaged"`        // then the counts are what the good object would have held
	Dispositions Dispositions `json:"dispositions"`
}

// Planted is one planted fault and where it lies: a record, an object, or a range of missing offsets.
type Planted struct {
	Kind    FaultKind `json:"kind"`
	Key     string    `json:"key"`     // of a gap: the object behind it
	Row     int64     `json:"row"`     // in the object, from 0; of an object or a gap: 0
	Offset  int64     `json:"offset"`  // of the record, of the object's first record, or the first missing one
	Records int64     `json:"records"` // records or offsets concerned
	EventID string    `json:"event_id,omitempty"`
	Copy    bool      `json:"copy,omitempty"` // a planted record once more, in a repeated or copied part
	Detail  string    `json:"detail,omitempty"`
}

// WriteTruth writes t as indented JSON.
func WriteTruth(w io.Writer, t Truth) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t); err != nil {
		return fmt.Errorf("writing the truth: %w", err)
	}
	return nil
}

// newTruth returns the truth but for partitions and objects.
func newTruth(l *layout, total *tally) Truth {
	o := l.o
	o.Parallel = 0
	t := Truth{
		Seed: o.Seed, Options: o, Dispositions: ladder(total.counts), PlantedCounts: l.planted,
		FilteredTypes: make(map[string]int64), OutOfWindowDays: total.far,
		Totals: []Total{}, Days: []Total{}, Planted: []Planted{},
	}
	for k, n := range total.filtered {
		if n > 0 {
			t.FilteredTypes[kindNames[k]] = n
		}
	}
	for i, n := range total.around {
		if n > 0 {
			t.OutOfWindowDays[l.cal.days[i].name] += n
		}
	}
	t.addTotals(l, total)
	return t
}

func (t *Truth) addTotals(l *layout, total *tally) {
	sums := make([][2]money, len(currencies))
	for i, d := range l.cal.days {
		for c, currency := range currencies {
			all, older := &total.rows[i*len(currencies)+c], &total.older[i*len(currencies)+c]
			if all.rows == 0 {
				continue
			}
			t.Days = append(t.Days, newTotal(d.name, currency, all, older))
			sums[c][0].merge(all)
			sums[c][1].merge(older)
			t.Superseded += older.rows
		}
	}
	for c, currency := range currencies {
		if sums[c][0].rows > 0 {
			t.Totals = append(t.Totals, newTotal("", currency, &sums[c][0], &sums[c][1]))
		}
	}
	t.TableRows = t.Dispositions.Rows - t.Superseded
}

func newTotal(day, currency string, all, older *money) Total {
	text := func(m money) Money {
		return Money{Rows: m.rows, Gross: m.gross.decimal(), Tax: m.tax.decimal(), Net: m.net.decimal()}
	}
	return Total{Day: day, Currency: currency, Before: text(*all), After: text(all.less(*older))}
}

// addPartitions lists the partitions, each without objects.
func (t *Truth) addPartitions(l *layout) {
	for i := range l.parts {
		p := &l.parts[i]
		t.Partitions = append(t.Partitions, PartitionTruth{
			Topic: l.o.Topic, Partition: p.number, FirstOffset: p.offset, LastOffset: p.offset - 1,
			Gaps: []OffsetRange{}, Damaged: []OffsetRange{},
		})
	}
}

// addObjects lists the objects, what they say about partitions, and the faults, each object's own first.
func (t *Truth) addObjects(l *layout, objects []written) {
	t.addPartitions(l)
	for i := range l.objects {
		ob, w := &l.objects[i], &objects[i]
		p, part := &t.Partitions[ob.part], &l.parts[ob.part]
		key, last := l.key(ob), ob.start+w.records-1
		repeated := records(part, ob.again, ob.from)
		t.Objects = append(t.Objects, ObjectTruth{
			Key: key, Partition: p.Partition, FirstOffset: ob.start, Records: w.records, Repeated: repeated,
			Bytes: w.bytes, Codec: ob.codec, Members: ob.members, Copy: ob.copy, Damaged: ob.damaged,
			Dispositions: ladder(w.counts),
		})
		p.Objects++
		p.LastOffset = max(p.LastOffset, last)
		if ob.damaged {
			p.Damaged = append(p.Damaged, OffsetRange{First: ob.start, Last: last})
		} else {
			p.Records += w.records
		}
		plant := func(on bool, kind FaultKind, offset, n int64, detail string) {
			if on {
				t.Planted = append(t.Planted, Planted{Kind: kind, Key: key, Offset: offset, Records: n, Detail: detail})
			}
		}
		if ob.gap > 0 {
			p.Gaps = append(p.Gaps, OffsetRange{First: ob.start - ob.gap, Last: ob.start - 1})
		}
		plant(ob.gap > 0, OffsetGap, ob.start-ob.gap, ob.gap, "")
		plant(ob.copy, DuplicateObject, ob.start, w.records, "the bytes are "+ob.codec)
		plant(repeated > 0 && !ob.copy, OverlapObject, ob.start, repeated, "")
		plant(ob.damaged, DamagedObject, ob.start, w.records, "cut after half of its bytes")
		plant(ob.unended && !ob.copy, NoFinalNewline, ob.start, w.records, "")
		t.Planted = append(t.Planted, w.planted...)
	}
}

func ladder(c [dispositions]int64) Dispositions {
	d := Dispositions{
		Unreadable: c[unreadable], Tombstone: c[tombstone], Undatable: c[undatable], OutOfWindow: c[outOfWindow],
		Filtered: c[filtered], Suppressed: c[suppressed], Rejected: c[rejected],
		DuplicateOffset: c[duplicateOffset], Rows: c[row],
	}
	for _, n := range c {
		d.RecordsRead += n
	}
	return d
}
