package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/formats"
)

// UUID returns the UUID number n of a kind, always the same for a seed.
func UUID(seed uint64, kind string, n int) string {
	h := hash(seed, kind, n)
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	s := hex.EncodeToString(h[:16])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// Hex returns up to 64 hexadecimal digits that depend on the same.
func Hex(seed uint64, kind string, n, digits int) string {
	h := hash(seed, kind, n)
	return hex.EncodeToString(h[:])[:digits]
}

func hash(seed uint64, kind string, n int) [32]byte {
	text := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(n))
	return sha256.Sum256(append(text, kind...))
}

// Value is a record's value as JSON has it: null where it is a tombstone, bytes in base64.
func Value(r archiver.Record) []byte {
	switch {
	case r.Value == nil:
		return []byte("null")
	case r.Bytes:
		return []byte(`"` + base64.StdEncoding.EncodeToString(r.Value) + `"`)
	}
	return r.Value
}

// HeaderText is a header's value as text: bytes in base64.
func HeaderText(h archiver.Header) string {
	if h.Binary {
		return base64.StdEncoding.EncodeToString([]byte(h.Value))
	}
	return h.Value
}

// Lines writes each record behind the others, each ended by end.
func Lines(end string, form func(archiver.Record) []byte) func(Upload) ([]byte, error) {
	return func(u Upload) ([]byte, error) {
		var b bytes.Buffer
		for _, r := range u.Records {
			b.Write(form(r))
			b.WriteString(end)
		}
		return b.Bytes(), nil
	}
}

// Joined writes text around and between the records.
func Joined(before, between, after string, form func(archiver.Record) []byte) func(Upload) ([]byte, error) {
	return func(u Upload) ([]byte, error) {
		var b bytes.Buffer
		for i, r := range u.Records {
			if i > 0 {
				b.WriteString(between)
			} else {
				b.WriteString(before)
			}
			b.Write(form(r))
		}
		b.WriteString(after)
		return b.Bytes(), nil
	}
}

// Text is a string in JSON.
func Text(s []byte) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(string(s)) != nil { // a string always encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TextOrNull is a string in JSON, null for nil.
func TextOrNull(s []byte) string {
	if s == nil {
		return "null"
	}
	return Text(s)
}

// file is an Avro or Parquet file being written.
type file interface {
	Append(datum any) error
	Close() error
}

// Avro writes an object container file of the datums of an upload.
func Avro(codec string, schema func(Upload) string, form func(archiver.Record) (map[string]any, error)) func(Upload) ([]byte, error) {
	return func(u Upload) ([]byte, error) {
		var b bytes.Buffer
		first := u.First()
		var sync [16]byte
		sum := hash(uint64(first.Offset), "sync", first.Partition)
		copy(sync[:], sum[:])
		f, err := formats.NewAvroFile(&b, schema(u), codec, sync)
		if err != nil {
			return nil, err
		}
		return fill(f, &b, u, form)
	}
}

// Parquet writes a Parquet file of them.
func Parquet(codec string, schema func(Upload) string, form func(archiver.Record) (map[string]any, error)) func(Upload) ([]byte, error) {
	return func(u Upload) ([]byte, error) {
		var b bytes.Buffer
		f, err := formats.NewParquetFile(&b, schema(u), codec)
		if err != nil {
			return nil, err
		}
		return fill(f, &b, u, form)
	}
}

func fill(f file, b *bytes.Buffer, u Upload, form func(archiver.Record) (map[string]any, error)) ([]byte, error) {
	for _, r := range u.Records {
		datum, err := form(r)
		if err == nil {
			err = f.Append(datum)
		}
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", r.Offset, err)
		}
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Payment is the datum of a record whose value is the file's record itself.
func Payment(r archiver.Record) (map[string]any, error) { return formats.Payment(r.Value) }

// PaymentSchema is the schema of such a file.
func PaymentSchema(Upload) string { return formats.PaymentSchema }

// NullableText is the Avro type of text that may be missing.
const NullableText = `["null","string"]`
