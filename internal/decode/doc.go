// Package decode reads JSON records, and those of Avro files, straight into
// typed columns, in one pass and without building a document.
//
//	              block: 1 MiB of the object            zeros
//	┌────────────┬────────────┬────────────┬───────────┬──────┐
//	│ {"id":1,…} │ {"id":2,…} │ {"id":3,…} │ {"id":4,… │ 0000 │
//	└─────┬──────┴────────────┴────────────┴─────┬─────┴──────┘
//	      │ walk the tree of wanted paths        └ moves to the front at the next fill
//	      ▼
//	  object ── "id" ───────▶ column 0: bigint     ─▶ Batch.Cols[0].I[row]
//	    │  └─── "at" ───────▶ column 1: timestamp  ─▶ Batch.Cols[1].I[row], and the event time
//	    └────── "employee" ─▶ object ── "name" ────▶ Batch.Cols[2].S[row], aliases the block
//
// The parts, one file each:
//
//   - spec.go compiles what is wanted into a Program; tree.go is its tree of
//     paths, with the places where values go; record.go and reason.go are what
//     the caller gets to see.
//   - scan.go reads record after record; frame.go finds where one begins (values
//     in a row, or the elements of an array); block.go holds the bytes; skip.go
//     steps over a record that can't be read, to the line after it.
//   - value.go, text.go and syntax.go read one JSON value by RFC 8259 and no
//     more leniently; what nobody wants is checked and stepped over.
//   - ocf.go reads Avro object container files, which begin with their magic;
//     avroschema.go reads their schema, avro.go walks a value beside the same tree
//     of paths, and avrotext.go and avrojson.go spell scalars and whole values as
//     JSON would, so that what follows is the same for both formats.
//   - store.go turns a value into what its column holds, with decimal.go,
//     moment.go and zone.go. Nothing is rounded, cut or guessed: what does not
//     fit is a Reject, with a Reason.
//
// Speed comes from four things: an object's next key is predicted from the
// last time and compared in one go (tree.go); strings are searched eight bytes
// at a time (text.go); the zeros behind the block stand for all checks of its
// end; and a row that fails costs nothing, because the row number just does
// not advance.
//
// The package knows no Parquet, no archivers and no windows, and uses floats
// nowhere but to spell those of Avro. scan calls it, with codec's reader below it.
package decode
