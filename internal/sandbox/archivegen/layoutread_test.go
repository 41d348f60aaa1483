package archivegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro/ocf"
)

// seen is what the slow reader takes from one archived event, whatever its format: the texts of its fields by
// path, amounts as plain decimals; absent and null ones are not there.
type seen map[string]string

var seenPaths = []string{
	"event_id", "type", "occurred_at", "version", "company_id", "currency", "gross_amount", "tax_amount", "net_amount",
	"_kafka.partition", "_kafka.offset", "_kafka.timestamp",
}

// readEvents reads the values of an object by its bytes alone. Lines that are no JSON are nil.
func readEvents(t *testing.T, key string, body []byte, separator string) []seen {
	t.Helper()
	var out []seen
	var err error
	switch {
	case bytes.HasPrefix(body, []byte("Obj\x01")):
		out, err = readAvro(body)
	case bytes.HasPrefix(body, []byte("PAR1")):
		out, err = readParquet(body)
	default:
		if body, err = unpack(body); err != nil {
			break
		}
		text, ok := strings.CutSuffix(string(body), separator)
		if !ok {
			t.Fatalf("%s: the last record is not terminated", key)
		}
		for line := range strings.SplitSeq(text, separator) {
			out = append(out, readLine(line))
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return out
}

func readLine(line string) seen {
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil || dec.More() {
		return nil
	}
	return flatten(v)
}

// flatten takes the fields of seenPaths from nested maps.
func flatten(v map[string]any) seen {
	out := seen{}
	for _, path := range seenPaths {
		at := any(v)
		for step := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			at = m[step]
		}
		if at != nil {
			out[path] = spelled(path, at)
		}
	}
	return out
}

func spelled(path string, v any) string {
	text := fmt.Sprint(v)
	switch v := v.(type) {
	case *big.Rat:
		return v.FloatString(2)
	case big.Rat:
		return v.FloatString(2)
	}
	if strings.HasSuffix(path, "_amount") {
		if r, ok := new(big.Rat).SetString(text); ok {
			return r.FloatString(2)
		}
	}
	return text
}

func readAvro(body []byte) ([]seen, error) {
	r, err := ocf.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var out []seen
	for {
		var v any
		if err := r.Decode(&v); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a datum is a %T", v)
		}
		out = append(out, flatten(m))
	}
}

