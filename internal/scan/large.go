package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"backfill/internal/decode"
	"backfill/internal/schema"
)

// overflows maps a super column to the column that names what it can't hold;
// nil when the dataset declares none.
func overflows(stage []schema.Column) map[int]int {
	var m map[int]int
	for i, c := range stage {
		if c.Overflow == "" {
			continue
		}
		if m == nil {
			m = map[int]int{}
		}
		m[i] = slices.IndexFunc(stage, func(o schema.Column) bool { return o.Name == c.Overflow })
	}
	return m
}

// overflow fills the overflow columns of a row: NULL, or where a value that was
// too long stands in the archive, with its digest and length:
//
//	sha256:9f86d0… bytes:70123 payroll.events/3/120045
//
// The offset is "unproven" where the row has none.
func (p *pass) overflow(r *decode.Record, row int) {
	for _, to := range p.overflows {
		p.batch.Cols[to].Null[row] = true
	}
	for _, l := range r.Large {
		v := &p.batch.Cols[p.overflows[l.Column]]
		v.Null[row], v.S[row] = false, p.located(l.Raw, row)
	}
}

func (p *pass) located(raw []byte, row int) []byte {
	sum := sha256.Sum256(raw)
	text := append(make([]byte, 0, schema.OverflowBytes), "sha256:"...)
	text = hex.AppendEncode(text, sum[:])
	text = strconv.AppendInt(append(text, " bytes:"...), int64(len(raw)), 10)
	text = append(append(text, ' '), p.chunk.Partition.Topic...)
	text = strconv.AppendInt(append(text, '/'), int64(p.chunk.Partition.Partition), 10)
	if offset := p.batch.Offset[row]; offset >= 0 {
		return strconv.AppendInt(append(text, '/'), int64(offset), 10)
	}
	return append(text, "/unproven"...)
}
