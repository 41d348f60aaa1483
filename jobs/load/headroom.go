package load

import (
	"context"

	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// headroom refuses a load that the warehouse's disks can't hold, and warns of
// one that may fill them. Where the warehouse does not tell, nothing is said.
func headroom(ctx context.Context, w *workspace.Workspace, s publish.Session, receipts []*runplan.ChunkReceipt) error {
	disks, told, err := publish.ReadHeadroom(ctx, s)
	if err != nil {
		return err
	}
	if !told {
		w.Log.Debug("the warehouse does not tell this login how full its disks are")
		return nil
	}
	parquet := int64(0)
	for _, r := range receipts {
		for _, f := range r.Parquet {
			parquet += f.Size
		}
	}
	warning, err := disks.Check(parquet)
	if warning != "" {
		w.Log.Warn(warning)
	}
	return err
}
