package format_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
)

// sequenceFile writes SequenceFiles byte by byte, as the format's description
// has them.
type sequenceFile struct {
	key, value string // short class names
	codec      string // "" for none
	block      bool
	perBlock   int
}

var syncMark = []byte("0123456789abcdef")

func vint(n int64) []byte {
	if n >= -112 && n <= 127 {
		return []byte{byte(n)}
	}
	first, bits := -112, uint64(n)
	if n < 0 {
		first, bits = -120, ^uint64(n)
	}
	b := binary.BigEndian.AppendUint64(nil, bits)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return append([]byte{byte(first - len(b))}, b...)
}

func hadoopText(s string) []byte { return append(vint(int64(len(s))), s...) }

func (f sequenceFile) pack(plain []byte) []byte {
	var b bytes.Buffer
	through := func(w io.WriteCloser) {
		_, err := w.Write(plain)
		if err := errors.Join(err, w.Close()); err != nil {
			panic(err)
		}
	}
	switch f.codec {
	case "":
		return plain
	case "DefaultCodec":
		through(zlib.NewWriter(&b))
	case "GzipCodec":
		through(gzip.NewWriter(&b))
	case "ZStandardCodec":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			panic(err)
		}
		through(z)
	case "SnappyCodec": // two chunks in a block
		out := binary.BigEndian.AppendUint32(nil, uint32(len(plain)))
		for _, part := range [][]byte{plain[:len(plain)/2], plain[len(plain)/2:]} {
			if len(part) > 0 {
				packed := snappy.Encode(nil, part)
				out = append(binary.BigEndian.AppendUint32(out, uint32(len(packed))), packed...)
			}
		}
		return out
	}
	return b.Bytes()
}

type pair struct{ key, value []byte } // as their classes write them

func (f sequenceFile) write(pairs []pair) []byte {
	var b []byte
	number := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }
	b = append(b, "SEQ\x06"...)
	b = append(b, hadoopText("org.apache.hadoop.io."+f.key)...)
	b = append(b, hadoopText("org.apache.hadoop.io."+f.value)...)
	flag := map[bool]byte{true: 1}
	b = append(b, flag[f.codec != ""], flag[f.block])
	if f.codec != "" {
		b = append(b, hadoopText("org.apache.hadoop.io.compress."+f.codec)...)
	}
	number(1)
	b = append(append(b, hadoopText("writer")...), hadoopText("a test")...)
	b = append(b, syncMark...)
	if f.block {
		for start := 0; start < len(pairs); start += f.perBlock {
			some := pairs[start:min(start+f.perBlock, len(pairs))]
			var keyLengths, keys, valueLengths, values []byte
			for _, p := range some {
				keyLengths, keys = append(keyLengths, vint(int64(len(p.key)))...), append(keys, p.key...)
				valueLengths, values = append(valueLengths, vint(int64(len(p.value)))...), append(values, p.value...)
			}
			number(-1)
			b = append(append(b, syncMark...), vint(int64(len(some)))...)
			for _, part := range [][]byte{keyLengths, keys, valueLengths, values} {
				packed := f.pack(part)
				b = append(append(b, vint(int64(len(packed)))...), packed...)
			}
		}
		return b
	}
	for i, p := range pairs {
		if i > 0 && i%f.perBlock == 0 {
			number(-1)
			b = append(b, syncMark...)
		}
		value := f.pack(p.value)
		number(len(p.key) + len(value))
		number(len(p.key))
		b = append(append(b, p.key...), value...)
	}
	return b
}

