package archivegen

import (
	"context"
	"testing"
)

// counting is a sink that keeps nothing.
type counting struct{}

func (counting) Put(context.Context, string, []byte) error { return nil }

// BenchmarkGenerate reports events a second and bytes allocated per event; the bytes should stay far
// below the size of an event, whatever the number of events is.
func BenchmarkGenerate(b *testing.B) {
	for _, codec := range []string{CodecNone, CodecGzip, CodecZstd, CodecMixed} {
		b.Run(codec, func(b *testing.B) {
			o := march(1)
			o.Events, o.EventsPerObject, o.Codec, o.BodyOffsets = 200_000, 20_000, codec, true
			o.Faults = DefaultFaults()
			b.ReportAllocs()
			var records, bytes int64
			for b.Loop() {
				truth, err := Generate(context.Background(), o, counting{})
				if err != nil {
					b.Fatal(err)
				}
				for _, ob := range truth.Objects {
					records += ob.Records
					bytes += ob.Bytes
				}
			}
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(bytes)/float64(records), "stored-B/record")
		})
	}
}
