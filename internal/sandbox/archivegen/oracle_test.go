package archivegen

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// reading is what a slow and simple reader finds in an archive; it shares no code with the generator.
type reading struct {
	loc         *time.Location
	counts      Dispositions
	filtered    map[string]int64
	outOfWindow map[string]int64
	rows        []readRow
	records     map[string]int64           // by key
	offsets     map[int]map[int64]bool     // by partition
	lines       map[string]map[int64]int64 // key → row → offset of what could not become a row
}

type readRow struct {
	id, day, currency string
	version           int64
	amounts           [3]*big.Rat
}

var keyPattern = regexp.MustCompile(`^topics/payroll\.events/partition=(\d+)/payroll\.events\+(\d+)\+(\d{10,})\.json(\.gz|\.zst)?$`)

func unpack(body []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case bytes.HasPrefix(body, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err := zstd.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return body, nil
}

// read reads every object of m but the damaged ones, in the order of keys.
func read(t failer, m *memory, truth Truth) reading {
	t.Helper()
	loc, err := time.LoadLocation(truth.Options.Zone)
	if err != nil {
		t.Fatal(err)
	}
	rd := reading{
		loc:      loc,
		filtered: map[string]int64{}, outOfWindow: map[string]int64{}, records: map[string]int64{},
		offsets: map[int]map[int64]bool{}, lines: map[string]map[int64]int64{},
	}
	damaged := map[string]bool{}
	for _, ob := range truth.Objects {
		damaged[ob.Key] = ob.Damaged
	}
	rowAt := map[string]bool{} // partition/offset
	var keys []string
	for key := range m.objects {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		parts := keyPattern.FindStringSubmatch(key)
		if parts == nil || parts[1] != parts[2] {
			t.Fatalf("key %q does not follow the layout", key)
		}
		partition, _ := strconv.Atoi(parts[1])
		start, _ := strconv.ParseInt(parts[3], 10, 64)
		content, err := unpack(m.objects[key])
		if damaged[key] {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s is damaged, but reads with error %v", key, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		rd.lines[key] = map[int64]int64{}
		if rd.offsets[partition] == nil {
			rd.offsets[partition] = map[int64]bool{}
		}
		lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
		rd.records[key] = int64(len(lines))
		for i, line := range lines {
			offset := start + int64(i)
			rd.offsets[partition][offset] = true
			rd.line(t, truth, line, key, partition, offset, int64(i), rowAt)
		}
	}
	return rd
}

func (rd *reading) line(t failer, truth Truth, line, key string, partition int, offset, row int64, rowAt map[string]bool) {
	rd.counts.RecordsRead++
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil || dec.More() {
		rd.counts.Unreadable++
		rd.lines[key][row] = offset
		return
	}
	if v == nil {
		rd.counts.Tombstone++
		rd.lines[key][row] = offset
		return
	}
	text, _ := v["occurred_at"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if truth.Options.BodyOffsets {
		k, _ := v["_kafka"].(map[string]any)
		if fmt.Sprint(k["partition"]) != strconv.Itoa(partition) || fmt.Sprint(k["offset"]) != strconv.FormatInt(offset, 10) {
			t.Errorf("%s row %d has coordinates %v, want partition %d offset %d", key, row, k, partition, offset)
		}
		if _, dated := k["timestamp"]; dated != (err == nil) {
			t.Errorf("%s row %d: kafka time %v, event time %q", key, row, k["timestamp"], text)
		}
	}
	if err != nil {
		rd.counts.Undatable++
		rd.lines[key][row] = offset
		return
	}
	day := at.In(rd.loc).Format(time.DateOnly)
	if at.Before(truth.Options.From) || !at.Before(truth.Options.To) {
		rd.counts.OutOfWindow++
		rd.outOfWindow[day]++
		return
	}
	if kind := fmt.Sprint(v["type"]); kind != "payment.settled" && kind != "payment.reversed" {
		rd.counts.Filtered++
		rd.filtered[kind]++
		return
	}
	r, ok := naiveRow(v, text)
	if !ok {
		rd.counts.Rejected++
		rd.lines[key][row] = offset
		return
	}
	place := fmt.Sprintf("%d/%d", partition, offset)
	if rowAt[place] {
		rd.counts.DuplicateOffset++
		return
	}
	rowAt[place] = true
	r.day = day
	rd.counts.Rows++
	rd.rows = append(rd.rows, r)
}

// naiveRow applies the column rules of DatasetYAML.
func naiveRow(v map[string]any, occurred string) (readRow, bool) {
	var r readRow
	ok := true
	varchar := func(key string, limit int, required bool) string {
		s, isText := v[key].(string)
		if v[key] == nil && !required {
			return ""
		}
		ok = ok && isText && len(s) <= limit && utf8.ValidString(s)
		return s
	}
	r.id = varchar("event_id", 36, true)
	varchar("pay_run_id", 36, false)
	varchar("bank_account", 64, false)
	r.currency = varchar("currency", 3, false)
	ok = ok && utf8.RuneCountInString(r.currency) == len(r.currency)
	employee, _ := v["employee"].(map[string]any)
	id, isNumber := employee["id"].(json.Number)
	_, err := strconv.ParseInt(string(id), 10, 64)
	ok = ok && isNumber && err == nil
	if _, fraction, found := strings.Cut(occurred, "."); found {
		ok = ok && len(strings.FieldsFunc(fraction, func(c rune) bool { return c < '0' || c > '9' })[0]) <= 6
	}
	details, _ := v["details"].(map[string]any)
	if blob, _ := details["blob"].(string); len(blob) > 65535 {
		ok = false
	}
	version, _ := v["version"].(json.Number)
	if r.version, err = strconv.ParseInt(string(version), 10, 32); err != nil {
		ok = false
	}
	for i, key := range []string{"gross_amount", "tax_amount", "net_amount"} {
		amount, fits := naiveDecimal(v[key])
		ok = ok && fits
		r.amounts[i] = amount
	}
	return r, ok
}

var numberPattern = regexp.MustCompile(`^-?\d+(\.\d+)?([eE][+-]?\d+)?$`)

func naiveDecimal(v any) (*big.Rat, bool) {
	var text string
	switch v := v.(type) {
	case nil:
		return new(big.Rat), true
	case string:
		text = v
	case json.Number:
		text = string(v)
	default:
		return nil, false
	}
	if !numberPattern.MatchString(text) {
		return nil, false
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, false
	}
	hundredths := new(big.Rat).Mul(n, big.NewRat(100, 1))
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
	return n, hundredths.IsInt() && hundredths.Num().CmpAbs(limit) < 0
}

// totals sums rows by day and currency; day "" stands for the window.
func totals(rows []readRow, byDay bool) map[[2]string]Money {
	sums := map[[2]string]*[3]big.Rat{}
	counts := map[[2]string]int64{}
	for _, r := range rows {
		k := [2]string{"", r.currency}
		if byDay {
			k[0] = r.day
		}
		if sums[k] == nil {
			sums[k] = new([3]big.Rat)
		}
		counts[k]++
		for i := range r.amounts {
			sums[k][i].Add(&sums[k][i], r.amounts[i])
		}
	}
	out := map[[2]string]Money{}
	for k, s := range sums {
		out[k] = Money{Rows: counts[k], Gross: s[0].FloatString(2), Tax: s[1].FloatString(2), Net: s[2].FloatString(2)}
	}
	return out
}

// latest keeps the row with the highest version of each key.
func latest(rows []readRow) []readRow {
	best := map[string]int{}
	for i, r := range rows {
		if j, ok := best[r.id]; !ok || r.version > rows[j].version {
			best[r.id] = i
		}
	}
	var out []readRow
	for _, i := range best {
		out = append(out, rows[i])
	}
	return out
}

// missing returns what a set of offsets lacks from first to last.
func missing(offsets map[int64]bool, first, last int64) []OffsetRange {
	var out []OffsetRange
	for o := first; o <= last; o++ {
		if offsets[o] {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Last == o-1 {
			out[n-1].Last = o
		} else {
			out = append(out, OffsetRange{First: o, Last: o})
		}
	}
	return out
}

// mergeRanges sorts ranges and joins neighbours.
func mergeRanges(in ...[]OffsetRange) []OffsetRange {
	all := slices.Concat(in...)
	slices.SortFunc(all, func(a, b OffsetRange) int { return int(a.First - b.First) })
	var out []OffsetRange
	for _, r := range all {
		if n := len(out); n > 0 && out[n-1].Last+1 == r.First {
			out[n-1].Last = r.Last
		} else {
			out = append(out, r)
		}
	}
	return out
}
