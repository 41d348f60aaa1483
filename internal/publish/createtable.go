package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/schema"
)

func ddlType(t schema.Type) string { return strings.ToUpper(t.String()) }

// CreateTableSQL returns the statement that creates a table for the dataset.
// Columns that are not loaded are named in a comment: only their owner knows
// type and default.
//
// Rows are sorted by the window column: every load reads, deletes and counts by
// it. They are distributed by the key where that is one column, because guards
// and de-duplication join by it, and a row's identity spreads evenly; of several
// key columns any single one may be skewed, so Redshift chooses. No PRIMARY KEY is
// declared: Redshift does not enforce it and answers wrongly where it is false.
func CreateTableSQL(t Target) string {
	columns := slices.Clone(t.Columns)
	if t.Provenance {
		columns = append(columns, provenance()...)
	}
	lines := make([]string, 0, len(columns))
	for _, col := range columns {
		line := "  " + quoteOwn(col.Name) + " " + ddlType(col.Type)
		if col.Required || col.Const != nil || col.Name == t.WindowColumn {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	sql := "CREATE TABLE " + quoteOwn(t.Schema) + "." + quoteOwn(t.Table) + " (\n" + strings.Join(lines, ",\n") + "\n)"
	if len(t.Key) == 1 {
		sql += "\nDISTKEY (" + quoteOwn(t.Columns[t.Key[0]].Name) + ")"
	}
	if t.WindowColumn != "" {
		sql += "\nSORTKEY (" + quoteOwn(t.WindowColumn) + ")"
	}
	sql += ";"
	if len(t.NotLoaded) > 0 {
		sql += "\n-- add the columns of not_loaded with their types and defaults: " + strings.Join(t.NotLoaded, ", ")
	}
	return sql
}

// CreateTable creates the table if it is missing, and returns the statement
// that did; "" when it was there. A table that is there is never changed.
func CreateTable(ctx context.Context, s Session, t Target) (ddl string, err error) {
	c, err := compile(t)
	if err != nil {
		return "", err
	}
	_, err = s.Columns(ctx, t.Schema, t.Table)
	if err == nil {
		return "", nil
	}
	if !fail.Is(err, fail.TableMissing) {
		return "", fmt.Errorf("reading the columns of %s: %w", c.name(), err)
	}
	ddl = CreateTableSQL(t)
	if len(t.NotLoaded) > 0 {
		return "", fail.New(fail.TableMissing, "the table can't be created: the dataset does not say the types of %s", strings.Join(t.NotLoaded, ", ")).
			At("%s", c.name()).Try("create it by hand:\n%s", ddl)
	}
	// IF NOT EXISTS: another pod may be as far.
	statement := strings.Replace(strings.TrimSuffix(ddl, ";"), "CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
	if _, err := s.Exec(ctx, statement); err != nil {
		return "", c.createFailure(err, ddl)
	}
	return ddl, nil
}

func (t *target) createFailure(err error, ddl string) error {
	switch {
	case fail.Is(err, fail.TableMissing):
		return fail.Wrap(err, fail.TableMissing, "creating the table").At("%s", t.name()).
			Try("create the schema first: CREATE SCHEMA %s;", quoteOwn(t.Schema))
	case fail.Is(err, fail.Permission):
		return fail.Wrap(err, fail.Permission, "creating the table").At("%s", t.name()).
			Try("GRANT CREATE ON SCHEMA %s to this login, or let its owner run:\n%s", quoteOwn(t.Schema), ddl)
	}
	return fmt.Errorf("creating %s: %w", t.name(), err)
}
