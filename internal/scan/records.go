package scan

import (
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
)

const parquetMagic = "PAR1"

// direct reports whether the object's bytes go straight into columns.
func (p *pass) direct() bool {
	switch p.o.Dataset.Archive.Format {
	case dataset.FormatJSON, dataset.FormatAvro:
		return true
	case dataset.FormatAuto:
		return !p.plain.Begins(parquetMagic)
	}
	return false
}

// begin gives the object's records to the decoder; done frees what that took.
func (p *pass) begin() (done func(), err error) {
	nothing := func() {}
	if p.direct() {
		p.decoder.Reset(p.plain)
		return nothing, nil
	}
	limits, a := format.Limits{RecordBytes: p.o.RecordBytes}, p.o.Dataset.Archive
	var records decode.Records
	switch a.Format {
	case dataset.FormatCSV:
		o := format.CSV{Columns: a.CSV.Columns}
		if a.CSV.Delimiter != "" {
			o.Delimiter = a.CSV.Delimiter[0]
		}
		records = format.NewCSV(p.plain, o, limits)
	case dataset.FormatText, dataset.FormatBytes:
		records = format.NewText(p.plain, format.Text{Delimiter: a.Delimiter, Binary: a.Format == dataset.FormatBytes}, limits)
	default:
		if !p.plain.Begins(parquetMagic) {
			return nothing, fail.New(fail.BadLayout, "the object is no Parquet file, and archive.format says parquet").
				Try("write archive.format: auto, or exclude the object from the archive")
		}
		file, err := format.NewParquet(p.plain, limits)
		if err != nil {
			return nothing, err
		}
		p.decoder.ResetRecords(file)
		return func() { _ = file.Close() }, nil
	}
	p.decoder.ResetRecords(records)
	return nothing, nil
}
