package runstore

import (
	"context"
	"strings"

	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// Kind is what an object in staging is.
type Kind string

// The kinds of objects.
const (
	KindPlan         Kind = "plan"
	KindMark         Kind = "mark of a plan"
	KindSegment      Kind = "chunk list"
	KindManifest     Kind = "COPY manifest"
	KindSlice        Kind = "slice receipt"
	KindAbort        Kind = "word on a stopped plan"
	KindReport       Kind = "report"
	KindWork         Kind = "work record or profile"
	KindClaim        Kind = "claim"
	KindReceipt      Kind = "chunk receipt"
	KindParquet      Kind = "Parquet"
	KindQuarantine   Kind = "quarantine"
	KindPlaces       Kind = "quarantine without bytes"
	KindSuppressions Kind = "suppression list"
	KindSchemas      Kind = "schemas"
	KindProbe        Kind = "probe"
	KindSwept        Kind = "word on removed Parquet"
	KindSweep        Kind = "word of a gc at work"
	KindOther        Kind = "unknown"
)

// Item is one object in staging, as its key tells it.
type Item struct {
	objstore.Object
	Kind    Kind
	Target  string          // schema.table; "" for what targets share
	Seq     runplan.Seq     // of a plan, its mark, its loads and claims; else 0
	Run     runplan.RunID   // of reports, work and marks
	Folder  string          // key of the report or of the process's work
	Chunk   runplan.ChunkID // of what stands below chunks/
	Attempt string          // at the chunk; "" of its receipt
	Basis   string          // of a word on removed Parquet
}

// The folders that Walk goes through. Chunks come in the order of their ids.
const (
	WalkChunks = "chunks/"
	WalkAll    = ""
)

// Walk calls fn for every object below a folder, in the order of keys. Objects
// that no version of this program writes are KindOther.
func (s *Store) Walk(ctx context.Context, folder string, fn func(Item) error) error {
	return s.objects.List(ctx, folder, func(o objstore.Object) error { return fn(itemOf(o)) })
}

// WalkRest is Walk of everything but the chunks.
func (s *Store) WalkRest(ctx context.Context, fn func(Item) error) error {
	var folders []string
	err := s.objects.Folder(ctx, "", func(o objstore.Object) error { return fn(itemOf(o)) }, func(dir string) error {
		if dir != WalkChunks {
			folders = append(folders, dir)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, dir := range folders {
		if err := s.Walk(ctx, dir, fn); err != nil {
			return err
		}
	}
	return nil
}

func itemOf(o objstore.Object) Item {
	it := Item{Object: o, Kind: KindOther}
	parts := strings.Split(o.Key, "/")
	switch {
	case parts[0] == "targets" && len(parts) > 3:
		it.ofTarget(parts)
	case parts[0] == "chunks" && len(parts) > 2:
		it.ofChunk(parts)
	case parts[0] == "probes" && len(parts) == 3:
		it.Kind = KindProbe
	case len(parts) != 2:
	case parts[0] == "schemas":
		it.Kind = KindSchemas
	case parts[0] == "suppressions":
		it.Kind = KindSuppressions
	case parts[0] == "sweeping":
		it.Kind = KindSweep
	case parts[0] == "swept":
		it.Kind, it.Basis = KindSwept, strings.TrimSuffix(parts[1], ".json")
	}
	return it
}

func (it *Item) ofTarget(parts []string) {
	target, name := parts[1], parts[len(parts)-1]
	it.Target = target
	switch folder := parts[2]; {
	case folder == "plans" && len(parts) == 4:
		if it.Seq = seqOf(target, it.Key); it.Seq > 0 {
			it.Kind = KindPlan
		}
	case folder == "marks" && len(parts) == 4:
		if m, ok := markOf(target, it.Key); ok {
			it.Kind, it.Seq, it.Run = KindMark, m.Seq, m.Run
		}
	case folder == "segments" && len(parts) == 5:
		it.Kind = KindSegment
	case folder == "loads" || folder == "claims":
		it.ofLoad(parts, name)
	case folder == "reports" && len(parts) == 6:
		it.Kind, it.Run, it.Folder = KindReport, runplan.RunID(parts[3]), strings.Join(parts[:5], "/")
	case folder == "work" && len(parts) == 6:
		it.Kind, it.Run, it.Folder = KindWork, runplan.RunID(parts[3]), strings.Join(parts[:5], "/")
	}
}

func (it *Item) ofLoad(parts []string, name string) {
	it.Seq = seqOf(it.Target, planPrefix(it.Target)+parts[3]+".json")
	switch {
	case it.Seq == 0:
	case parts[2] == "claims" && len(parts) == 5:
		it.Kind = KindClaim
	case parts[2] != "loads":
	case len(parts) == 5 && name == "aborted.json":
		it.Kind = KindAbort
	case len(parts) == 5 && strings.HasPrefix(name, "slice-"):
		it.Kind = KindSlice
	case len(parts) == 6 && name == "manifest.json":
		it.Kind = KindManifest
	}
}

func (it *Item) ofChunk(parts []string) {
	it.Chunk = runplan.ChunkID(parts[1])
	name := parts[len(parts)-1]
	switch {
	case len(parts) == 3 && name == "receipt.json":
		it.Kind = KindReceipt
	case len(parts) != 4:
	case strings.HasSuffix(name, ".parquet"):
		it.Kind, it.Attempt = KindParquet, parts[2]
	case name == quarantineName:
		it.Kind, it.Attempt = KindQuarantine, parts[2]
	case name == placesName:
		it.Kind, it.Attempt = KindPlaces, parts[2]
	}
}