func bytesWritable(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

func longWritable(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func readSequence(file []byte, limits format.Limits) (lines []string, err error) {
	records, err := format.NewSequence(bytes.NewReader(file), limits)
	if err != nil {
		return nil, err
	}
	for {
		line, err := records.Next(nil)
		var bad *decode.BadRecord
		switch {
		case err == io.EOF:
			return lines, nil
		case errors.As(err, &bad):
			line = []byte("bad " + string(bad.Reason))
		case err != nil:
			return lines, err
		}
		lines = append(lines, string(line))
	}
}

// TestSequenceFiles: every way of compression gives the same records.
func TestSequenceFiles(t *testing.T) {
	values := []string{`{"id":1}`, "", strings.Repeat("long ", 5000), "\x00\xff"}
	for _, codec := range []string{"", "DefaultCodec", "GzipCodec", "ZStandardCodec", "SnappyCodec"} {
		for _, block := range []bool{false, true} {
			for _, class := range []string{"BytesWritable", "Text"} {
				if block && codec == "" {
					continue
				}
				f := sequenceFile{key: "LongWritable", value: class, codec: codec, block: block, perBlock: 3}
				var pairs []pair
				var want []string
				for i := range 20 {
					v := values[i%len(values)]
					body := bytesWritable(v)
					if class == "Text" {
						body = hadoopText(v)
					}
					pairs = append(pairs, pair{longWritable(int64(i) * 1000), body})
					text := `"` + base64.StdEncoding.EncodeToString([]byte(v)) + `"`
					if v == "" {
						text = "null"
					}
					want = append(want, fmt.Sprintf(`{"offset":%d,"value":%s}`, i*1000, text))
				}
				got, err := readSequence(f.write(pairs), format.Limits{})
				if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("%+v: %v, %d records", f, err, len(got))
				}
			}
		}
	}
}

// Keys of Secor's MessagePack files: {1: offset, 2: key, 3: timestamp}.
func TestSecorKeys(t *testing.T) {
	f := sequenceFile{key: "BytesWritable", value: "BytesWritable", perBlock: 10}
	for key, want := range map[string]string{
		"\x81\x01\x05": `"offset":5`,
		"\x83\x01\xcd\x01\x00\x02\xc4\x02ab\x03\xcf\x00\x00\x01\x9a\x00\x00\x00\x00": `"offset":256,"key":"YWI=","timestamp":1760936591360`,
		"\xde\x00\x02\x01\xd3\x00\x00\x00\x02\x00\x00\x00\x00\x02\xa1k":              `"offset":8589934592,"key":"aw=="`,
		"\x82\x01\xce\xff\xff\xff\xff\x03\xff":                                       `"offset":4294967295,"timestamp":-1`,
		"\x81\x02\xa1k":                                                              "bad no_envelope", // no offset
		"\x82\x01\x05\x01\x06":                                                       "bad no_envelope", // two
		"\x81\x04\x05":                                                               "bad no_envelope",
		"\x81\x01\x05\x00":                                                           "bad no_envelope",
		"\x81\x01":                                                                   "bad no_envelope",
		"\x81\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff":                               "bad no_envelope",
		"": "bad no_envelope",
	} {
		if !strings.HasPrefix(want, "bad") {
			want = "{" + want + `,"value":"dg=="}`
		}
		got, err := readSequence(f.write([]pair{{bytesWritable(key), bytesWritable("v")}}), format.Limits{})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%q: %v %q, want %q", key, err, got, want)
		}
	}
}

