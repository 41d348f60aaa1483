// Package workspace opens what every job needs: the dataset, the archive, the
// staging store and, on demand, one connection to the warehouse. It turns the
// dataset into the options of the packages below and decides nothing.
package workspace

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/mask"
	"backfill/internal/objstore"
	"backfill/internal/progress"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/timing"
)

// Options are what main knows of the process.
type Options struct {
	Env     func(string) string
	Log     *zap.Logger
	Now     func() time.Time
	Version string // of the program
	By      string // who or what asked for the run
	Image   string // digest of the container image; may be empty
	Airflow publish.Airflow
	Timeout time.Duration // longest time of one warehouse statement
	Lock    time.Duration // longest wait for a lock in the warehouse
	MaskKey *mask.Key     // of masked columns; nil: there is none

	Halt  *Halt                            // nil: nobody asks to end soon
	Pulse *progress.Pulse                  // says what is worked on; nil: nobody is told
	Times *timing.Times                    // where time goes; nil: nobody counts
	Works func(runplan.RunID, runplan.Seq) // is told what is worked on; nil: nobody is told
}

// Workspace is an opened dataset.
type Workspace struct {
	Options
	Dataset *dataset.Dataset
	Archive *objstore.Store
	Runs    *runstore.Store
	Created string        // the statement that made the table; "" when it was there
	Run     runplan.RunID // shown in the warehouse's session views; "" before it is known

	suppressions suppressions
}

// Open opens the archive and the staging store of the dataset.
func Open(ctx context.Context, ds *dataset.Dataset, o Options) (*Workspace, error) {
	if err := ds.NeedStaging(); err != nil {
		return nil, err
	}
	arch, _, err := openStore(ctx, ds.Archive.URI, "")
	if err != nil {
		return nil, err
	}
	staging, uri, err := openStore(ctx, ds.Staging.URI, ds.Staging.KMSKey)
	if err != nil {
		return nil, err
	}
	w := &Workspace{Options: o, Dataset: ds, Archive: arch, Runs: runstore.New(staging, uri)}
	return w, w.readSuppressions(ctx)
}

func openStore(ctx context.Context, text, kmsKey string) (*objstore.Store, objstore.URI, error) {
	uri, err := objstore.ParseURI(text)
	if err != nil {
		return nil, uri, err
	}
	store, err := objstore.Open(ctx, uri, objstore.Options{KMSKey: kmsKey})
	return store, uri, err
}

// Open opens a planned object exactly as it was listed; it is the Source of scan.
func (w *Workspace) Open(ctx context.Context, o runplan.ObjectRef) (io.ReadCloser, error) {
	return w.Archive.Get(ctx, o.Key, objstore.Object{Key: o.Key, Size: o.Size, ETag: o.ETag, Version: o.Version})
}

// TargetName returns schema.table.
func (w *Workspace) TargetName() string {
	return w.Dataset.Table.Schema + "." + w.Dataset.Table.Name
}

// Target returns the table as publish needs it.
func (w *Workspace) Target() publish.Target {
	ds := w.Dataset
	index := func(names []string) []int {
		var list []int
		for _, n := range names {
			list = append(list, ds.ColumnIndex(n))
		}
		return list
	}
	t := ds.Table
	return publish.Target{
		Schema: t.Schema, Table: t.Name, Columns: ds.Columns, Scope: t.Scope, WindowColumn: t.WindowColumn,
		Key: index(t.Key), LatestBy: index(t.LatestBy), NotLoaded: t.NotLoaded, Provenance: t.Provenance,
		Totals: ds.Reconcile.Totals, By: ds.Reconcile.By, Buckets: ds.Reconcile.Buckets, Mode: string(t.Mode),
	}
}

// Actor is who changes the table, for the ledger.
func (w *Workspace) Actor(reason string) publish.Actor {
	return publish.Actor{Reason: reason, RequestedBy: w.By, Image: w.Image, Version: w.Version, Airflow: w.Airflow}
}

// Calendar returns a calendar of the dataset's zone.
func (w *Workspace) Calendar() *kafka.Calendar { return kafka.NewCalendar(w.Dataset.Calendar) }

// Current refuses a plan that another converter version sealed: its receipts
// and those of this program would not add up.
func (w *Workspace) Current(head *runplan.Head) error {
	if head.Converter == runplan.Converter {
		return nil
	}
	return fail.New(fail.Usage, "plan %d was sealed by backfill %s, whose converter has version %d; this program's has %d", head.Seq, head.Version, head.Converter, runplan.Converter).
		At("%s", head.Target).Try("plan the window again, or go on with the program that sealed it")
}

// Stopped returns why nothing new may be begun: the halt's cause, or
// fail.Stopped when a person aborted the plan; nil to go on.
func (w *Workspace) Stopped(ctx context.Context, head *runplan.Head) error {
	if err := w.Halt.Cause(); err != nil {
		return err
	}
	mark, err := w.Runs.Aborted(ctx, head)
	if err != nil || mark == nil {
		return err
	}
	return fail.New(fail.Stopped, "%s", mark).At("%s", head.Target).Try("if the window is to be loaded, seal a new plan with --replan")
}

// WorkOn says which run, and which plan of its table, the process works on now;
// seq is 0 while the plan is not known.
func (w *Workspace) WorkOn(run runplan.RunID, seq runplan.Seq) {
	w.Run = run
	if w.Works != nil {
		w.Works(run, seq)
	}
}

// Step logs a step that is done.
func (w *Workspace) Step(format string, args ...any) { w.Log.Info(fmt.Sprintf(format, args...)) }
