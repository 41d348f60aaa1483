package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// warehouse logs in, compares the table, tries the rights of a load, and copies
// one row by the role. The probe of staging is taken away at the end.
func (d *doctor) warehouse(ctx context.Context, probe *runstore.Probe) {
	if probe != nil {
		defer func() {
			err := probe.Remove(context.WithoutCancel(ctx))
			d.check("staging: delete", "the probe is gone again", err, "old plans could not be cleaned up; the probe stands at "+probe.URI(), iamStatement("s3:DeleteObject", d.w.Dataset.Staging.URI))
		}()
	}
	s, done, err := d.o.Connect(ctx)
	if !d.check("warehouse: log in", d.w.Dataset.Warehouse.URL, err, "no load and no reconciliation is possible", "") {
		for _, name := range []string{"warehouse: table", "warehouse: rights", "warehouse: COPY by the role"} {
			d.skip(name, "nobody is logged in")
		}
		return
	}
	defer done()
	if at, err := publish.ReadClock(ctx, s); !d.fails("clock: warehouse", err, "it does not answer a simple question", "") {
		d.clock("clock: warehouse", at)
	}
	d.table(ctx, s)
	d.copy(ctx, s, probe)
	d.headroom(ctx, s)
}

func (d *doctor) table(ctx context.Context, s publish.Session) {
	err := d.w.CheckTable(ctx, s, d.o.CreateTable)
	found := d.w.TargetName() + " has the dataset's columns"
	if d.w.Created != "" {
		found += "; it was created just now"
	}
	d.check("warehouse: table", found, err, "a run stops before it changes anything", "")
	if err != nil && !fail.Is(err, fail.TableDiffers) {
		d.skip("warehouse: rights", "there is no table to try them on")
		return
	}
	d.check("warehouse: rights", "select, insert and delete on the table, create in its schema", publish.ProbeRights(ctx, s, d.w.Target()), "a load fails at its first change", "")
}

// copy loads the probe's Parquet file into a temp table.
func (d *doctor) copy(ctx context.Context, s publish.Session, probe *runstore.Probe) {
	const name, means = "warehouse: COPY by the role", "no file can be loaded"
	if probe == nil {
		d.skip(name, "nothing could be written to staging")
		return
	}
	if !strings.HasPrefix(d.w.Dataset.Staging.URI, "s3://") {
		d.skip(name, "COPY reads from s3:// alone")
		return
	}
	role, rights := d.w.Dataset.Warehouse.IAMRole, iamStatement("s3:GetObject", d.w.Dataset.Staging.URI)
	if d.kms { // S3 decrypts with the role's rights; COPY itself needs to say nothing
		rights += " and " + kmsStatement(d.w.Dataset.Staging.KMSKey, "kms:Decrypt")
	}
	d.check(name, "one row of Parquet arrived in a temp table by "+role, d.copied(ctx, s, probe, role), means,
		rights+" for the role, which must be attached to the cluster and trust redshift.amazonaws.com")
}

func (d *doctor) copied(ctx context.Context, s publish.Session, probe *runstore.Probe, role string) error {
	body, err := probeParquet()
	if err != nil {
		return err
	}
	manifest, err := probe.PutParquet(ctx, body)
	if err != nil {
		return err
	}
	got, err := publish.ProbeCopy(ctx, s, manifest, role)
	if err == nil && got != probeText {
		return fail.New(fail.LoadRefused, "COPY gave back %q for %q", got, probeText)
	}
	return err
}

func (d *doctor) headroom(ctx context.Context, s publish.Session) {
	h, ok, err := publish.ReadHeadroom(ctx, s)
	switch {
	case err != nil || !ok:
		d.skip("warehouse: disk", "this login may not ask, or there is no disk to fill")
	case h.Capacity > 0 && h.Used > h.Capacity/10*9:
		d.warn("warehouse: disk", fmt.Sprintf("%d of %d MiB are used", h.Used>>20, h.Capacity>>20), "a load may end with a full disk, which changes nothing", "VACUUM DELETE ONLY, drop what nobody needs, or resize the cluster")
	default:
		d.pass("warehouse: disk", fmt.Sprintf("%d of %d MiB are used", h.Used>>20, h.Capacity>>20))
	}
}

// quiet names partitions whose tail may not be archived, if all keys were seen.
func (d *doctor) quiet() []string {
	if d.sample == nil || !d.sample.All {
		return nil
	}
	return d.w.Quiet(d.o.Window, d.sample.Written)
}

// settled asks whether the window may still receive records, as far as the
// clock tells; the partitions' tails show in a run.
func (d *doctor) settled() {
	if d.o.Window.IsAll() {
		d.skip("archive: settled", "no window was given: --from and --to")
		return
	}
	if quiet := d.quiet(); len(quiet) > 0 {
		d.warn("archive: quiet partitions", strings.Join(quiet, "\n"), "records of the window may be in Kafka and not in the archive", workspace.QuietFix)
	}
	err := d.w.Settled(d.o.Window, map[kafka.TopicPartition]kafka.Instant{}, time.Time{})
	d.check("archive: settled", "the window "+d.o.Window.String()+" and its lateness are past", err, "the window could be loaded as preliminary only", "")
}
