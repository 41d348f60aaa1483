package infer

import (
	"slices"
	"testing"

	"backfill/internal/objstore"
	"backfill/jobs/workspace"
)

// TestSidesOfAListing: what is joined and left out follows from the names that
// stand in the listing, and a listing that ends early names all kinds.
func TestSidesOfAListing(t *testing.T) {
	const values, keys, headers, gone = "partition=0/pay+0+0000000000.json", "partition=0/pay+0+0000000000.keys.json", "partition=0/pay+0+0000000000.headers.avro", "tombstone/pay+0+0000000003.keys.avro"
	uri := func(key string) objstore.URI { return objstore.URI{Key: "topics/pay/" + key} }
	for name, c := range map[string]struct {
		listed       []string
		cut          bool
		none         bool
		join, ignore []string
	}{
		"values alone":      {listed: []string{values}, none: true},
		"another archiver":  {listed: []string{"0/100.json", "notes.txt"}, none: true},
		"keys":              {listed: []string{values, keys}, ignore: []string{"keys"}},
		"headers":           {listed: []string{headers, values}, ignore: []string{"headers"}},
		"tombstones":        {listed: []string{values, gone}, join: []string{"tombstones"}},
		"all":               {listed: []string{headers, values, keys, gone}, join: []string{"tombstones"}, ignore: []string{"keys", "headers"}},
		"tombstones beyond": {listed: []string{values, keys}, cut: true, join: []string{"tombstones"}, ignore: []string{"keys", "headers"}},
	} {
		t.Run(name, func(t *testing.T) {
			sample := &workspace.Sample{All: !c.cut}
			for _, key := range c.listed {
				sample.Objects = append(sample.Objects, objstore.Object{Key: key})
			}
			s := sidesOf(sample, uri)
			if (s == nil) != c.none {
				t.Fatalf("%+v", s)
			}
			if s != nil && (!slices.Equal(s.join(), c.join) || !slices.Equal(s.ignore(), c.ignore)) {
				t.Errorf("join %q, ignore %q; want %q and %q", s.join(), s.ignore(), c.join, c.ignore)
			}
		})
	}
}
