package codec

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

func gz(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := stdgzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zst(t testing.TB, text string, options ...zstd.EOption) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// skippable is a zstd frame that carries nothing.
func skippable(nibble byte, content string) string {
	return string([]byte{0x50 | nibble, 0x2a, 0x4d, 0x18, byte(len(content)), 0, 0, 0}) + content
}

const text = "{\"a\":1}\n{\"a\":2}\n"

func TestRead(t *testing.T) {
	big := strings.Repeat(text, 20000)
	tests := []struct{ name, object, kind, want string }{
		{"empty", "", Empty, ""},
		{"plain", text, Plain, text},
		{"one byte", "1", Plain, "1"},
		{"plain with a byte order mark", byteOrderMark + text, Plain, text},
		{"byte order mark alone", byteOrderMark, Plain, ""},
		{"half a byte order mark", "\xef\xbb", Plain, "\xef\xbb"},
		{"gzip", gz(t, text), Gzip, text},
		{"gzip of nothing", gz(t, ""), Gzip, ""},
		{"gzip with a byte order mark", gz(t, byteOrderMark+text), Gzip, text},
		{"gzip members", gz(t, "{") + gz(t, "") + gz(t, "}") + gz(t, big), Gzip, "{}" + big},
		{"zstd", zst(t, text), Zstd, text},
		{"zstd of nothing", zst(t, "", zstd.WithZeroFrames(true)), Zstd, ""},
		{"zstd frames", zst(t, "{") + skippable(0, "x") + zst(t, "}") + zst(t, big) + skippable(15, ""), Zstd, "{}" + big},
		{"zstd after a skippable frame", skippable(7, "made by") + zst(t, text), Zstd, text},
		{"zstd skippable frame alone", skippable(7, "made by"), Zstd, ""},
		{"words that begin like others", "ORchid SEQuel BZh PK", Plain, "ORchid SEQuel BZh PK"},
		{"gzip in gzip", gz(t, gz(t, text)+gz(t, text)), Gzip, text + text},
		{"zstd in gzip", gz(t, zst(t, big)), Gzip, big},
		{"a Parquet file", "PAR1data", Plain, "PAR1data"},
	}
	r, err := Open(strings.NewReader("warm up"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, body := range map[string]io.Reader{
				"whole": strings.NewReader(test.object), "bytes": iotest.OneByteReader(strings.NewReader(test.object)),
				"end with data": iotest.DataErrReader(strings.NewReader(test.object)),
			} {
				if err := r.Reset(body); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != test.want || r.Kind() != test.kind {
					t.Errorf("%s: %d bytes of %s, %v, want %d of %s", name, len(got), r.Kind(), err, len(test.want), test.kind)
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("%s: behind the end %d, %v", name, n, err)
				}
			}
		})
	}
}

