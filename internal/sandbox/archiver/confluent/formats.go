package confluent

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/formats"
)

// Format classes, without their package.
const (
	formatJSON    = "JsonFormat"
	formatAvro    = "AvroFormat"
	formatParquet = "ParquetFormat"
	formatBytes   = "ByteArrayFormat"
)

// view is the part of a record that a file holds.
type view string

const (
	viewValue   view = ""
	viewKeys    view = ".keys"
	viewHeaders view = ".headers"
)

// format is a format class with its settings.
type format struct {
	class     string
	codec     string // of whole bodies: none, gzip
	inner     string // of Avro's blocks or of Parquet's pages
	extension string
	separator string
}

// parquetSuffixes are the first parts of extensions, by codec.
var parquetSuffixes = map[string]string{"none": "", "snappy": ".snappy", "gzip": ".gz", "zstd": ".zstd", "brotli": ".br", "lz4raw": ".lz4raw"}

// readFormat reads the class that a setting names. A codec of the command line is that of the value's format.
func readFormat(r *reader, setting string, c archiver.Config) format {
	f := format{class: r.choice(setting, formatJSON, formatAvro, formatParquet, formatBytes), codec: archiver.None}
	asked := c.Codec
	if setting != setFormat {
		asked = ""
	}
	switch f.class {
	case formatAvro:
		f.inner = r.choice(setAvro, "null", "deflate", "snappy")
		f.extension = ".avro"
	case formatParquet:
		f.inner = r.choice(setParquet, "none", "snappy", "gzip", "zstd", "brotli", "lz4raw")
		f.extension = parquetSuffixes[f.inner] + ".parquet"
	default:
		f.codec = r.choice(setCompress, archiver.None, archiver.Gzip)
		if asked != "" {
			f.codec = asked
		}
		r.check(f.codec == archiver.None || f.codec == archiver.Gzip, "codec %s: the connector writes %s as it is or with gzip", f.codec, f.class)
		f.extension = ".json"
		if f.class == formatBytes {
			f.extension = r.settings[setExtension]
			f.separator = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(r.settings[setSeparator])
			r.check(f.separator != "", "%s is blank: nothing would tell events apart that are no JSON", setSeparator)
		}
		asked = ""
	}
	r.check(asked == "", "codec %s: %s compresses inside, see %s and %s", asked, f.class, setAvro, setParquet)
	return f
}

// typed reports that values are held by a schema.
func (f *format) typed() bool { return f.class == formatAvro || f.class == formatParquet }

// checked reports that half of an object can't be read.
func (f *format) checked() bool { return f.typed() || f.codec != archiver.None }

// suffix is the end of a name.
func (f *format) suffix() string {
	if f.codec == archiver.Gzip {
		return f.extension + ".gz"
	}
	return f.extension
}

// other is the format after the connector's compression was set anew; ok is false where names do not show it.
func (f format) other() (_ format, ok bool) {
	switch f.class {
	case formatAvro:
		return f, false
	case formatParquet:
		if f.inner == "gzip" {
			f.inner = "snappy"
		} else {
			f.inner = "gzip"
		}
		f.extension = parquetSuffixes[f.inner] + ".parquet"
		return f, true
	}
	if f.codec == archiver.Gzip {
		f.codec = archiver.None
	} else {
		f.codec = archiver.Gzip
	}
	return f, true
}

// encode returns the body of a file of one view of records.
func (f *format) encode(v view, key string, log []archiver.Record, rows []int) ([]byte, error) {
	if f.typed() {
		return f.encodeTyped(v, key, log, rows)
	}
	var body []byte
	for _, i := range rows {
		line, err := f.line(v, &log[i])
		if err != nil {
			return nil, err
		}
		body = append(body, line...)
		if f.class == formatJSON {
			body = append(body, '\n')
		} else {
			body = append(body, f.separator...)
		}
	}
	return archiver.Pack(f.codec, body)
}

func (f *format) line(v view, r *archiver.Record) ([]byte, error) {
	switch {
	case v == viewValue:
		if f.class == formatBytes && strings.Contains(string(r.Value), f.separator) {
			return nil, fmt.Errorf("the value at offset %d holds the separator %q: choose another %s", r.Offset, f.separator, setSeparator)
		}
		if f.class == formatJSON {
			return batch.Value(*r), nil
		}
		return r.Value, nil
	case v == viewHeaders:
		return jsonHeaders(r.Headers)
	case r.Key == nil:
		return nil, fmt.Errorf("the record at offset %d has no key, and %s is on", r.Offset, setKeys)
	case f.class == formatBytes:
		return r.Key, nil
	}
	return json.Marshal(string(r.Key))
}

// jsonHeaders renders {"headers":[{"key":..,"value":..}]}.
func jsonHeaders(headers []archiver.Header) ([]byte, error) {
	type header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	all := make([]header, len(headers))
	for i, h := range headers {
		all[i] = header{h.Key, batch.HeaderText(h)}
	}
	return json.Marshal(map[string]any{"headers": all})
}

const headerArray = `{"type":"array","items":{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro",` +
	`"fields":[{"name":"key","type":"string"},{"name":"value","type":"string"}]}}`

// schema is what a typed file of a view holds: the value's own; a key alone, or in a record where records are wanted.
func (f *format) schema(v view) string {
	switch {
	case v == viewValue:
		return formats.PaymentSchema
	case v == viewKeys && f.class == formatAvro:
		return `"string"`
	case v == viewKeys:
		return formats.RecordSchema("RecordKey", "io.confluent.connect.s3", `key "string"`)
	case f.class == formatAvro:
		return headerArray
	}
	return formats.RecordSchema("RecordHeaders", "io.confluent.connect.s3", "headers "+headerArray)
}

func (f *format) datum(v view, r *archiver.Record) (any, error) {
	switch v {
	case viewValue:
		return formats.Payment(r.Value)
	case viewKeys:
		if f.class == formatAvro {
			return string(r.Key), nil
		}
		return map[string]any{"key": string(r.Key)}, nil
	}
	all := make([]any, len(r.Headers))
	for i, h := range r.Headers {
		all[i] = map[string]any{"key": h.Key, "value": batch.HeaderText(h)}
	}
	if f.class == formatAvro {
		return all, nil
	}
	return map[string]any{"headers": all}, nil
}

func (f *format) encodeTyped(v view, key string, log []archiver.Record, rows []int) ([]byte, error) {
	var body bytes.Buffer
	var file interface {
		Append(datum any) error
		Close() error
	}
	var err error
	if f.class == formatAvro {
		sum := sha256.Sum256([]byte(key)) // the mark between blocks, which the connector draws
		file, err = formats.NewAvroFile(&body, f.schema(v), f.inner, [16]byte(sum[:16]))
	} else {
		file, err = formats.NewParquetFile(&body, f.schema(v), f.inner)
	}
	if err != nil {
		return nil, err
	}
	for _, i := range rows {
		datum, err := f.datum(v, &log[i])
		if err == nil {
			err = file.Append(datum)
		}
		if err != nil {
			return nil, fmt.Errorf("the record at offset %d: %w", log[i].Offset, err)
		}
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