func TestSequenceFilesThatCantBeRead(t *testing.T) {
	good := sequenceFile{key: "LongWritable", value: "BytesWritable", perBlock: 2}
	pairs := []pair{{longWritable(1), bytesWritable("aa")}, {longWritable(2), bytesWritable("bb")}, {longWritable(3), bytesWritable("cc")}}
	file := good.write(pairs)
	blocks := sequenceFile{key: "LongWritable", value: "BytesWritable", codec: "DefaultCodec", block: true, perBlock: 3}.write(pairs)
	for name, test := range map[string]struct {
		file []byte
		code fail.Code
		want string
	}{
		"version": {append([]byte("SEQ\x04"), file[4:]...), fail.Damaged, `begins with "SEQ\x04"`},
		"keys":    {sequenceFile{key: "IntWritable", value: "BytesWritable", perBlock: 9}.write(nil), fail.BadLayout, "IntWritable"},
		"values":  {sequenceFile{key: "LongWritable", value: "MapWritable", perBlock: 9}.write(nil), fail.BadLayout, "MapWritable"},
		"codec":   {sequenceFile{key: "LongWritable", value: "Text", codec: "LzoCodec", perBlock: 9}.write(nil), fail.BadLayout, "LzoCodec"},
		"empty":   {nil, fail.Damaged, "unexpected EOF"},
		"header":  {file[:60], fail.Damaged, "unexpected EOF"},
		"cut":     {file[:len(file)-1], fail.Damaged, "unexpected EOF"},
		"sync":    {bytes.Replace(file, append([]byte{255, 255, 255, 255}, syncMark...), append([]byte{255, 255, 255, 255}, "fedcba9876543210"...), 1), fail.Damaged, "sync marker after record 2"},
		"length":  {bytes.Replace(file, []byte{0, 0, 0, 2, 'a', 'a'}, []byte{0, 0, 0, 3, 'a', 'a'}, 1), fail.Damaged, "BytesWritable does not have the length"},
		"block":   {blocks[:len(blocks)-3], fail.Damaged, "unexpected EOF"},
	} {
		_, err := readSequence(test.file, format.Limits{})
		if !fail.Is(err, test.code) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s: %v", name, fail.CodeOf(err), err)
		}
	}
	// A record that is too long is stepped over.
	long := good.write([]pair{pairs[0], {longWritable(2), bytesWritable(strings.Repeat("x", 2000))}, pairs[2]})
	got, err := readSequence(long, format.Limits{RecordBytes: 1000})
	if err != nil || len(got) != 3 || got[1] != "bad too_long" || got[2] != `{"offset":3,"value":"Y2M="}` {
		t.Errorf("%v %q", err, got)
	}
}

// TestSequenceVInts are numbers of every length, through the header's texts too.
func TestSequenceVInts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 70_000).Draw(rt, "length")
		f := sequenceFile{key: "LongWritable", value: "Text", codec: "DefaultCodec", block: true, perBlock: rapid.IntRange(1, 300).Draw(rt, "block")}
		offset := rapid.Int64Range(0, 1<<62).Draw(rt, "offset")
		var pairs []pair
		for range rapid.IntRange(1, 300).Draw(rt, "records") {
			pairs = append(pairs, pair{longWritable(offset), hadoopText(strings.Repeat("v", n%500))})
		}
		pairs = append(pairs, pair{longWritable(offset), hadoopText(strings.Repeat("v", n))})
		got, err := readSequence(f.write(pairs), format.Limits{})
		if err != nil || len(got) != len(pairs) || !strings.HasPrefix(got[0], fmt.Sprintf(`{"offset":%d,`, offset)) {
			rt.Fatalf("%v, %d of %d records", err, len(got), len(pairs))
		}
	})
}

func FuzzSequence(f *testing.F) {
	pairs := []pair{{longWritable(1), bytesWritable("aa")}, {longWritable(2), bytesWritable("bb")}, {longWritable(3), bytesWritable("")}}
	for _, s := range []sequenceFile{
		{key: "LongWritable", value: "BytesWritable", perBlock: 2}, {key: "LongWritable", value: "BytesWritable", codec: "SnappyCodec", block: true, perBlock: 2},
		{key: "LongWritable", value: "BytesWritable", codec: "GzipCodec", perBlock: 2}, {key: "BytesWritable", value: "BytesWritable", perBlock: 2},
	} {
		f.Add(s.write(pairs))
	}
	f.Add(sequenceFile{key: "BytesWritable", value: "Text", perBlock: 2}.write([]pair{{bytesWritable("\x83\x01\x05\x02\xa1k\x03\x07"), hadoopText("v")}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		lines, err := readSequence(file, format.Limits{RecordBytes: 1 << 20})
		if err != nil && fail.CodeOf(err) == fail.Internal {
			t.Error(err)
		}
		if len(lines) > len(file)*1100 {
			t.Errorf("%d records of %d bytes", len(lines), len(file))
		}
	})
}
