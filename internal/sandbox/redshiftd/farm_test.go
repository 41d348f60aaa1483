package redshiftd

import (
	"strings"
	"testing"

	farm "github.com/dgryski/go-farm"
	"pgregory.net/rapid"
)

func TestFarmFingerprint64(t *testing.T) {
	if got := int64(farmFingerprint64([]byte("Amazon Redshift"))); got != 8085098817162212970 {
		t.Error("documented value:", got)
	}
	for n := range 300 {
		s := strings.Repeat("aä0z", n/4) + "xyz"[:n%4]
		if got, want := farmFingerprint64([]byte(s)), farm.Fingerprint64([]byte(s)); got != want {
			t.Errorf("%d bytes: %d, want %d", len(s), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "s")
		if farmFingerprint64(s) != farm.Fingerprint64(s) {
			t.Fatal("differs")
		}
	})
}

func BenchmarkFarmFingerprint64(b *testing.B) {
	s := []byte(strings.Repeat("x", 300))
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		farmFingerprint64(s)
	}
}
