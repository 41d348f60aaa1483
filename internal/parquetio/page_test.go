package parquetio

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/schema"
)

// expand decodes runs of numbers (RLE and bit-packed) in the plainest way.
func expand(t *testing.T, text []byte, width, n int) []uint32 {
	t.Helper()
	var out []uint32
	for len(out) < n {
		header, size := binary.Uvarint(text)
		if size <= 0 {
			t.Fatalf("no run behind %d numbers", len(out))
		}
		text = text[size:]
		if header&1 == 0 {
			var v uint32
			for i := range (width + 7) / 8 {
				v |= uint32(text[i]) << (8 * i)
			}
			for range header >> 1 {
				out = append(out, v)
			}
			text = text[(width+7)/8:]
			continue
		}
		for i := range int(header>>1) * 8 {
			var v uint32
			for b := range width {
				at := i*width + b
				v |= uint32(text[at/8]>>(at%8)&1) << b
			}
			out = append(out, v)
		}
		text = text[int(header>>1)*width:]
	}
	if len(text) != 0 {
		t.Fatalf("%d bytes behind the runs", len(text))
	}
	return out[:n]
}

func TestRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for width := 1; width <= 20; width++ {
		for _, n := range []int{1, 7, 8, 9, 503, 504, 505, 1008, 1009, 5000} {
			numbers, levels := make([]uint32, n), make([]byte, (n+7)/8)
			for i := range numbers {
				if i/700%2 == 0 { // stretches of one number, and of any
					numbers[i] = r.Uint32N(1 << width)
				} else {
					numbers[i] = 1<<width - 1
				}
			}
			got := expand(t, appendNumbers(nil, numbers, width), width, n)
			for i := range numbers {
				if got[i] != numbers[i] {
					t.Fatalf("width %d: number %d of %d is %d, want %d", width, i, n, got[i], numbers[i])
				}
				levels[i/8] |= byte(numbers[i]&1) << (i % 8)
			}
			got = expand(t, appendLevels(nil, levels, n), 1, n)
			for i := range numbers {
				if got[i] != numbers[i]&1 {
					t.Fatalf("level %d of %d is %d", i, n, got[i])
				}
			}
		}
	}
}

func TestDictionaryNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var ints, texts dictionary
	wantInt, wantText := map[int64]uint32{}, map[string]uint32{}
	for range 20_000 {
		v := int64(r.IntN(3000)-1500) << r.IntN(40)
		want, known := wantInt[v]
		if !known {
			want = uint32(len(wantInt))
			wantInt[v] = want
		}
		if got := ints.int(v, 8); got != want || int64(binary.LittleEndian.Uint64(ints.appendTo(nil, got))) != v {
			t.Fatalf("%d has number %d, want %d", v, got, want)
		}
		s := string(binary.AppendVarint(nil, v)[1:])
		if want, known = wantText[s]; !known {
			want = uint32(len(wantText))
			wantText[s] = want
		}
		if got := texts.text([]byte(s)); got != want || string(texts.appendTo(nil, got)[4:]) != s {
			t.Fatalf("%q has number %d, want %d", s, got, want)
		}
	}
}

// noisy gives bytes that can't be made smaller, and digits that can.
func noisy(n int) (noise, digits []byte) {
	r := rand.New(rand.NewPCG(7, 8))
	noise, digits = make([]byte, n), make([]byte, n)
	for i := range noise {
		noise[i] = byte(r.Uint32())
		digits[i] = "0123456789abcdef-"[noise[i]%17]
	}
	return noise, digits
}

// squeezing returns a check of a page: what another decoder makes of its frames.
func squeezing(t testing.TB) func(testing.TB, []byte) {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB, page []byte) {
		t.Helper()
		for _, how := range []squeeze{undecided, entropy, matching} {
			frame := c.compress(page, &how)
			if got, err := d.DecodeAll(frame, nil); err != nil || !bytes.Equal(got, page) {
				t.Fatalf("%d bytes come back as %d, %v", len(page), len(got), err)
			}
			if limit := len(page) + len(page)/1000 + 64; how == entropy && len(frame) > limit {
				t.Fatalf("%d bytes became %d", len(page), len(frame))
			}
		}
	}
}

// TestSqueezed takes pages of more than one block.
func TestSqueezed(t *testing.T) {
	check := squeezing(t)
	noise, digits := noisy(300 << 10)
	for _, page := range [][]byte{bytes.Repeat([]byte{7}, 200<<10), noise, digits, digits[:blockBytes], digits[:blockBytes+1], append(digits[:140<<10:140<<10], noise...)} {
		check(t, page)
	}
}

// FuzzSqueezed looks at small pages, so that it looks at many.
func FuzzSqueezed(f *testing.F) {
	noise, digits := noisy(4 << 10)
	for _, page := range [][]byte{{}, {1}, bytes.Repeat([]byte{7}, 2<<10), noise[:1<<10], digits, digits[:20], append(digits[:500:500], noise[:500]...)} {
		f.Add(page)
	}
	check := squeezing(f)
	f.Fuzz(func(t *testing.T, page []byte) { check(t, page) })
}

// TestNothingButNulls: a column without values has no dictionary, and its pages
// name none.
func TestNothingButNulls(t *testing.T) {
	const n = 3000
	cols := []schema.Column{{Name: "code", Type: schema.Type{Kind: schema.Char, Length: 4}}}
	cell := func(int, int) any { return nil }
	file, _ := write(t, cols, Options{}, batches(cols, n, cell))
	compare(t, cols, read(t, file, cols), n, cell)
	compare(t, cols, readArrow(t, file, cols), n, cell)
	kinds, size := encodings(t, file, open(t, file).Metadata().RowGroups[0].Columns[0])
	if size != 0 || !slices.Equal(kinds, []format.Encoding{format.Plain}) {
		t.Errorf("a dictionary of %d bytes, page encodings %v", size, kinds)
	}
}
