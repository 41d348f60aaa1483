package workspace

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/kafka"
)

// The tail of a partition that time rotation does not flush is named, as long as
// nothing newer of it was archived.
func TestQuiet(t *testing.T) {
	day := func(n, hour int) time.Time { return time.Date(2026, 3, n, hour, 0, 0, 0, time.UTC) }
	tp := func(n int32) kafka.TopicPartition {
		return kafka.TopicPartition{Topic: "pay", Partition: kafka.Partition(n)}
	}
	window := kafka.Window{From: kafka.InstantOf(day(1, 0)), To: kafka.InstantOf(day(5, 0))}
	written := map[kafka.TopicPartition]time.Time{tp(0): day(5, 1), tp(1): day(4, 20), tp(2): day(5, 0)}
	tests := []struct {
		name string
		now  time.Time
		idle time.Duration
		want string
	}{
		{"written before the window's end", day(9, 0), 0, "pay/1: nothing was archived since 2026-03-04T20:00:00Z; its last records may wait in the archiver until new ones come"},
		{"a silence that was declared", day(9, 0), 4 * time.Hour, ""},
		{"a silence that was declared, and is longer", day(9, 0), 3 * time.Hour, "pay/1: nothing was archived since 2026-03-04T20:00:00Z; its last records may wait in the archiver until new ones come"},
		{"a window that is not over", day(4, 20), 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &Workspace{Dataset: &dataset.Dataset{Archive: dataset.Archive{Idle: test.idle}}, Options: Options{Now: func() time.Time { return test.now }}}
			if got := strings.Join(w.Quiet(window, written), "\n"); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if all := w.Quiet(kafka.Window{}, written); all != nil {
				t.Errorf("without a window: %q", all)
			}
		})
	}
	many := map[kafka.TopicPartition]time.Time{}
	for n := range int32(100) {
		newest(many, tp(n), day(1, 2))
		newest(many, tp(n), day(1, 1))
	}
	w := &Workspace{Dataset: &dataset.Dataset{}, Options: Options{Now: func() time.Time { return day(9, 0) }}}
	got := w.Quiet(window, many)
	if len(got) != maxQuiet+1 || got[maxQuiet] != fmt.Sprintf("%d more partitions likewise", 100-maxQuiet) || !strings.HasPrefix(got[1], "pay/1: nothing was archived since 2026-03-01T02:00:00Z") {
		t.Errorf("%q", got)
	}
}