// Values framed for a registry, in a file of bytes, begin like the lengths of
// Hadoop's blocks, whatever the schema's id is.
func TestFramedValuesAreNoSnappy(t *testing.T) {
	for _, id := range []uint32{1, 255, 256, 512, 768, 100_041, 65_536, 1 << 24, 1<<32 - 1} {
		for _, body := range []string{"\x02H00000000-0000", "\x00\n$5a1b2c3d4e5", "\x04\x02\x00\n$5a1b2c3d", `{"event_id":1}`} {
			object := string(binary.BigEndian.AppendUint32([]byte{0}, id)) + body
			r, err := Open(strings.NewReader(object), Limits{})
			if err != nil {
				t.Fatalf("schema %d: %v", id, err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != object || r.Kind() != Plain {
				t.Errorf("schema %d: %q of %s, %v", id, got, r.Kind(), err)
			}
		}
	}
}

func TestRefusedFormats(t *testing.T) {
	const plain, hint = "the object holds %s, which is not read", "have the archiver write JSON, CSV, Avro or Parquet, or exclude the object from the archive"
	tests := []struct{ object, want string }{
		{"\x02\x21\x4c\x18", fmt.Sprintf(plain, "lz4 data (legacy framing)")},
		{"PARE", fmt.Sprintf(plain, "an encrypted Parquet file")},
		{"ORC\x08", fmt.Sprintf(plain, "an ORC file")},
		{"SEQ\x04", fmt.Sprintf(plain, "a Hadoop SequenceFile of an old version")},
		{"\xff\xfe{\x00", fmt.Sprintf(plain, "UTF-16 text")},
		{"\xfe\xff\x00{", fmt.Sprintf(plain, "UTF-16 text")},
		{byteOrderMark + "ORC\x08", fmt.Sprintf(plain, "an ORC file")},
		{gz(t, "ORC data"), "the gzip object holds an ORC file, which is not read"},
		{zst(t, "PAREdata"), "the zstd object holds an encrypted Parquet file, which is not read"},
		{gz(t, zst(t, gz(t, text))), "inside the gzip object: the zstd object holds data compressed more than twice (gzip), which is not read"},
	}
	for _, test := range tests {
		r, err := Open(strings.NewReader(test.object), Limits{})
		if r != nil || err == nil || err.Error() != test.want || !fail.Is(err, fail.BadLayout) || fail.HintOf(err) != hint {
			t.Errorf("%q: %v, want %s", test.object, err, test.want)
		}
	}
}

func TestDamage(t *testing.T) {
	sound, frame := gz(t, text), zst(t, text)
	flipped := []byte(sound)
	flipped[len(flipped)-6] ^= 1 // the checksum
	flippedFrame := []byte(frame)
	flippedFrame[len(frame)-1] ^= 1
	tests := []struct{ name, object, want string }{
		{"cut off header", sound[:5], "the gzip object is cut off; 0 bytes were decoded: unexpected EOF"},
		{"magic alone", sound[:2], "the gzip object is cut off; 0 bytes were decoded: unexpected EOF"},
		{"cut off trailer", sound[:len(sound)-1], "the gzip object is cut off; 16 bytes were decoded: unexpected EOF"},
		{"wrong checksum", string(flipped), "the gzip object is corrupt; 16 bytes were decoded: the gzip checksum or size differs"},
		{"garbage behind", sound + "garbage", "the gzip object has garbage behind its end; 16 bytes were decoded: bytes after the last member"},
		{"one byte behind", sound + "\x1f", "the gzip object has garbage behind its end; 16 bytes were decoded: bytes after the last member"},
		{"zeros behind", sound + strings.Repeat("\x00", 100), "the gzip object is padded with zero bytes behind its end; 16 bytes were decoded: zero bytes after the last gzip member"},
		{"second member cut off", sound + sound[:20], "the gzip object is cut off; %d bytes were decoded: unexpected EOF"},
		{"not deflate", "\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x00", "the gzip object is corrupt; 0 bytes were decoded: the gzip header is invalid"},
		{"zstd cut off", frame[:len(frame)-5], "the zstd object is cut off; %d bytes were decoded: unexpected EOF"},
		{"zstd magic alone", frame[:4], "the zstd object is cut off; 0 bytes were decoded: unexpected EOF"},
		{"zstd wrong checksum", string(flippedFrame), "the zstd object is corrupt; 0 bytes were decoded: CRC check failed"},
		{"zstd garbage behind", frame + "garbage", "the zstd object has garbage behind its end; 16 bytes were decoded: invalid input: magic number mismatch"},
		{"zstd one byte behind", frame + "x", "the zstd object is cut off; 16 bytes were decoded: unexpected EOF"},
		{"zstd zeros behind", frame + "\x00\x00\x00\x00", "the zstd object has garbage behind its end; 16 bytes were decoded: invalid input: magic number mismatch"},
		{"zstd skippable frame cut off", skippable(0, "abc")[:9], "the zstd object is cut off; 0 bytes were decoded: unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := Open(strings.NewReader(test.object), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			want := test.want
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, len(got))
			}
			if err == nil || err.Error() != want || !fail.Is(err, fail.Damaged) {
				t.Errorf("%d bytes, %v, want %s", len(got), err, want)
			}
			if _, again := r.Read(make([]byte, 1)); again != err {
				t.Errorf("the next Read gives %v", again)
			}
			if err := r.Reset(strings.NewReader(sound)); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != text {
				t.Errorf("the next object: %q, %v", got, err)
			}
		})
	}
}

