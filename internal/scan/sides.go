package scan

import (
	"context"
	"slices"
	"strings"

	"backfill/internal/codec"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/runplan"
)

// sideBlock is how much of a decompressed side file is held at once.
const sideBlock = 256 << 10

const avroMagic = "Obj\x01"

// joined gives the object's records with what its side files say of them.
func (p *pass) joined(ctx context.Context, ref runplan.ObjectRef) (records decode.Records, done func(), err error) {
	var closers []func()
	done = func() {
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	if ref.Tombstones {
		keys, free, err := p.side(p.plain, ref.Key)
		closers = append(closers, free)
		return format.NewJoin(nil, []format.Side{keys}, ref.First), done, err
	}
	var sides []format.Side
	for _, view := range p.o.Dataset.Archive.Layout.Join {
		if view == dataset.SideTombstones {
			continue
		}
		i := slices.IndexFunc(ref.Sides, func(s runplan.SideRef) bool { return s.View == view })
		if i < 0 {
			return nil, done, fail.New(fail.Damaged, "it has no .%s side file beside it: a set that was not written to its end, or one of before the sink kept %s", view, view)
		}
		side, free, err := p.openSide(ctx, ref.Sides[i])
		closers = append(closers, free)
		if err != nil {
			return nil, done, err
		}
		sides = append(sides, side)
	}
	records, free, err := p.records()
	closers = append(closers, free)
	return format.NewJoin(records, sides, ref.First), done, err
}

// openSide opens a side file as it was planned; free is never nil.
func (p *pass) openSide(ctx context.Context, ref runplan.SideRef) (side format.Side, free func(), err error) {
	body, err := p.o.Source.Open(ctx, ref.Object())
	if err != nil {
		return side, func() {}, err
	}
	free = func() { _ = body.Close() } // it was read only
	plain, err := codec.Open(body, codec.Limits{Ratio: maxRatio})
	if err != nil {
		return side, free, fail.Wrap(err, fail.Damaged, "the side file %s can't be read", ref.Key)
	}
	side, inner, err := p.side(plain, ref.Key)
	side.Headers = ref.View == dataset.SideHeaders
	return side, func() {
		inner()
		_ = plain.Close() // frees memory only
		_ = body.Close()
	}, err
}

// side reads the rows of a side file, whose format is its own: Avro and Parquet
// by the bytes, JSON by the name, since any key's bytes may look like it; else
// the bytes of keys, which must be text.
func (p *pass) side(plain *codec.Reader, key string) (side format.Side, free func(), err error) {
	side.Object, free = key, func() {}
	limits := p.o.Parquet
	limits.RecordBytes = p.o.RecordBytes
	blocks := decode.Limits{BlockBytes: sideBlock, RecordBytes: p.o.RecordBytes}
	switch {
	case plain.Begins(parquetMagic):
		file, err := format.NewParquet(plain, limits)
		if err != nil {
			return side, free, fail.Wrap(err, fail.CodeOf(err), "the side file %s", key)
		}
		side.Records, side.Wrapped = file, true
		return side, func() { _ = file.Close() }, nil
	case plain.Begins(avroMagic):
		side.Records, err = decode.NewRecords(plain, decode.Avro, blocks)
	case strings.HasSuffix(strings.TrimSuffix(key, ".gz"), ".json"):
		side.Records, err = decode.NewRecords(plain, decode.JSON, blocks)
	default:
		delimiter := p.o.Dataset.Archive.Delimiter
		if delimiter == "" {
			delimiter = "\n"
		}
		side.Records = format.NewText(plain, format.Text{Delimiter: delimiter}, limits)
	}
	return side, free, err
}
