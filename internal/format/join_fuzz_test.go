package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// FuzzJoin joins values with keys and headers of any bytes: what comes out is
// JSON of all three, as many records as there are values, or an error that says
// why. It ends, whatever stands there.
func FuzzJoin(f *testing.F) {
	f.Add([]byte("{\"a\":1}\nnull\n"), []byte("\"k\"\n7\n"), []byte("{\"headers\":[{\"key\":\"h\",\"value\":\"v\"}]}\n{\"headers\":[]}\n"), false)
	f.Add([]byte("1\n"), []byte("{\"key\":\"k\"}\n"), []byte("[{\"key\":\"h\",\"value\":null},{\"key\":\"h\"}]\n"), true)
	f.Add([]byte("{\n"), []byte("\"k\"\n"), []byte("[]\n"), false)
	f.Add([]byte("1\n2\n"), []byte("\"k\"\n"), []byte("{}\n"), false)
	f.Fuzz(func(t *testing.T, values, keys, headers []byte, wrapped bool) {
		open := func(body []byte) decode.Records {
			r, err := decode.NewRecords(bytes.NewReader(body), decode.JSON, decode.Limits{BlockBytes: 4 << 10, RecordBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		joined := NewJoin(open(values), []Side{{Object: "x.keys", Wrapped: wrapped, Records: open(keys)}, {Object: "x.headers", Headers: true, Records: open(headers)}}, 0)
		alone := open(values)
		for row := 0; ; row++ {
			record, err := joined.Next(nil)
			value, own := alone.Next(nil)
			var bad, ownBad *decode.BadRecord
			switch {
			case errors.As(err, &bad):
				continue
			case fail.Is(err, fail.Damaged):
				return
			case errors.Is(err, io.EOF):
				if !errors.Is(own, io.EOF) {
					t.Fatalf("the join ends at row %d, the values don't: %v", row, own)
				}
				return
			case err != nil:
				t.Fatalf("row %d: %v", row, err)
			case errors.As(own, &ownBad):
				t.Fatalf("row %d can't be read, and is joined: %s", row, record)
			}
			var parts struct {
				Key     json.RawMessage            `json:"key"`
				Headers map[string]json.RawMessage `json:"headers"`
				Value   json.RawMessage            `json:"value"`
			}
			if err := json.Unmarshal(record, &parts); err != nil || parts.Key == nil || parts.Headers == nil || !bytes.Equal(bytes.TrimSpace(parts.Value), bytes.TrimSpace(value)) {
				t.Fatalf("row %d is joined to %s (%v), its value is %s", row, record, err, value)
			}
		}
	})
}
