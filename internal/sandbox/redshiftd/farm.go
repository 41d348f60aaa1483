package redshiftd

import (
	"encoding/binary"
	"math/bits"

	"github.com/duckdb/duckdb-go/v2"
)

// farmChunk fingerprints each row's arguments, one after the other, as one text.
func farmChunk(state *duckdb.ChunkIteratorState) error {
	var text []byte
	for row, err := range state.Rows() {
		if err != nil {
			return err
		}
		text = text[:0]
		for i := range row.ColumnCount() {
			text = append(text, (*row.GetValuePtr(i)).(string)...)
		}
		if err := row.SetResult(int64(farmFingerprint64(text))); err != nil {
			return err
		}
	}
	return nil
}

// The constants and the structure are those of FarmHash's Fingerprint64 (the "na" variant), whose results never change.
const (
	farmK0 = 0xc3a5c85c97cb3127
	farmK1 = 0xb492b66fbe98f273
	farmK2 = 0x9ae16a3b2f90404f
)

func farm64(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i:]) }
func farm32(s []byte, i int) uint64 { return uint64(binary.LittleEndian.Uint32(s[i:])) }

func farmRot(v uint64, n int) uint64 { return bits.RotateLeft64(v, -n) }
func farmShift(v uint64) uint64      { return v ^ v>>47 }

func farmMix(u, v, mul uint64) uint64 {
	a := farmShift((u ^ v) * mul)
	return farmShift((v^a)*mul) * mul
}

// farmFingerprint64 is FARMFINGERPRINT64 before it is read as a signed number.
func farmFingerprint64(s []byte) uint64 {
	n := len(s)
	switch {
	case n <= 16:
		return farm0to16(s)
	case n <= 32:
		mul := farmK2 + uint64(n)*2
		a := farm64(s, 0) * farmK1
		b := farm64(s, 8)
		c := farm64(s, n-8) * mul
		d := farm64(s, n-16) * farmK2
		return farmMix(farmRot(a+b, 43)+farmRot(c, 30)+d, a+farmRot(b+farmK2, 18)+c, mul)
	case n <= 64:
		return farm33to64(s)
	}
	return farmLong(s)
}

func farm0to16(s []byte) uint64 {
	n := len(s)
	mul := farmK2 + uint64(n)*2
	switch {
	case n >= 8:
		a := farm64(s, 0) + farmK2
		b := farm64(s, n-8)
		c := farmRot(b, 37)*mul + a
		d := (farmRot(a, 25) + b) * mul
		return farmMix(c, d, mul)
	case n >= 4:
		return farmMix(uint64(n)+farm32(s, 0)<<3, farm32(s, n-4), mul)
	case n > 0:
		y := uint64(s[0]) + uint64(s[n>>1])<<8
		z := uint64(n) + uint64(s[n-1])<<2
		return farmShift(y*farmK2^z*farmK0) * farmK2
	}
	return farmK2
}

func farm33to64(s []byte) uint64 {
	n := len(s)
	mul := farmK2 + uint64(n)*2
	a := farm64(s, 0) * farmK2
	b := farm64(s, 8)
	c := farm64(s, n-8) * mul
	d := farm64(s, n-16) * farmK2
	y := farmRot(a+b, 43) + farmRot(c, 30) + d
	z := farmMix(y, a+farmRot(b+farmK2, 18)+c, mul)
	e := farm64(s, 16) * mul
	f := farm64(s, 24)
	g := (y + farm64(s, n-32)) * mul
	h := (z + farm64(s, n-24)) * mul
	return farmMix(farmRot(e+f, 43)+farmRot(g, 30)+h, e+farmRot(f+a, 18)+g, mul)
}

func farmWeak(s []byte, i int, a, b uint64) (uint64, uint64) {
	w, x, y, z := farm64(s, i), farm64(s, i+8), farm64(s, i+16), farm64(s, i+24)
	a += w
	b = farmRot(b+a+z, 21)
	c := a
	a += x + y
	b += farmRot(a, 44)
	return a + z, b + c
}

func farmLong(s []byte) uint64 {
	seed := uint64(81) // a variable: the products below wrap
	n := len(s)
	x := seed
	y := seed*farmK1 + 113
	z := farmShift(y*farmK2+113) * farmK2
	var v1, v2, w1, w2 uint64
	x = x*farmK2 + farm64(s, 0)
	end := (n - 1) / 64 * 64
	last := end + (n-1)&63 - 63
	i := 0
	for ; i < end; i += 64 {
		x = farmRot(x+y+v1+farm64(s, i+8), 37) * farmK1
		y = farmRot(y+v2+farm64(s, i+48), 42) * farmK1
		x ^= w2
		y += v1 + farm64(s, i+40)
		z = farmRot(z+w1, 33) * farmK1
		v1, v2 = farmWeak(s, i, v2*farmK1, x+w1)
		w1, w2 = farmWeak(s, i+32, z+w2, y+farm64(s, i+16))
		z, x = x, z
	}
	mul := farmK1 + (z&0xff)<<1
	i = last
	w1 += uint64(n-1) & 63
	v1 += w1
	w1 += v1
	x = farmRot(x+y+v1+farm64(s, i+8), 37) * mul
	y = farmRot(y+v2+farm64(s, i+48), 42) * mul
	x ^= w2 * 9
	y += v1*9 + farm64(s, i+40)
	z = farmRot(z+w1, 33) * mul
	v1, v2 = farmWeak(s, i, v2*mul, x+w1)
	w1, w2 = farmWeak(s, i+32, z+w2, y+farm64(s, i+16))
	z, x = x, z
	return farmMix(farmMix(v1, w1, mul)+farmShift(y)*farmK0+z, farmMix(v2, w2, mul)+x, mul)
}
