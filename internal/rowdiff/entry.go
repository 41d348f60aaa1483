package rowdiff

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// entry is one archived row as the spool keeps it: numbers of fixed width in
// big-endian order, then the version.
//
//	key lanes 16 │ row lanes 16 │ event time 8 │ offset 8 │ chunk 4 │ pass 1 │ group 4 │ amounts 17 each │ version
type entry []byte

const (
	atKey     = 0
	atRow     = 16
	atTime    = 32
	atOffset  = 40
	atChunk   = 48
	atPass    = 52
	atGroup   = 53
	atAmounts = 57
	amount    = 17 // a mark for NULL, and 128 bits
)

func (e entry) int(at int) int64 { return int64(binary.BigEndian.Uint64(e[at:])) }

func (e entry) key() []byte { return e[atKey : atKey+16] }

func (e entry) mark() tieout.KeyMark {
	return tieout.KeyMark{Lane1: e.int(atKey), Lane2: e.int(atKey + 8)}
}

func (e entry) lanes() lanes { return lanes{e.int(atRow), e.int(atRow + 8)} }

func (e entry) chunk() int { return int(binary.BigEndian.Uint32(e[atChunk:])) }

func (e entry) group() uint32 { return binary.BigEndian.Uint32(e[atGroup:]) }

func (e entry) version(totals int) []byte { return e[atAmounts+amount*totals:] }

// amount returns the n-th total and whether it is not NULL.
func (e entry) amount(n int) (account.Int128, bool) {
	at := atAmounts + amount*n
	if e[at] == 0 {
		return account.Int128{}, false
	}
	v, err := account.FromBytes(e[at+1 : at+amount])
	return v, err == nil
}

// lanes are the two hashes of a row's canonical text.
type lanes struct{ one, two int64 }

// appendAmount appends a total's value.
func appendAmount(dst []byte, v *columns.Vector, row int) []byte {
	if v.Null[row] {
		return append(dst, make([]byte, amount)...)
	}
	dst = append(dst, 1)
	if v.Shape != schema.Int {
		return append(dst, v.S[row]...)
	}
	sign := byte(0)
	if v.I[row] < 0 {
		sign = 0xff
	}
	for range 8 {
		dst = append(dst, sign)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.I[row]))
}

// appendVersion appends latest_by so that bytes compare as versions do: NULL is
// the oldest, and blanks at the end of a text don't count.
func appendVersion(dst []byte, b *columns.Batch, latest []int, row int) []byte {
	for _, at := range latest {
		v := &b.Cols[at]
		if v.Null[row] {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		switch v.Shape {
		case schema.Int:
			dst = binary.BigEndian.AppendUint64(dst, uint64(v.I[row])^1<<63)
		case schema.Wide:
			start := len(dst)
			dst = append(dst, v.S[row]...)
			dst[start] ^= 0x80
		default:
			for _, c := range bytes.TrimRight(v.S[row], " ") {
				if dst = append(dst, c); c == 0 {
					dst = append(dst, 0xff)
				}
			}
			dst = append(dst, 0, 0)
		}
	}
	return dst
}

// appendGroup appends the values of the group's columns as account packs them.
func appendGroup(dst []byte, cols []schema.Column, b *columns.Batch, by []int, row int) []byte {
	for n, at := range by {
		v := &b.Cols[at]
		switch {
		case v.Null[row]:
			dst = account.AppendGroup(dst, nil, true, n == 0)
		case v.Shape == schema.Int:
			dst = account.AppendGroup(dst, strconv.AppendInt(nil, v.I[row], 10), false, n == 0)
		case cols[at].Type.Kind == schema.Char:
			dst = account.AppendGroup(dst, bytes.TrimRight(v.S[row], " "), false, n == 0)
		default:
			dst = account.AppendGroup(dst, v.S[row], false, n == 0)
		}
	}
	return dst
}

// compactSuper spells the row's JSON without blanks, as the warehouse prints it.
func compactSuper(cols []schema.Column, b *columns.Batch, row int, buf *bytes.Buffer) {
	for i, c := range cols {
		if c.Type.Kind != schema.Super || b.Cols[i].Null[row] || !bytes.ContainsAny(b.Cols[i].S[row], " \t\r\n") {
			continue
		}
		buf.Reset()
		if json.Compact(buf, b.Cols[i].S[row]) == nil {
			b.Cols[i].S[row] = bytes.Clone(buf.Bytes())
		}
	}
}

// values gives a row as text, as publish.KeyRows does.
func values(cols []schema.Column, b *columns.Batch, row int) []*string {
	out := make([]*string, len(cols))
	for i, c := range cols {
		v := &b.Cols[i]
		if v.Null[row] {
			continue
		}
		text := ""
		switch {
		case c.Type.Kind == schema.Boolean:
			text = "f"
			if v.I[row] != 0 {
				text = "t"
			}
		case c.Type.Kind == schema.Decimal && v.Shape == schema.Wide:
			n, err := account.FromBytes(v.S[row])
			if err != nil {
				continue
			}
			text = n.Decimal(c.Type.Scale)
		case c.Type.Kind == schema.Decimal:
			text = account.FromInt64(v.I[row]).Decimal(c.Type.Scale)
		case v.Shape == schema.Int:
			text = strconv.FormatInt(v.I[row], 10)
		case c.Type.Kind == schema.Char:
			text = string(bytes.TrimRight(v.S[row], " "))
		default:
			text = string(v.S[row])
		}
		out[i] = &text
	}
	return out
}
