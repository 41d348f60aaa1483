package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// frame is a record's place as the oracle sees it.
type oracleFrame struct {
	kind       RecordKind
	start, end int
}

// oracle finds the records in data slowly, with encoding/json.
func oracle(data []byte) []oracleFrame {
	var all []oracleFrame
	skip := func(p int) int {
		end := len(data)
		if n := bytes.IndexByte(data[p:], '\n'); n >= 0 {
			end = p + n
		}
		all = append(all, oracleFrame{Unreadable, p, end})
		return end
	}
	value := func(p int, behind string) (int, bool) {
		end, ok := oracleValue(data, p, behind)
		if !ok {
			return skip(p), false
		}
		kind := Value
		if string(data[p:end]) == "null" {
			kind = Tombstone
		}
		all = append(all, oracleFrame{kind, p, end})
		return end, true
	}
	const before, next, comma, broken = 0, 1, 2, 3 // the state inside an array
	p, inArrays, open, state := 0, false, false, before
	for first := true; ; first = false {
		for p < len(data) && strings.IndexByte(" \t\r\n", data[p]) >= 0 {
			p++
		}
		if p == len(data) {
			break
		}
		if first && data[p] == '[' {
			inArrays = true
		}
		var ok bool
		switch c := data[p]; {
		case !inArrays:
			p, _ = value(p, "{[\"")
		case !open && c == '[':
			p, open, state = p+1, true, before
		case !open:
			p = skip(p)
		case c == ']' && state != comma:
			p, open = p+1, false
		case c == ']':
			p, open = skip(p), false
		case c == ',' && state == next:
			p, state = p+1, comma
		case c == ',' && state == broken:
			p++
		case state == next:
			p, state = skip(p), broken
		default:
			if p, ok = value(p, ",]"); ok {
				state = next
			} else {
				state = broken
			}
		}
	}
	if open && state != broken {
		all = append(all, oracleFrame{Unreadable, len(data), len(data)})
	}
	return all
}

// oracleValue returns the end of the value at p if it is sound.
func oracleValue(data []byte, p int, behind string) (int, bool) {
	end := p
	switch c := data[p]; {
	case c == '{' || c == '[' || c == '"':
		d := json.NewDecoder(bytes.NewReader(data[p:]))
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return 0, false
		}
		end = p + int(d.InputOffset())
	default:
		for end < len(data) && (data[end] >= '0' && data[end] <= '9' || data[end] >= 'a' && data[end] <= 'z' || strings.IndexByte("+-.E", data[end]) >= 0) {
			end++
		}
		if !json.Valid(data[p:end]) {
			return 0, false
		}
	}
	if c := data[p]; c != '{' && c != '[' && end < len(data) && strings.IndexByte(" \t\r\n"+behind, data[end]) < 0 {
		return 0, false
	}
	return end, utf8.Valid(data[p:end])
}

func sameFrames(got []seenRecord, want []oracleFrame) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Kind != w.kind || g.Start != int64(w.start) || g.Len != int64(w.end-w.start) {
			return fmt.Errorf("record %d: kind %d from %d to %d, want kind %d from %d to %d", i, g.Kind, g.Start, g.Start+g.Len, w.kind, w.start, w.end)
		}
	}
	return nil
}

// fuzzSpec looks at every value through a filter, which takes all kinds, and
// at some through columns.
func fuzzSpec() Spec {
	return Spec{
		Columns: []schema.Column{column("o", "super", "o"), column("k", "varchar(65535)", "o", "k"), column("n", "bigint", "n")},
		Where:   [][]string{{}, {"a"}, {"o"}, {"o", "k"}, {"o", "k", ""}, {"é\n"}},
	}
}

// lookUp follows a path by encoding/json; the last of equal keys wins.
func lookUp(raw json.RawMessage, path []string) (json.RawMessage, bool) {
	for _, key := range path {
		var object map[string]json.RawMessage
		if raw[0] != '{' || json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		var ok bool
		if raw, ok = object[key]; !ok {
			return nil, false
		}
	}
	return raw, true
}

// scalarText renders a scalar as copyRecord renders Where.
func scalarText(raw json.RawMessage, ok bool) string {
	kind, text := columns.Absent, ""
	if ok {
		switch c := raw[0]; c {
		case '{', '[':
			kind = columns.Other
		case '"':
			kind = columns.String
			if json.Unmarshal(raw, &text) != nil {
				text = "no string"
			}
		case 't', 'f':
			kind, text = columns.Bool, string(raw)
		case 'n':
			kind = columns.Null
		default:
			kind, text = columns.Number, string(raw)
		}
	}
	return fmt.Sprintf("%d:%s", kind, text)
}

