package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/redshift"
	"backfill/internal/schema"
)

// A right is one thing that a load does, tried without effect.
type right struct {
	needs string // what a GRANT names
	sql   string
}

// ProbeRights tries each kind of statement that a load sends, in one transaction
// that is rolled back, none of which touches a row. The first one that is refused
// comes back, as fail.Permission with the GRANT that mends it where the warehouse
// says so. The table must be there.
func ProbeRights(ctx context.Context, s Session, t Target) error {
	c, err := compile(t)
	if err != nil {
		return err
	}
	table := quoteOwn(t.Schema) + "." + quoteOwn("__backfill_probe_"+strings.ToLower(rand.Text()[:8]))
	rights := []right{
		{"SELECT ON " + c.table, "SELECT COUNT(*) FROM " + c.table + " WHERE 1 = 0"},
		{"DELETE ON " + c.table, "DELETE FROM " + c.table + " WHERE 1 = 0"},
		{"INSERT ON " + c.table, "INSERT INTO " + c.table + " SELECT * FROM " + c.table + " WHERE 1 = 0"},
		{"CREATE ON SCHEMA " + quoteOwn(t.Schema), "CREATE TABLE " + table + " (probe INTEGER)"},
	}
	if err := s.Begin(ctx); err != nil {
		return err
	}
	for _, r := range rights {
		if err := trySQL(ctx, s, r); err != nil {
			if rerr := s.Rollback(context.WithoutCancel(ctx)); rerr != nil {
				return fmt.Errorf("%w (and the transaction could not be rolled back: %v)", err, rerr)
			}
			return err
		}
	}
	return s.Rollback(ctx)
}

func trySQL(ctx context.Context, s Session, r right) error {
	var err error
	if strings.HasPrefix(r.sql, "SELECT") {
		err = s.Query(ctx, r.sql, func(redshift.Scanner) error { return nil })
	} else {
		_, err = s.Exec(ctx, r.sql)
	}
	if fail.Is(err, fail.Permission) {
		return fail.Wrap(err, fail.Permission, "the login may not do what a load does").Try("GRANT %s TO the user of warehouse.url;", r.needs)
	}
	return err
}

// ProbeColumn is the one column of the Parquet file that ProbeCopy loads.
func ProbeColumn() schema.Column {
	return schema.Column{Name: "probe", Type: schema.Type{Kind: schema.Varchar, Length: 64}}
}

// ProbeCopy loads the one row of a manifest into a temp table by the role that
// loads use, and returns the value that arrived.
func ProbeCopy(ctx context.Context, s Session, manifest, role string) (value string, err error) {
	name := "backfill_probe_" + strings.ToLower(rand.Text()[:8])
	if _, err := s.Exec(ctx, "CREATE TEMP TABLE "+quoteOwn(name)+" ("+quoteOwn(ProbeColumn().Name)+" "+ddlType(ProbeColumn().Type)+")"); err != nil {
		if fail.Is(err, fail.Permission) {
			return "", fail.Wrap(err, fail.Permission, "the login may not create temp tables").Try("GRANT TEMP ON DATABASE … TO the user of warehouse.url;")
		}
		return "", err
	}
	if _, err := s.Copy(ctx, redshift.CopyStatement{Table: name, Columns: []string{ProbeColumn().Name}, Manifest: manifest, IAMRole: role}); err != nil {
		return "", err
	}
	err = s.Query(ctx, "SELECT "+quoteOwn(ProbeColumn().Name)+" FROM "+quoteOwn(name), func(r redshift.Scanner) error { return r.Scan(&value) })
	return value, err
}

// ReadClock asks for the warehouse's time, UTC, in whole seconds.
func ReadClock(ctx context.Context, s Session) (time.Time, error) {
	var seconds int64
	err := s.Query(ctx, "SELECT EXTRACT(EPOCH FROM GETDATE())::BIGINT", func(r redshift.Scanner) error { return r.Scan(&seconds) })
	return time.Unix(seconds, 0).UTC(), err
}
