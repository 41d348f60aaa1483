package redshiftd

import (
	"encoding/binary"
	"math/big"
	"strconv"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/jackc/pgx/v5/pgproto3"
)

// protocolVersion is how far a session goes beyond PostgreSQL's protocol. Amazon's own drivers ask for a version at
// start-up by client_protocol_version and use what the server answers as server_protocol_version; all other clients
// speak version 0.
type protocolVersion int

const (
	baseProtocol     protocolVersion = iota
	extendedMetadata                 // RowDescription tells more of every column
	binaryNumeric                    // NUMERIC in binary is a scaled integer of 8 or 16 bytes, which is not PostgreSQL's form
)

// driverParameters are what Amazon's drivers send at start-up beside the settings. They are read once and are no
// settings: SET does not know them.
var driverParameters = map[string]bool{"client_protocol_version": true, "driver_version": true, "os_version": true, "driver_discovery_version": true}

// agree settles the protocol version that a client asks for: at most the newest there is.
func agree(asked string) (protocolVersion, error) {
	n, err := strconv.Atoi(asked)
	if err != nil || n < 0 {
		return 0, strict("client_protocol_version %q is not supported", asked)
	}
	return min(protocolVersion(n), binaryNumeric), nil
}

// extendedRowDescription is a RowDescription from version 1 on: each field goes on with its schema, table, column and
// catalog and with flags. The stand-in does not follow columns to their tables, so the names are empty, as Redshift
// leaves them for expressions.
type extendedRowDescription struct{ pgproto3.RowDescription }

// columnFlags say that a column is nullable (bit 0) and searchable (bit 12), and neither counted up (4) nor read-only (8).
const columnFlags = 1<<0 | 1<<12

// Encode appends the message to dst.
func (d *extendedRowDescription) Encode(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 'T', 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(d.Fields)))
	for _, f := range d.Fields {
		dst = append(append(dst, f.Name...), 0)
		dst = binary.BigEndian.AppendUint32(dst, f.TableOID)
		dst = binary.BigEndian.AppendUint16(dst, f.TableAttributeNumber)
		dst = binary.BigEndian.AppendUint32(dst, f.DataTypeOID)
		dst = binary.BigEndian.AppendUint16(dst, uint16(f.DataTypeSize))
		dst = binary.BigEndian.AppendUint32(dst, uint32(f.TypeModifier))
		dst = binary.BigEndian.AppendUint16(dst, uint16(f.Format))
		dst = append(dst, 0, 0, 0, 0) // schema, table, column, catalog
		dst = binary.BigEndian.AppendUint16(dst, columnFlags)
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	return dst, nil
}

func (s *session) rowsDescription(cols []output, formats []int16) pgproto3.BackendMessage {
	d := rowDescription(cols, formats)
	if s.protocol >= extendedMetadata {
		return &extendedRowDescription{*d}
	}
	return d
}

// checkFormat refuses binary results whose form differs from PostgreSQL's or is not known.
func (s *session) checkFormat(t typ, format int16) error {
	if format != 1 {
		return nil
	}
	switch t.kind {
	case kNumeric:
		if s.protocol >= binaryNumeric {
			return nil
		}
		return strict("%s in binary format is not supported", t.name())
	case kSuper, kInterval:
		return strict("%s in binary format is not supported", t.name())
	}
	return nil
}

// checkScales refuses binary NUMERIC whose scale is another than Describe told: the client would shift the point. It is so
// where a parameter's value settles the type.
func (s *session) checkScales(a *answer, via *portal) error {
	if via == nil {
		return nil
	}
	for i, c := range a.cols {
		if c.t.kind == kNumeric && formatOf(via.formats, i) == 1 && i < len(via.stmt.cols) && via.stmt.cols[i].t != c.t {
			return strict("numeric in binary format, whose scale the parameters settle, is not supported: cast it")
		}
	}
	return nil
}

// shortNumeric is the largest precision that Redshift keeps in 64 bits.
const shortNumeric = 19

// scaledInteger is a NUMERIC as Amazon's drivers read it: the unscaled value in two's complement, in 8 bytes up to 19
// digits of precision and in 16 above.
func scaledInteger(v any, t typ) ([]byte, error) {
	n, ok := v.(*big.Int)
	ok = ok && t.s == 0
	if d, decimal := v.(duckdb.Decimal); decimal {
		n, ok = d.Value, int(d.Scale) == t.s
	}
	size := 8
	if t.p > shortNumeric {
		size = 16
	}
	if !ok || n.BitLen() >= size*8 { // two's complement of n needs a bit for the sign
		return nil, strict("%v as %s in binary format is not supported", v, t)
	}
	out := make([]byte, size)
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size*8)))
	}
	return n.FillBytes(out), nil
}
