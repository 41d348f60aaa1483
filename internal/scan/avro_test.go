package scan

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"backfill/internal/account"
	"backfill/internal/fail"
)

type paid struct {
	ID       string    `avro:"id"`
	Type     string    `avro:"type"`
	At       time.Time `avro:"at"`
	Amount   *big.Rat  `avro:"amount"`
	Wide     *big.Rat  `avro:"wide"`
	Currency string    `avro:"currency"`
}

func avroObject(t *testing.T, codec ocf.Codec, list []paid) []byte {
	t.Helper()
	const schema = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"},{"name":"type","type":"string"},
		{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}]},
		{"name":"wide","type":["null",{"type":"bytes","logicalType":"decimal","precision":30,"scale":4}]},
		{"name":"currency","type":"string"}]}`
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, avro.MustParse(schema), ocf.WithCodec(codec), ocf.WithBlockCount(7))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if err := w.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAvroCountsLikeJSON reads the same records as JSON and as Avro files, plain,
// compressed inside and outside: rows, cells and dispositions are the same.
func TestAvroCountsLikeJSON(t *testing.T) {
	var list []paid
	var text []string
	for i := range 50 {
		p := paid{
			ID: fmt.Sprintf("é%d", i), Type: []string{"paid", "void", "other"}[i%3], At: time.Date(2026, 2, 27+i%9, 1, 2, 3, 456789000, time.UTC),
			Amount: big.NewRat(int64(i*731-9000), 100), Wide: big.NewRat(int64(i*i*i), 10000), Currency: "USD",
		}
		list = append(list, p)
		text = append(text, fmt.Sprintf(`{"id":%q,"type":%q,"at":%q,"amount":%s,"wide":"%s","currency":"USD"}`,
			p.ID, p.Type, p.At.Format(time.RFC3339Nano), p.Amount.FloatString(2), p.Wide.FloatString(4)))
	}
	var want *account.Chunk
	var rows recorder
	for name, body := range map[string][]byte{
		"JSON": lines(text...), "Avro": avroObject(t, nil, list), "deflate": avroObject(t, ocf.DeflateCodec(-1), list), "zstd": avroObject(t, ocf.MustZstdCodec(nil, nil), list),
		"snappy in gzip": gzipped(t, avroObject(t, ocf.SnappyCodec(), list)),
	} {
		a := newArchive().add("A", 100, body).add("B", 150, lines(event("next")))
		sink := &recorder{}
		counts, err := newScanner(t, compile(t, derivedOffsets, 4), a).Chunk(context.Background(), a.cut(0)[0], sink)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want == nil {
			want, rows = counts, *sink
			if counts.Tally[account.Row] < 10 || counts.Tally[account.Filtered] < 5 || counts.Tally[account.OutOfWindow] < 5 {
				t.Fatalf("%s: %+v", name, counts.Tally)
			}
			continue
		}
		if !slices.Equal(sink.rows, rows.rows) || counts.Tally != want.Tally || len(counts.Cells) != len(want.Cells) {
			t.Errorf("%s: %d rows, %+v; want %d, %+v", name, len(sink.rows), counts.Tally, len(rows.rows), want.Tally)
		}
		for place, cell := range want.Cells {
			if got := counts.Cells[place]; got == nil || !got.Equal(cell) {
				t.Errorf("%s: at %+v %+v, want %+v", name, place, got, cell)
			}
		}
	}
}

// TestAvroCutOff: a file without its end is damage of the object, named with how
// far it was read.
func TestAvroCutOff(t *testing.T) {
	body := avroObject(t, nil, []paid{{ID: "a", Type: "paid", At: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), Amount: big.NewRat(1, 1), Wide: big.NewRat(1, 1), Currency: "USD"}})
	a := newArchive().add("A", 0, body[:len(body)-9])
	_, err := newScanner(t, compile(t, derivedOffsets, 1), a).Chunk(context.Background(), a.cut(0)[0], &recorder{})
	if !fail.Is(err, fail.Damaged) || !bytes.Contains([]byte(err.Error()), []byte("A after record 0 (first offset 0)")) {
		t.Errorf("error %v", err)
	}
}
