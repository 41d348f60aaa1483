package codec

import (
	"bufio"
	"bytes"
	"compress/flate"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"backfill/internal/fail"
)

// samples are texts whose streams have every kind of block, code and match.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 300_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	var lines bytes.Buffer
	for i := range 4000 {
		fmt.Fprintf(&lines, `{"id":%d,"at":"2026-03-%02dT%02d:00:00Z","amount":"%d.%02d","note":"%s"}`+"\n",
			i, i%31+1, i%24, r.IntN(100000), i%100, strings.Repeat("x", r.IntN(40)))
	}
	var far bytes.Buffer // matches at the longest distance
	for range 4 {
		far.Write(random[:32<<10])
	}
	skewed := make([]byte, 200_000) // codes of 15 bits
	for i := range skewed {
		for skewed[i] = 'a'; skewed[i] < 'z' && r.IntN(2) == 0; skewed[i]++ {
		}
	}
	return map[string][]byte{
		"nothing": nil, "one byte": []byte("1"), "a run": bytes.Repeat([]byte("a"), 400_000), "pairs": bytes.Repeat([]byte("ab"), 150_000),
		"sevens": bytes.Repeat([]byte("abcdefg"), 60_000), "random": random, "lines": lines.Bytes(), "far": far.Bytes(), "skewed": skewed,
	}
}

func packed(t testing.TB, text []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdgzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Header.Name, w.Header.Comment, w.Header.Extra = "events.json", "as archived", []byte("extra")
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflate(t *testing.T) {
	r, err := Open(strings.NewReader("warm up"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range samples() {
		var all []byte
		for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestSpeed, 4, flate.DefaultCompression, flate.BestCompression} {
			all = append(all, packed(t, text, level)...)
			for way, body := range map[string]io.Reader{"whole": bytes.NewReader(all), "halves": iotest.HalfReader(bytes.NewReader(all))} {
				if err := r.Reset(body); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if want := bytes.Repeat(text, len(got)/max(1, len(text))); err != nil || !bytes.Equal(got, want) || len(got) < len(text) {
					t.Fatalf("%s at level %d, %s: %d bytes, %v", name, level, way, len(got), err)
				}
			}
		}
	}
}

// TestInflateDamaged cuts and changes streams at random and compares with
// compress/gzip: read alike or refused by both, and never a byte that differs
// before the damage shows.
func TestInflateDamaged(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r, err := Open(strings.NewReader("warm up"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for name, text := range samples() {
		text = text[:min(len(text), 8_000)]
		for i := range 120 {
			object := packed(t, text, i%10)
			if i%3 == 0 {
				object = object[:random.IntN(len(object))]
			} else {
				object[random.IntN(len(object))] ^= 1 << random.IntN(8)
			}
			if len(object) < 4 || !bytes.HasPrefix(object, gzipMagic) || object[3]&flagsReserved != 0 {
				continue
			}
			want, wantErr := readStd(object)
			var got []byte
			err := r.Reset(bytes.NewReader(object))
			if err == nil {
				got, err = io.ReadAll(r)
			}
			if fail.Is(err, fail.BadLayout) {
				continue
			}
			if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%s, %d: %d bytes, %v; compress/gzip %d bytes, %v", name, i, len(got), err, len(want), wantErr)
			}
			if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
				t.Fatalf("%s, %d: other bytes before %v", name, i, err)
			}
			if err != nil {
				refused++
			}
			if err != nil && i%3 == 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, cut at %d: %v", name, len(object), err)
			}
		}
	}
	if refused < 400 {
		t.Errorf("only %d objects were refused", refused)
	}
}

func readStd(object []byte) ([]byte, error) {
	z, err := stdgzip.NewReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// TestCodes gives lengths that are no whole code, and the two kinds of
// unfinished codes that zlib takes.
func TestCodes(t *testing.T) {
	m := newMeanings()
	for _, test := range []struct {
		name    string
		lengths []uint8
		want    bool
	}{
		{"none", []uint8{0, 0, 0}, true},
		{"one of one bit", []uint8{0, 1, 0}, true},
		{"one of two bits", []uint8{0, 2, 0}, false},
		{"whole", []uint8{1, 2, 3, 3}, true},
		{"unfinished", []uint8{1, 2, 3}, false},
		{"too many", []uint8{1, 1, 1}, false},
		{"fifteen bits", []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}, true},
	} {
		table := make([]entry, 1<<(distRoot+1))
		if got := buildTable(table, distRoot, test.lengths, m.dists[:]); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if m.literals[257]>>valueShift != 3 || m.literals[284] != 227<<valueShift|5 || m.literals[285] != 258<<valueShift || m.dists[29] != 24577<<valueShift|13 {
		t.Errorf("lengths %x %x %x, distance %x", m.literals[257], m.literals[284], m.literals[285], m.dists[29])
	}
}

// FuzzInflate compares with compress/flate on bytes that need no gzip frame to
// get at the decoder.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{0, 1, 6, flate.HuffmanOnly} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write([]byte(strings.Repeat(text, 20)))
		_ = w.Close()
		f.Add(b.Bytes())
	}
	f.Add([]byte{3, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 1 << 20
		in := bytes.NewReader(stream)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(in), limit))
		var z members
		z.start(bufio.NewReaderSize(bytes.NewReader(stream), readAhead))
		z.body.start(z.in)
		var got []byte
		var err error
		for err == nil && len(got) < limit {
			var fresh []byte
			fresh, err = z.body.more()
			got = append(got, fresh...)
		}
		if err == io.EOF {
			err = nil
		}
		if len(want) == limit {
			return
		}
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v; compress/flate %d bytes, %v", len(got), err, len(want), wantErr)
		}
		if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
			t.Fatal("other bytes before the damage")
		}
		if rest, _ := z.in.Peek(len(stream) + 1); err == nil && len(rest) != in.Len() {
			t.Fatalf("%d bytes are left, compress/flate leaves %d", len(rest), in.Len())
		}
	})
}
