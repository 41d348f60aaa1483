package decode

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"

	"backfill/internal/account"
	"backfill/internal/columns"
)

// appendInteger spells an int or long by its logical type.
func (t *avroType) appendInteger(dst []byte, n int64) ([]byte, columns.ScalarKind) {
	switch t.logical {
	case logicalDate:
		return time.Unix(n*daySeconds, 0).UTC().AppendFormat(dst, time.DateOnly), columns.String
	case logicalInstant, logicalLocal:
		layout := "2006-01-02T15:04:05.999999999Z"
		if t.logical == logicalLocal {
			layout = "2006-01-02T15:04:05.999999999"
		}
		seconds := n / t.perSec
		rest := n % t.perSec
		return time.Unix(seconds, rest*(1e9/t.perSec)).UTC().AppendFormat(dst, layout), columns.String
	}
	return strconv.AppendInt(dst, n, 10), columns.Number
}

// appendFloat spells the shortest decimal that is read back as the same float.
// What is no number stays text, which no numeric column takes.
func appendFloat(dst []byte, f float64, bits int) ([]byte, columns.ScalarKind) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendFloat(dst, f, 'g', -1, bits), columns.String
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits), columns.Number
}

// appendBytes spells bytes by their logical type; plain ones as base64, like
// the JSON that archivers write.
func (t *avroType) appendBytes(dst, b []byte) ([]byte, columns.ScalarKind) {
	switch t.logical {
	case logicalDecimal:
		return AppendUnscaled(dst, b, t.scale), columns.Number
	case logicalUUID:
		for i, c := range b {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, []byte{c})
		}
		return dst, columns.String
	}
	return base64.StdEncoding.AppendEncode(dst, b), columns.String
}

// AppendUnscaled spells big-endian two's complement divided by ten to the scale.
func AppendUnscaled(dst, b []byte, scale int) []byte {
	var digits []byte
	if len(b) <= 16 {
		var wide [16]byte
		if len(b) > 0 && b[0] >= 0x80 {
			for i := range wide {
				wide[i] = 0xff
			}
		}
		copy(wide[16-len(b):], b)
		n, _ := account.FromBytes(wide[:]) // of 16 bytes
		var room [48]byte
		digits, _ = n.AppendText(room[:0])
	} else {
		n := new(big.Int).SetBytes(b)
		if b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		digits = n.Append(nil, 10)
	}
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(append(dst, digits[:whole]...), '.')
	return append(dst, digits[whole:]...)
}