// TestTruncation cuts compressed objects at every byte: none may pass as whole,
// except where a member or frame ends.
func TestTruncation(t *testing.T) {
	for name, parts := range map[string][]string{
		"gzip": {gz(t, text), gz(t, text+text)}, "zstd": {zst(t, text), zst(t, text+text)},
	} {
		whole := strings.Join(parts, "")
		for n := 1; n < len(whole); n++ {
			r, err := Open(strings.NewReader(whole[:n]), Limits{})
			if err == nil && n >= 4 { // a shorter one has no zstd magic
				var got []byte
				got, err = io.ReadAll(r)
				if n == len(parts[0]) {
					if err != nil || string(got) != text {
						t.Errorf("%s: first part: %q, %v", name, got, err)
					}
					continue
				}
				if !fail.Is(err, fail.Damaged) {
					t.Errorf("%s: cut at %d of %d: %v", name, n, len(whole), err)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	bomb := strings.Repeat("x", 80<<20)
	tests := []struct {
		name, object string
		limits       Limits
		want         string
	}{
		{"exactly", gz(t, text), Limits{Bytes: 16}, ""},
		{"bytes of plain", text, Limits{Bytes: 15}, "the plain object decodes to more than 15 bytes, the limit for one object"},
		{"bytes of gzip", gz(t, text), Limits{Bytes: 15}, "the gzip object decodes to more than 15 bytes, the limit for one object"},
		{"bytes of zstd", zst(t, bomb), Limits{Bytes: 70 << 20}, "the zstd object decodes to more than 73400320 bytes, the limit for one object"},
		{"ratio", zst(t, bomb), Limits{Ratio: 100}, "the limit for one object"},
		{"ratio kept", zst(t, bomb), Limits{Ratio: 1 << 30}, ""},
		{"window", zst(t, bomb, zstd.WithWindowSize(8<<20)), Limits{Window: 1 << 20},
			"the zstd object needs more than the 1048576 bytes of memory allowed for one frame; 0 bytes were decoded: window size exceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := Open(strings.NewReader(test.object), test.limits)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, r)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want) || !fail.Is(err, fail.Damaged)):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestBrokenBody breaks the body at every byte. A broken body is never damage
// and never an end, not even where a member or frame ends.
func TestBrokenBody(t *testing.T) {
	lost := fail.New(fail.Network, "connection reset")
	for _, object := range []string{text, gz(t, text) + gz(t, text), zst(t, text) + zst(t, text)} {
		for n := range len(object) + 1 {
			for _, cause := range []error{lost, io.ErrUnexpectedEOF} {
				r, err := Open(io.MultiReader(strings.NewReader(object[:n]), iotest.ErrReader(cause)), Limits{})
				if err == nil {
					_, err = io.Copy(io.Discard, r)
				}
				if want := fmt.Sprintf("reading the object after %d bytes: %v", n, cause); err == nil || err.Error() != want || !errors.Is(err, cause) {
					t.Fatalf("%.2q: broken at %d: %v, want %s", object, n, err, want)
				}
			}
		}
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := Open(stuck, Limits{}); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestClose(t *testing.T) {
	r, err := Open(strings.NewReader(zst(t, text)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != errClosed {
		t.Error(err)
	}
	if err := r.Reset(strings.NewReader(zst(t, text))); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != text {
		t.Errorf("after Close and Reset: %q, %v", got, err)
	}
}

// FuzzGzip compares with compress/gzip: what it reads to the end is read alike,
// and what it refuses is refused. Only reserved flag bits make a difference:
// RFC 1952 demands that they are refused, compress/gzip ignores them.
func FuzzGzip(f *testing.F) {
	f.Add([]byte(gz(f, text)))
	f.Add([]byte(gz(f, text) + gz(f, "")))
	f.Add([]byte(gz(f, text) + "\x00\x00"))
	f.Add([]byte(gz(f, strings.Repeat(text, 100)))[:60])
	f.Fuzz(func(t *testing.T, object []byte) {
		if !bytes.HasPrefix(object, gzipMagic) {
			return
		}
		var want []byte
		s, wantErr := stdgzip.NewReader(bytes.NewReader(object))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(s, 1<<20))
		}
		if len(want) == 1<<20 {
			return
		}
		r, err := Open(bytes.NewReader(object), Limits{})
		if fail.Is(err, fail.BadLayout) {
			return
		}
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
		}
		if wantErr == nil && errors.Is(err, errHeader) && len(object) > 3 && object[3]&flagsReserved != 0 {
			return
		}
		want = bytes.TrimPrefix(want, []byte(byteOrderMark))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v; compress/gzip %d bytes, %v", len(got), err, len(want), wantErr)
		}
		if err != nil && !fail.Is(err, fail.Damaged) {
			t.Fatalf("not coded: %v", err)
		}
	})
}

// FuzzOpen looks for panics and errors without a code.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(zst(f, text) + skippable(3, "x")))
	f.Add([]byte(byteOrderMark + text))
	f.Add([]byte("\x00\x00\x00\x07\x00\x00\x00\x09\x07\x18{\"a\":1}"))
	f.Fuzz(func(t *testing.T, object []byte) {
		r, err := Open(iotest.HalfReader(bytes.NewReader(object)), Limits{Bytes: 1 << 20, Window: 1 << 20})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil && !fail.Is(err, fail.Damaged) && !fail.Is(err, fail.BadLayout) {
			t.Fatal(err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var lines strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&lines, `{"event_id":"%08x","employee":{"id":%d},"gross_amount":"%d.%02d","currency":"EUR"}`+"\n", i*7919, i*31, i%9000, i%100)
	}
	for kind, object := range map[string]string{Plain: lines.String(), Gzip: gz(b, lines.String()), Zstd: zst(b, lines.String())} {
		b.Run(kind, func(b *testing.B) {
			body := strings.NewReader(object)
			r, err := Open(body, Limits{})
			if err != nil {
				b.Fatal(err)
			}
			block := make([]byte, 1<<20)
			b.SetBytes(int64(lines.Len()))
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(object)
				if err := r.Reset(body); err != nil {
					b.Fatal(err)
				}
				for err = error(nil); err == nil; {
					_, err = r.Read(block)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}
