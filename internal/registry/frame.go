package registry

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/zlib"

	"backfill/internal/decode"
)

// Framing is how values name their schema.
type Framing string

// The framings. Values of Confluent's may name it in a header instead, where
// headers were archived.
const (
	Confluent Framing = "confluent"
	Glue      Framing = "glue"
)

const (
	magicPrefix = 0x00
	magicHeader = 0x01
	magicGlue   = 0x03

	prefixSize = 1 + 4
	guidSize   = 16
	glueSize   = 2 + guidSize

	glueZlib = 0x05
)

// HeaderName is the Kafka header that names the schema of a value.
const HeaderName = "__value_schema_id"

// frame is a value taken apart.
type frame struct {
	id      string
	indexes []byte // of a Protobuf message, where the header has them; nil: the body begins with them
	body    []byte
}

func bad(reason decode.Reason, format string, args ...any) error {
	return &decode.BadRecord{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// split takes a value apart; header is the value of HeaderName, nil for none.
func (d *Decoder) split(value, header []byte) (frame, error) {
	if header != nil {
		if len(header) < 1+guidSize || header[0] != magicHeader {
			return frame{}, bad(decode.NotFramed, "the header %s holds no schema id", HeaderName)
		}
		return frame{id: uuid(header[1:]), indexes: header[1+guidSize : len(header) : len(header)], body: value}, nil
	}
	if d.framing == Glue {
		return d.splitGlue(value)
	}
	if len(value) < prefixSize || value[0] != magicPrefix {
		return frame{}, bad(decode.NotFramed, "the value of %d bytes does not begin with 00 and a schema id", len(value))
	}
	return frame{id: strconv.FormatUint(uint64(binary.BigEndian.Uint32(value[1:])), 10), body: value[prefixSize:]}, nil
}

func (d *Decoder) splitGlue(value []byte) (frame, error) {
	if len(value) < glueSize || value[0] != magicGlue {
		return frame{}, bad(decode.NotFramed, "the value of %d bytes does not begin with 03, its compression and a schema version's UUID", len(value))
	}
	f := frame{id: uuid(value[2:]), body: value[glueSize:]}
	switch value[1] {
	case 0:
		return f, nil
	case glueZlib:
		var err error
		f.body, err = d.inflate(f.body)
		return f, err
	}
	return f, bad(decode.NotFramed, "the value is compressed in the unknown way %d", value[1])
}

// inflate decompresses a body of Glue's.
func (d *Decoder) inflate(body []byte) ([]byte, error) {
	refuse := func(err error) ([]byte, error) {
		return nil, bad(decode.BadBody, "the compressed value is damaged: %v", err)
	}
	d.packed.Reset(body)
	var err error
	if d.zlib == nil {
		d.zlib, err = zlib.NewReader(&d.packed)
	} else {
		err = d.zlib.(zlib.Resetter).Reset(&d.packed, nil)
	}
	if err != nil {
		d.zlib = nil
		return refuse(err)
	}
	d.plain.Reset()
	n, err := d.plain.ReadFrom(io.LimitReader(d.zlib, int64(d.most)+1))
	switch {
	case err != nil:
		return refuse(err)
	case n > int64(d.most):
		return nil, bad(decode.TooLong, "the value decompresses to more than %d bytes", d.most)
	}
	return d.plain.Bytes(), nil
}

// uuid spells 16 bytes.
func uuid(b []byte) string {
	var text [36]byte
	hex.Encode(text[0:], b[0:4])
	hex.Encode(text[9:], b[4:6])
	hex.Encode(text[14:], b[6:8])
	hex.Encode(text[19:], b[8:10])
	hex.Encode(text[24:], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
