package status

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/jobs/workspace"
)

// Ledger is what was done to the target, newest first.
type Ledger struct {
	Target string              `json:"target"`
	Rows   []publish.LedgerRow `json:"rows"`
}

// ReadLedger reads the target's ledger as far as it concerns the dataset's
// scope: all kinds of rows, or those of one plan.
func ReadLedger(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Ledger, error) {
	rows, err := publish.History(ctx, s, w.Target(), kafka.Window{})
	if err != nil {
		return nil, err
	}
	l := &Ledger{Target: w.TargetName(), Rows: []publish.LedgerRow{}}
	for _, row := range rows {
		if o.Plan == nil || row.Seq == o.Plan.Seq {
			l.Rows = append(l.Rows, row)
		}
	}
	return l, nil
}

// Text writes the ledger for people, one change a line.
func (l *Ledger) Text() string {
	if len(l.Rows) == 0 {
		return fmt.Sprintf("%s: nothing was ever changed by this tool\n", l.Target)
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "committed\tkind\tplan\tslice\tdays\tmode\tdeleted\tinserted\tvanished\tby\treason\tflags")
	for _, r := range l.Rows {
		slice, days := "all", "all rows"
		if r.SliceIndex >= 0 {
			slice = fmt.Sprint(r.SliceIndex + 1)
		}
		if r.DayFrom != kafka.NoDay {
			days = fmt.Sprintf("%s to %s", r.DayFrom, r.DayTo-1)
		}
		by := r.RequestedBy
		if r.Airflow.DAG != "" {
			by += fmt.Sprintf(" (%s.%s, try %d)", r.Airflow.DAG, r.Airflow.Task, r.Airflow.Try)
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", r.Committed.Time().Format("2006-01-02 15:04:05"), r.Kind, r.Seq, slice, days, r.Mode,
			r.RowsDeleted, r.RowsInserted, r.RowsVanished, by, r.Reason, r.Flags)
	}
	_ = tw.Flush() // a strings.Builder takes everything
	return b.String()
}