func readParquet(body []byte) ([]seen, error) {
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	var out []seen
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 1)
		for {
			n, err := rows.ReadRows(buffer)
			if n == 1 {
				out = append(out, readParquetRow(f.Schema(), buffer[0]))
			}
			if err == io.EOF || n == 0 {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parquetText(path string, v parquet.Value) string {
	if !strings.HasSuffix(path, "_amount") {
		return v.String()
	}
	b := v.ByteArray()
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return new(big.Rat).SetFrac(n, big.NewInt(100)).FloatString(2)
}

func readParquetRow(schema *parquet.Schema, row parquet.Row) seen {
	out := seen{}
	for _, path := range seenPaths {
		leaf, ok := schema.Lookup(strings.Split(path, ".")...)
		if !ok {
			continue
		}
		for _, v := range row {
			if v.Column() == leaf.ColumnIndex && !v.IsNull() {
				out[path] = parquetText(path, v)
			}
		}
	}
	return out
}

// confluentKey matches base names of the default delimiters and of confluent-delims.
var confluentKey = regexp.MustCompile(`^(?:.*[/_])?payroll\.events[+~](\d+)[+~](\d+)(\.keys|\.headers)?(\.[a-z0-9.]+)$`)

// TestConfluentReadsBack reads each layout with the slow reader: every object holds what the truth says, its name
// tells the first offset, offsets are complete but for the gaps, and the money adds up.
func TestConfluentReadsBack(t *testing.T) {
	for _, l := range Layouts() {
		if !strings.HasPrefix(l.Name, "confluent-") {
			continue
		}
		t.Run(l.Name, func(t *testing.T) {
			o := fall(l.Name)
			o.BodyOffsets, o.Faults.BadValues, o.Faults.OffsetGaps = true, 0, 2
			m, truth := generate(t, lenient(t, o))
			offsets := map[int]map[int64]bool{}
			best := map[string]seen{}
			broken := map[string]bool{} // key and row of lines that are no JSON
			for _, ob := range truth.Objects {
				parts := confluentKey.FindStringSubmatch(ob.Key)
				if parts == nil {
					t.Fatalf("%s does not follow the layout", ob.Key)
				}
				if parts[3] != "" { // keys of tombstones, and side files
					continue
				}
				events := readEvents(t, ob.Key, m.objects[ob.Key], "\n")
				if int64(len(events)) != ob.Records {
					t.Errorf("%s has %d records, the truth says %d", ob.Key, len(events), ob.Records)
				}
				for i, e := range events {
					if e == nil {
						broken[fmt.Sprintf("%s %d", ob.Key, i)] = true
						continue
					}
					partition, offset := int(number(e["_kafka.partition"])), number(e["_kafka.offset"])
					if offsets[partition] == nil {
						offsets[partition] = map[int64]bool{}
					}
					offsets[partition][offset] = true
					if e["_kafka.partition"] != parts[1] || i == 0 && (offset != number(parts[2]) || offset != ob.FirstOffset) {
						t.Errorf("%s holds partition %d, offset %d in row %d", ob.Key, partition, offset, i)
					}
					inFolder(t, l.Settings, ob.Key, e)
					if inWindow(o, e) && (best[e["event_id"]] == nil || number(e["version"]) > number(best[e["event_id"]]["version"])) {
						best[e["event_id"]] = e
					}
				}
			}
			addPlanted(t, m, truth, broken, offsets)
			compareOffsets(t, truth, offsets)
			compareSums(t, truth, best)
		})
	}
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// inFolder works out the dated folder from the instant itself: zones here differ from UTC by whole hours, so the
// hour of an instant is the hour of its folder.
func inFolder(t *testing.T, settings map[string]string, key string, e seen) {
	t.Helper()
	form := map[string]string{
		"HourlyPartitioner": "/year=2006/month=01/day=02/hour=15/", "DailyPartitioner": "/year=2006/month=01/day=02/",
		"TimeBasedPartitioner": "/dt=2006-01-02/15/",
	}[settings["partitioner.class"]]
	zone, err := time.LoadLocation(settings["timezone"])
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	switch settings["timestamp.extractor"] {
	case "Record":
		at = time.UnixMilli(number(e["_kafka.timestamp"]))
	case "RecordField":
		at, err = time.Parse(time.RFC3339Nano, e["occurred_at"])
	default:
		form = ""
	}
	if settings["partitioner.class"] == "FieldPartitioner" {
		for field := range strings.SplitSeq(settings["partition.field.name"], ",") {
			want := e[field]
			if want == "" {
				want = "null"
			}
			if !strings.Contains(key, "/"+field+"="+want+"/") {
				t.Errorf("an event with %s %s lies in %s", field, want, key)
			}
		}
		return
	}
	if err != nil || form != "" && !strings.Contains(key, at.In(zone).Format(form)) {
		t.Errorf("an event of %s lies in %s (%v)", at.In(zone), key, err)
	}
}

func inWindow(o Options, e seen) bool {
	at, err := time.Parse(time.RFC3339Nano, e["occurred_at"])
	return err == nil && !at.Before(o.From) && at.Before(o.To) && (e["type"] == "payment.settled" || e["type"] == "payment.reversed")
}

// addPlanted adds the offsets of tombstones and of broken lines, which no body tells, after a look at their places.
func addPlanted(t *testing.T, m *memory, truth Truth, broken map[string]bool, offsets map[int]map[int64]bool) {
	t.Helper()
	for _, p := range truth.Planted {
		switch p.Kind {
		case Tombstone:
			if !strings.Contains(p.Key, "/tombstone/") || m.objects[p.Key] == nil {
				t.Errorf("a tombstone lies in %s", p.Key)
			}
		case MalformedJSON:
			place := fmt.Sprintf("%s %d", p.Key, p.Row)
			if !broken[place] {
				t.Errorf("the line at %s is no broken one", place)
			}
			delete(broken, place)
		default:
			continue
		}
		parts := confluentKey.FindStringSubmatch(p.Key)
		offsets[int(number(parts[1]))][p.Offset] = true
	}
	if len(broken) > 0 {
		t.Errorf("the truth knows nothing of broken lines at %v", broken)
	}
}

func compareOffsets(t *testing.T, truth Truth, offsets map[int]map[int64]bool) {
	t.Helper()
	for _, p := range truth.Partitions {
		got := missing(offsets[p.Partition], p.FirstOffset, p.LastOffset)
		if want := mergeRanges(p.Gaps); !slices.Equal(got, want) {
			t.Errorf("partition %d lacks %v, the truth says %v", p.Partition, got, want)
		}
	}
}

func compareSums(t *testing.T, truth Truth, best map[string]seen) {
	t.Helper()
	sums := map[string]*[3]big.Rat{}
	rows := map[string]int64{}
	for _, e := range best {
		c := e["currency"]
		if sums[c] == nil {
			sums[c] = new([3]big.Rat)
		}
		rows[c]++
		for i, field := range []string{"gross_amount", "tax_amount", "net_amount"} {
			if text, ok := e[field]; ok {
				amount, ok := new(big.Rat).SetString(text)
				if !ok {
					t.Fatalf("%s is no amount", text)
				}
				sums[c][i].Add(&sums[c][i], amount)
			}
		}
	}
	if int64(len(best)) != truth.TableRows {
		t.Errorf("%d rows are left, the truth says %d", len(best), truth.TableRows)
	}
	for _, total := range truth.Totals {
		s := sums[total.Currency]
		got := Money{Rows: rows[total.Currency]}
		if s != nil {
			got.Gross, got.Tax, got.Net = s[0].FloatString(2), s[1].FloatString(2), s[2].FloatString(2)
		}
		if got != total.After {
			t.Errorf("%s: %+v, the truth says %+v", total.Currency, got, total.After)
		}
	}
}
