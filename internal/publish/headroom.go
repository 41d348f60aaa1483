package publish

import (
	"context"
	"fmt"

	"backfill/internal/fail"
	"backfill/internal/redshift"
)

// Headroom is the disk space of a provisioned warehouse, in bytes.
type Headroom struct{ Used, Capacity int64 }

// What a load needs, in sizes of its Parquet. The stage and the table's new
// rows exist side by side, and deleted rows keep their blocks until a VACUUM.
const (
	leastSizes  = 2 // both compressed as well as Parquet
	likelySizes = 6 // stage columns are compressed less, and blocks are 1 MB a column and slice
)

// ReadHeadroom asks how full the disks are. ok is false where the warehouse does
// not tell: only a superuser of a provisioned cluster may read it
// (STV_NODE_STORAGE_CAPACITY; serverless answers 42501), and serverless has no
// disk to fill.
func ReadHeadroom(ctx context.Context, s Session) (h Headroom, ok bool, err error) {
	const blocks = 1 << 20 // bytes
	err = s.Query(ctx, "SELECT SUM(used), SUM(capacity) FROM stv_node_storage_capacity", func(r redshift.Scanner) error {
		var used, capacity *int64
		if err := r.Scan(&used, &capacity); err != nil {
			return err
		}
		if used != nil && capacity != nil {
			h, ok = Headroom{*used * blocks, *capacity * blocks}, *capacity > 0
		}
		return nil
	})
	// A session that is gone or stopped matters; an answer that says no does not.
	if fail.Is(err, fail.Network) || ctx.Err() != nil {
		return h, false, fmt.Errorf("asking how full the disks are: %w", err)
	}
	return h, ok && err == nil, nil
}

// Check refuses a load of so many Parquet bytes that can't fit: fail.Disk. The
// warning is "" when there is room enough.
func (h Headroom) Check(parquet int64) (warning string, err error) {
	free := max(0, h.Capacity-h.Used)
	space := fmt.Sprintf("the warehouse has %s free of %s, and loading %s of Parquet", bytesText(free), bytesText(h.Capacity), bytesText(parquet))
	switch {
	case free < leastSizes*parquet:
		return "", fail.New(fail.Disk, "%s needs at least %s for the stage and the new rows; nothing was changed", space, bytesText(leastSizes*parquet)).
			Try("free space (VACUUM DELETE ONLY, drop what nobody needs), resize the cluster, or take a shorter window")
	case free < likelySizes*parquet:
		return fmt.Sprintf("%s may need up to %s: it may end with a full disk, which changes nothing", space, bytesText(likelySizes*parquet)), nil
	}
	return "", nil
}

// bytesText is a size for people.
func bytesText(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