func checkValues(r seenRecord, spec Spec) error {
	raw := json.RawMessage(r.Raw)
	var where []string
	for _, path := range spec.Where {
		where = append(where, scalarText(lookUp(raw, path)))
	}
	if want := strings.Join(where, "|"); r.Where != want {
		return fmt.Errorf("%s: fields %q, want %q", raw, r.Where, want)
	}
	if r.Reject != "" || r.Kind != Value {
		return nil
	}
	var cells []string
	for _, c := range spec.Columns {
		raw, ok := lookUp(raw, c.Path)
		text := "NULL"
		switch {
		case !ok || raw[0] == 'n':
		case c.Type.Kind == schema.Super:
			text = string(raw)
		case raw[0] == '"':
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
			if c.Type.Kind == schema.Bigint {
				n, reason := parseInteger([]byte(text), -1<<63, 1<<63-1)
				text = fmt.Sprint(n, reason)
			}
		case c.Type.Kind == schema.Bigint:
			n, reason := parseInteger(raw, -1<<63, 1<<63-1)
			text = fmt.Sprint(n, reason)
		default:
			text = string(raw)
		}
		cells = append(cells, text)
	}
	if want := strings.Join(cells, "|"); r.Cells != want {
		return fmt.Errorf("%s: cells %q, want %q", raw, r.Cells, want)
	}
	return nil
}

// FuzzScan compares with encoding/json: which records there are, which are
// sound, and what stands in them; and the whole block with small ones.
func FuzzScan(f *testing.F) {
	for i, seed := range []string{
		sample, "", "[1,2", "[{}\n,{},]\n[null]", "{\"a\":{\"a\":1},\"a\":2}\n[]",
		`{"o":{"k":"v","k":{"":"\ud83d\ude00"}},"n":12,"\u0061":"\ud800","é\n":0}`,
		`{"o":{"k":"` + strings.Repeat("long text ", 9) + `"},"n":"1e3"}{"o":null}`,
		"{\"a\":\"\xff\"}\n{\"\xff\":1}\n{\"a\":\"\\u00ff\"}", `{"a":-0.5e+10,"x":[[],{},[{"a":null}]]}`, "01\n1.\n-\ntru\n\x00\n{",
		`{"a" : 1 , "unknown" : 2 , "o" : { "k" : 3 } }{"a":1,"unknown":2,"o":{"k":3}}{"unknown":2}`,
	} {
		f.Add([]byte(seed), uint8(i), uint8(i*3))
	}
	spec := fuzzSpec()
	f.Fuzz(func(t *testing.T, data []byte, block, piece uint8) {
		if len(data) > 4096 {
			return
		}
		got, err := scanAll(t, spec, Limits{Depth: maxDepth}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := sameFrames(got, oracle(data)); err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r.Kind == Unreadable {
				continue
			}
			if err := checkValues(r, spec); err != nil {
				t.Fatal(err)
			}
		}
		small := Limits{Depth: maxDepth, BlockBytes: int(block) + 1}
		again, err := scanAll(t, spec, small, &pieces{string(data), int(piece) + 1})
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("blocks of %d, reads of %d: %v\n got %+v\nwant %+v", small.BlockBytes, piece+1, err, again, got)
		}
	})
}

// FuzzLimits looks for a limit that depends on how the stream is cut.
func FuzzLimits(f *testing.F) {
	f.Add([]byte(sample), uint8(20), uint8(7))
	f.Add([]byte("[[[[]]]]\n{}{}{}"), uint8(3), uint8(1))
	spec := fuzzSpec()
	f.Fuzz(func(t *testing.T, data []byte, longest, block uint8) {
		if len(data) > 4096 {
			return
		}
		l := Limits{RecordBytes: int(longest) + 1, RawBytes: 16, Depth: 3, BlockBytes: len(data) + 1}
		want, err := scanAll(t, spec, l, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		l.BlockBytes = int(block) + 1
		got, err := scanAll(t, spec, l, bytes.NewReader(data))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("blocks of %d: %v\n got %+v\nwant %+v", l.BlockBytes, err, got, want)
		}
	})
}
