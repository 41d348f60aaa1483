package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/redshift"
	"backfill/internal/schema"
)

// CheckTable compares the live table with the dataset: missing, unlisted and
// wrongly typed columns, NOT NULL, the window column, provenance and identity.
// All differences are in one fail.TableDiffers, whose hint is the DDL that
// mends what DDL can; fail.TableMissing has the CREATE TABLE as its hint.
func CheckTable(ctx context.Context, s Session, t Target) error {
	c, err := compile(t)
	if err != nil {
		return err
	}
	live, err := s.Columns(ctx, t.Schema, t.Table)
	if fail.Is(err, fail.TableMissing) {
		return fail.New(fail.TableMissing, "the table does not exist, or this login can't see it").
			At("%s", c.name()).Try("create it, or grant rights on it:\n%s", CreateTableSQL(t))
	}
	if err != nil {
		return fmt.Errorf("reading the columns of %s: %w", c.name(), err)
	}
	d := differences{t: c, live: make(map[string]redshift.LiveColumn, len(live))}
	for _, col := range live {
		d.live[col.Name] = col
	}
	for _, col := range c.Columns {
		d.column(col)
	}
	if t.Provenance {
		for _, col := range provenance() {
			d.provenance(col)
		}
	}
	d.unlisted(live)
	if len(d.texts) == 0 {
		return nil
	}
	hint := "change the dataset or the table"
	if len(d.ddl) > 0 {
		hint += ":\n" + strings.Join(d.ddl, "\n")
	}
	return fail.New(fail.TableDiffers, "the table differs from the dataset: %s", strings.Join(d.texts, "; ")).
		At("%s", c.name()).Try("%s", hint)
}

// provenance are the columns of a table with provenance. Rows of other
// pipelines leave them NULL.
func provenance() []schema.Column {
	cols := schema.Technical()
	for i := range cols {
		cols[i].Required = false
	}
	return append(cols, schema.Column{Name: schema.RunColumn, Type: schema.Type{Kind: schema.Varchar, Length: 64}})
}

// differences collects what does not fit.
type differences struct {
	t     *target
	live  map[string]redshift.LiveColumn
	texts []string
	ddl   []string
}

func (d *differences) add(format string, args ...any) {
	d.texts = append(d.texts, fmt.Sprintf(format, args...))
}

func (d *differences) alter(format string, args ...any) {
	d.ddl = append(d.ddl, "ALTER TABLE "+d.t.table+" "+fmt.Sprintf(format, args...)+";")
}

// column checks one column of the dataset.
func (d *differences) column(col schema.Column) {
	live, ok := d.live[col.Name]
	if !ok {
		d.missing(col)
		return
	}
	d.kind(col, live)
	switch {
	case live.Identity:
		d.add("column %s is an identity column and takes no values", col.Name)
	case live.NotNull && !col.Required && col.Const == nil:
		d.add("column %s is NOT NULL in the table and not required in the dataset", col.Name)
	}
	if col.Name == d.t.WindowColumn && !live.NotNull {
		d.add("the window column %s can be NULL in the table: such rows would be in no window", col.Name)
	}
}

// provenance checks one provenance column.
func (d *differences) provenance(col schema.Column) {
	live, ok := d.live[col.Name]
	if !ok {
		d.missing(col)
		return
	}
	d.kind(col, live)
	if col.Name == schema.OffsetColumn && live.NotNull {
		d.add("column %s is NOT NULL, but not every archive proves offsets", col.Name)
	}
}

func (d *differences) missing(col schema.Column) {
	d.add("column %s (%s) is missing", col.Name, col.Type)
	d.alter("ADD COLUMN %s %s", quoteOwn(col.Name), strings.ToUpper(col.Type.String()))
}

// kind compares types. A longer text column holds all that the dataset
// allows; everything else must be exact, COPY and sums depend on it.
func (d *differences) kind(col schema.Column, live redshift.LiveColumn) {
	want, have := col.Type, live.Type
	if want == have {
		return
	}
	text := want.Kind == schema.Varchar || want.Kind == schema.Char
	if text && want.Kind == have.Kind {
		if have.Length >= want.Length {
			return
		}
		d.add("column %s is %s in the table, the dataset needs %s", col.Name, live.Spelled, want)
		if want.Kind == schema.Varchar {
			d.alter("ALTER COLUMN %s TYPE %s", quoteOwn(col.Name), strings.ToUpper(want.String()))
		}
		return
	}
	d.add("column %s is %s in the table, %s in the dataset", col.Name, live.Spelled, want)
}

// unlisted checks the columns that the dataset does not load.
func (d *differences) unlisted(live []redshift.LiveColumn) {
	known := map[string]bool{}
	for _, col := range d.t.Columns {
		known[col.Name] = true
	}
	if d.t.Provenance {
		for _, col := range provenance() {
			known[col.Name] = true
		}
	}
	for _, name := range d.t.NotLoaded {
		if _, ok := d.live[name]; !ok {
			d.add("column %s of not_loaded is not in the table", name)
		}
	}
	for _, col := range live {
		switch {
		case known[col.Name]:
		case !slices.Contains(d.t.NotLoaded, col.Name):
			d.add("column %s (%s) is in the table and neither loaded nor in not_loaded", col.Name, col.Spelled)
		case col.NotNull && !col.HasDefault && !col.Identity:
			d.add("column %s is not loaded, but NOT NULL without a default", col.Name)
		}
	}
}

// CreateTableSQL returns the statement that creates a table for the dataset.
// Columns that are not loaded are named in a comment: only their owner knows
// type and default.
func CreateTableSQL(t Target) string {
	columns := slices.Clone(t.Columns)
	if t.Provenance {
		columns = append(columns, provenance()...)
	}
	lines := make([]string, 0, len(columns))
	for _, col := range columns {
		line := "  " + quoteOwn(col.Name) + " " + strings.ToUpper(col.Type.String())
		if col.Required || col.Const != nil || col.Name == t.WindowColumn {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	sql := "CREATE TABLE " + quoteOwn(t.Schema) + "." + quoteOwn(t.Table) + " (\n" + strings.Join(lines, ",\n") + "\n)"
	if t.WindowColumn != "" {
		sql += "\nSORTKEY (" + quoteOwn(t.WindowColumn) + ")"
	}
	sql += ";"
	if len(t.NotLoaded) > 0 {
		sql += "\n-- add the columns of not_loaded with their types and defaults: " + strings.Join(t.NotLoaded, ", ")
	}
	return sql
}
