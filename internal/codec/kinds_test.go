package codec

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/snappy"
	"github.com/pierrec/lz4/v4"

	"backfill/internal/fail"
)

// xerial spells the stream of xerial's library, by its format.
func xerial(blocks ...string) string {
	out := xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01"
	for _, block := range blocks {
		packed := snappy.Encode(nil, []byte(block))
		out += string(binary.BigEndian.AppendUint32(nil, uint32(len(packed)))) + string(packed)
	}
	return out
}

// hadoop spells one block of Hadoop's framing with a chunk for each text.
func hadoop(chunks ...string) string {
	out := string(binary.BigEndian.AppendUint32(nil, uint32(len(strings.Join(chunks, "")))))
	for _, chunk := range chunks {
		packed := snappy.Encode(nil, []byte(chunk))
		out += string(binary.BigEndian.AppendUint32(nil, uint32(len(packed)))) + string(packed)
	}
	return out
}

func closed(t testing.TB, w io.WriteCloser, b *bytes.Buffer, text string) string {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func framed(t testing.TB, text string) string {
	var b bytes.Buffer
	return closed(t, snappy.NewBufferedWriter(&b), &b, text)
}

func lz4Frame(t testing.TB, text string) string {
	var b bytes.Buffer
	return closed(t, lz4.NewWriter(&b), &b, text)
}

func zz(t testing.TB, text string) string {
	var b bytes.Buffer
	return closed(t, zlib.NewWriter(&b), &b, text)
}

// zipOf returns an archive with one entry a text; sizes follow the data.
func zipOf(t testing.TB, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, text := range texts {
		entry, err := w.Create(fmt.Sprintf("entry-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// made returns a file that another program wrote: see testdata/README.md.
func made(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKinds(t *testing.T) {
	big := strings.Repeat(text, 20000)
	tests := []struct{ name, object, kind, want string }{
		{"xerial", xerial(text), SnappyXerial, text},
		{"xerial blocks", xerial("{", "", "}", big), SnappyXerial, "{}" + big},
		{"xerial of nothing", xerial(), SnappyXerial, ""},
		{"xerial streams", xerial("{") + xerial("}", big), SnappyXerial, "{}" + big},
		{"framed", framed(t, big), SnappyFramed, big},
		{"framed streams", framed(t, "{") + framed(t, "}"), SnappyFramed, "{}"},
		{"hadoop", hadoop(text), SnappyHadoop, text},
		{"hadoop chunks and blocks", hadoop(text, big) + hadoop(big), SnappyHadoop, text + big + big},
		{"raw", string(snappy.Encode(nil, []byte(text))), SnappyRaw, text},
		{"raw and large", string(snappy.Encode(nil, []byte(big))), SnappyRaw, big},
		{"raw of 123 bytes, which begins like an object", string(snappy.Encode(nil, []byte(strings.Repeat("x", 61)+strings.Repeat("yz", 31)))), SnappyRaw, strings.Repeat("x", 61) + strings.Repeat("yz", 31)},
		{"an object with a space, not snappy", `{ "a":1}`, Plain, `{ "a":1}`},
		{"text of other letters, not snappy", "\xc3\xa4 \xc3\xb6" + big, Plain, "\xc3\xa4 \xc3\xb6" + big},
		{"lz4", lz4Frame(t, big), LZ4, big},
		{"lz4 frames", lz4Frame(t, "{") + lz4Frame(t, "}") + lz4Frame(t, big), LZ4, "{}" + big},
		{"zlib", zz(t, big), Zlib, big},
		{"zip", zipOf(t, big), Zip, big},
		{"zip of two entries", zipOf(t, text, big), Zip, text + big},
		{"zip of nothing", zipOf(t), Zip, ""},
		{"gzip around Avro's magic", gz(t, "Obj\x01"), Gzip, "Obj\x01"},
		{"bzip2 by its program", made(t, "lines.bz2"), Bzip2, lines},
		{"bzip2 streams", made(t, "lines.bz2") + made(t, "lines.bz2"), Bzip2, lines + lines},
		{"xz by its program", made(t, "lines.xz"), XZ, lines},
		{"xz streams", made(t, "lines.xz") + made(t, "lines.xz"), XZ, lines + lines},
		{"zip by Python, stored", made(t, "stored.zip"), Zip, lines},
		{"zip by Python, deflated", made(t, "deflated.zip"), Zip, lines},
		{"zlib by Python", made(t, "lines.zz"), Zlib, lines},
		{"xerial by kafka-python", made(t, "xerial.snappy"), SnappyXerial, lines},
		{"framed by cramjam", made(t, "framed.snappy"), SnappyFramed, lines},
		{"raw by cramjam", made(t, "raw.snappy"), SnappyRaw, lines},
		{"lz4 by its C library", made(t, "lines.lz4"), LZ4, lines},
	}
	r, err := Open(strings.NewReader("warm up"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, body := range map[string]io.Reader{
				"whole": strings.NewReader(test.object), "halves": iotest.HalfReader(strings.NewReader(test.object)),
				"end with data": iotest.DataErrReader(strings.NewReader(test.object)),
			} {
				if err := r.Reset(body); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != test.want || r.Kind() != test.kind {
					t.Errorf("%s: %d bytes of %s, %v, want %d of %s", name, len(got), r.Kind(), err, len(test.want), test.kind)
				}
			}
		})
	}
}

// lines is what the files in testdata hold.
var lines = strings.Repeat("{\"event_id\":\"e-1\",\"gross_amount\":\"1234567890123456.78\"}\n", 40)

// TestKindsCutOff cuts objects at every byte: none may pass as whole but where
// a stream or block ends. Snappy by blocks has no mark of its end.
func TestKindsCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		from   int // bytes that tell the kind
	}{
		"xerial": {xerial(text, text+text), 16}, "framed": {framed(t, text), 11}, "hadoop": {hadoop(text, text+text), 14},
		"lz4": {lz4Frame(t, text), 4}, "zlib": {zz(t, text), 2}, "zip": {zipOf(t, text), 4},
		"bzip2": {made(t, "lines.bz2"), 10}, "xz": {made(t, "lines.xz"), 6},
	} {
		sound := map[int]bool{}
		if name == "xerial" {
			sound[16], sound[len(xerial(text))] = true, true
		}
		if name == "framed" {
			sound[10] = true
		}
		for n := c.from; n < len(c.object); n++ {
			r, err := Open(strings.NewReader(c.object[:n]), Limits{})
			if err == nil {
				_, err = io.ReadAll(r)
			}
			if sound[n] {
				if err != nil {
					t.Errorf("%s: cut at %d, where a block ends: %v", name, n, err)
				}
				continue
			}
			if !fail.Is(err, fail.Damaged) {
				t.Errorf("%s: cut at %d of %d: %v", name, n, len(c.object), err)
			}
		}
		r, err := Open(strings.NewReader(c.object+"garbage!"), Limits{})
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !fail.Is(err, fail.Damaged) {
			t.Errorf("%s with garbage behind: %v", name, err)
		}
	}
}

func TestKindsRefused(t *testing.T) {
	bomb := strings.Repeat("x", 3<<20)
	flipped := []byte(zipOf(t, text))
	flipped[30+len("entry-0")+3] ^= 0x40
	tests := []struct {
		name, object string
		limits       Limits
		want         string
	}{
		{"a block that claims too much", xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01\x7f\xff\xff\xff", Limits{},
			"the snappy (xerial framing) object needs more than the 134217728 bytes of memory allowed for one frame; 0 bytes were decoded: a snappy block is larger than allowed"},
		{"a raw length that its bytes can't give", xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x05\xff\xff\xff\x07\x00", Limits{},
			"the snappy (xerial framing) object is corrupt; 0 bytes were decoded: the snappy data is invalid"},
		{"a later version", xerialMagic + "\x00\x00\x00\x02\x00\x00\x00\x02", Limits{},
			"the snappy (xerial framing) object uses a part of its format that is not read; 0 bytes were decoded: the snappy stream needs a later version of its format"},
		{"more bytes than are allowed", framed(t, bomb), Limits{Bytes: 1 << 20}, "the snappy (standard framing) object decodes to more than 1048576 bytes, the limit for one object"},
		{"a twice packed bomb", gz(t, gz(t, bomb)), Limits{Bytes: 1 << 20}, "inside the gzip object: the gzip object decodes to more than 1048576 bytes, the limit for one object"},
		{"a dictionary that is too large", made(t, "lines.xz"), Limits{Window: 4096},
			"the xz object needs more than the 4096 bytes of memory allowed for one frame; 0 bytes were decoded: xz: LZMA2 dictionary size exceeds max"},
		{"an encrypted entry", "PK\x03\x04\x14\x00\x01\x00\x08\x00" + strings.Repeat("\x00", 20), Limits{},
			"the zip object uses a part of its format that is not read; 0 bytes were decoded: a zip entry is encrypted or compressed by another method than deflate"},
		{"damage inside", gz(t, gz(t, text)[:20]), Limits{}, "inside the gzip object: the gzip object is cut off; 13 bytes were decoded: unexpected EOF"},
	}
	for _, test := range tests {
		r, err := Open(strings.NewReader(test.object), test.limits)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err == nil || err.Error() != test.want || !fail.Is(err, fail.Damaged) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	r, err := Open(bytes.NewReader(flipped), Limits{})
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if !fail.Is(err, fail.Damaged) {
		t.Errorf("a flipped bit in a zip entry: %v", err)
	}
}

// FuzzKinds looks for panics, for errors without a code, and for objects that
// give other bytes when they come in pieces.
func FuzzKinds(f *testing.F) {
	for _, object := range []string{
		xerial(text, text), hadoop(text, text), framed(f, text), string(snappy.Encode(nil, []byte(text))), lz4Frame(f, text),
		zz(f, text), zipOf(f, text), made(f, "lines.bz2"), made(f, "lines.xz"), gz(f, xerial(text)),
	} {
		f.Add([]byte(object))
	}
	limits := Limits{Bytes: 1 << 20, Window: 1 << 20}
	read := func(r io.Reader) (string, error) {
		d, err := Open(r, limits)
		if err != nil {
			return "", err
		}
		got, err := io.ReadAll(d)
		return string(got), err
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		whole, err := read(bytes.NewReader(object))
		pieces, err2 := read(iotest.HalfReader(bytes.NewReader(object)))
		if err == nil != (err2 == nil) || err == nil && whole != pieces {
			t.Fatalf("whole: %d bytes, %v; in pieces: %d bytes, %v", len(whole), err, len(pieces), err2)
		}
		if err != nil && !fail.Is(err, fail.Damaged) && !fail.Is(err, fail.BadLayout) {
			t.Fatalf("not coded: %v", err)
		}
	})
}
