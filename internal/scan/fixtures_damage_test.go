package scan

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
)

// How often each file is damaged in each way.
const (
	fixtureCuts  = 12
	fixtureFlips = 16
)

// TestDamagedFixtures cuts and changes all files: none makes the reader panic,
// hang, take too much memory or fail without a code; what is read of a file
// that was cut off are its first records, unchanged.
func TestDamagedFixtures(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range slices.Concat(fixtures(), writerFixtures(), sameFixtures()) {
		if seen[f.file] {
			continue
		}
		seen[f.file] = true
		t.Run(f.name(), func(t *testing.T) {
			seed := fnv.New64a()
			seed.Write([]byte(f.file))
			r := rand.New(rand.NewPCG(seed.Sum64(), 1))
			sound := fixtureBody(t, f.file)
			if len(sound) > 0 {
				f.cuts(t, r, sound)
				f.flips(t, r, sound)
			}
		})
	}
}

// sameFixtures are the files of TestSameRecords: envelopes, framed values,
// SequenceFiles.
func sameFixtures() []fixture {
	var list []fixture
	for _, c := range same {
		list = append(list, fixture{file: path.Join("../formats", c.file), format: c.format, compiled: func(t testing.TB) *dataset.Dataset {
			t.Helper()
			return compileWith(t, c.format, c.records)
		}})
	}
	return list
}

// cuts reads beginnings of the file: its first bytes, its last ones missing,
// and any in between.
func (f fixture) cuts(t *testing.T, r *rand.Rand, sound []byte) {
	ds := f.dataset(t)
	whole, _, wholeErr := f.read(t, ds, sound)
	for i := range fixtureCuts {
		n := r.IntN(len(sound))
		switch i {
		case 0, 1, 2, 3:
			n = min(i, len(sound)-1)
		case 4, 5, 6:
			n = max(0, len(sound)-(i-3))
		}
		sink, counts, err := f.read(t, ds, sound[:n])
		f.coded(t, fmt.Sprintf("the first %d bytes", n), counts, err)
		if wholeErr != nil {
			continue
		}
		rows := sink.rows
		if len(rows) > 0 && f.open(sound[:n]) {
			rows = rows[:len(rows)-1] // nothing tells that the last value was cut off
		}
		if len(rows) > len(whole.rows) || !slices.Equal(rows, whole.rows[:len(rows)]) {
			t.Errorf("the first %d bytes of %d give %d rows that the file does not begin with", n, len(sound), len(rows))
		}
	}
}

// open reports whether values have no end but the next one's beginning.
func (f fixture) open(body []byte) bool {
	return (f.format == "csv" || strings.HasPrefix(f.format, "{")) && !bytes.HasPrefix(body, []byte("\x1f\x8b"))
}

// flips reads the file with one to four other bytes, in its first and last
// bytes as often as in all.
func (f fixture) flips(t *testing.T, r *rand.Rand, sound []byte) {
	ds := f.dataset(t)
	for i := range fixtureFlips {
		body := bytes.Clone(sound)
		for range 1 + r.IntN(4) {
			at := r.IntN(len(body))
			switch i % 4 {
			case 0:
				at = r.IntN(min(len(body), 64))
			case 1:
				at = len(body) - 1 - r.IntN(min(len(body), 400))
			}
			body[at] ^= 1 << r.IntN(8)
		}
		_, counts, err := f.read(t, ds, body)
		f.coded(t, fmt.Sprintf("change %d", i), counts, err)
	}
}

// coded wants an error that says what it is, or a full account.
func (f fixture) coded(t *testing.T, damage string, counts *account.Chunk, err error) {
	t.Helper()
	switch code := fail.CodeOf(err); {
	case err == nil && (counts == nil || len(counts.Objects) != 1 || counts.Objects[0].Records != counts.Tally.Read()):
		t.Errorf("%s, %s: not accounted for: %+v", f.file, damage, counts)
	case err != nil && (code == fail.Internal || code == ""):
		t.Errorf("%s, %s: not coded: %v", f.file, damage, err)
	}
}
