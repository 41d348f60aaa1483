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
// wrongly typed columns, NOT NULL, identity, the window column and provenance.
// All differences are in one fail.TableDiffers; its hint says what mends them in
// the dataset, by ALTER TABLE, or by a new table where no ALTER does.
// fail.TableMissing has the CREATE TABLE as its hint.
func CheckTable(ctx context.Context, s Session, t Target) error {
	c, err := compile(t)
	if err != nil {
		return err
	}
	live, err := s.Columns(ctx, t.Schema, t.Table)
	if fail.Is(err, fail.TableMissing) {
		return fail.New(fail.TableMissing, "the table does not exist, or this login can't see it").
			At("%s", c.name()).Try("say --create-table, which makes it so; if it is there, check warehouse.url and GRANT USAGE on its schema and SELECT, INSERT, DELETE on it:\n%s", CreateTableSQL(t))
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
	return fail.New(fail.TableDiffers, "the table differs from the dataset: %s", strings.Join(d.texts, "; ")).
		At("%s", c.name()).Try("%s", d.hint())
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

// differences collects what does not fit, and what mends it.
type differences struct {
	t       *target
	live    map[string]redshift.LiveColumn
	texts   []string
	dataset []string // edits of the dataset file
	ddl     []string // statements on the table
	anew    []string // columns that only a new table mends
}

func (d *differences) add(format string, args ...any) {
	d.texts = append(d.texts, fmt.Sprintf(format, args...))
}

func (d *differences) edit(format string, args ...any) {
	d.dataset = append(d.dataset, fmt.Sprintf(format, args...))
}

func (d *differences) alter(format string, args ...any) {
	d.ddl = append(d.ddl, "ALTER TABLE "+d.t.table+" "+fmt.Sprintf(format, args...)+";")
}

// hint says what mends the differences, from the smallest step on.
func (d *differences) hint() string {
	var parts []string
	if len(d.dataset) > 0 {
		parts = append(parts, "in the dataset: "+strings.Join(d.dataset, "; "))
	}
	if len(d.ddl) > 0 {
		parts = append(parts, "in the table, outside of a transaction:\n"+strings.Join(d.ddl, "\n"))
	}
	if len(d.anew) > 0 {
		parts = append(parts, "no ALTER mends "+strings.Join(d.anew, ", ")+" in the table: move the rows into one that is made by\n"+CreateTableSQL(d.t.Target))
	}
	if len(parts) == 0 {
		return "change the dataset or the table"
	}
	return strings.Join(parts, "\n")
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
		d.edit("take column %s away and add it to table.not_loaded", col.Name)
	case live.NotNull && !col.Required && col.Const == nil:
		d.add("column %s is NOT NULL in the table and not required in the dataset", col.Name)
		d.edit("required: true for %s, which sends records without it to the quarantine", col.Name)
	}
	if col.Name == d.t.WindowColumn && !live.NotNull {
		d.add("the window column %s can be NULL in the table: such rows would be in no window", col.Name)
		d.anew = append(d.anew, col.Name)
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
		d.replaceColumn(col)
	}
}

// missing names a column that the table lacks. An added column is NULL in the
// rows that are there, which the window column may not be.
func (d *differences) missing(col schema.Column) {
	d.add("column %s (%s) is missing", col.Name, col.Type)
	if col.Name == d.t.WindowColumn {
		d.anew = append(d.anew, col.Name)
		return
	}
	d.alter("ADD COLUMN %s %s", quoteOwn(col.Name), ddlType(col.Type))
}

// kind compares types. A longer text column holds all that the dataset
// allows; everything else must be exact, COPY and sums depend on it.
func (d *differences) kind(col schema.Column, live redshift.LiveColumn) {
	want, have := col.Type, live.Type
	isText := func(t schema.Type) bool { return t.Kind == schema.Varchar || t.Kind == schema.Char }
	text := isText(want)
	switch {
	case want == have, text && want.Kind == have.Kind && have.Length >= want.Length:
		return
	case text && want.Kind == have.Kind:
		d.add("column %s is %s in the table, the dataset needs %s", col.Name, live.Spelled, want)
	default:
		d.add("column %s is %s in the table, %s in the dataset", col.Name, live.Spelled, want)
	}
	// The table's type in the dataset never changes a value: what does not fit
	// it goes to the quarantine. For narrower types that must be said.
	switch {
	case have.Kind == 0 || !d.owns(col.Name):
	case have.Holds(want):
		d.edit("type: %s for %s", have, col.Name)
	case text && isText(have), have.Kind == schema.Decimal && want.Kind == schema.Decimal:
		d.edit("type: %s for %s, which sends records that do not fit it to the quarantine", have, col.Name)
	}
	switch {
	case want.Kind == schema.Varchar && have.Kind == schema.Varchar && !live.HasDefault:
		d.alter("ALTER COLUMN %s TYPE %s", quoteOwn(col.Name), ddlType(want))
	case want.Holds(have) && !d.keyed(col.Name):
		d.replaceColumn(col)
	default:
		d.anew = append(d.anew, col.Name)
	}
}

// owns reports whether the dataset's file declares the column.
func (d *differences) owns(name string) bool {
	return slices.ContainsFunc(d.t.Columns, func(c schema.Column) bool { return c.Name == name })
}

// keyed reports whether the column may be the table's distribution or sort key,
// which can't be dropped, or must stay NOT NULL.
func (d *differences) keyed(name string) bool {
	if name == d.t.WindowColumn {
		return true
	}
	for _, i := range d.t.Key {
		if d.t.Columns[i].Name == name {
			return true
		}
	}
	return false
}

// replaceColumn changes a type that ALTER COLUMN can't, for types that hold
// every value that is there.
func (d *differences) replaceColumn(col schema.Column) {
	next := quoteOwn(col.Name + "__new")
	d.alter("ADD COLUMN %s %s", next, ddlType(col.Type))
	d.ddl = append(d.ddl, "UPDATE "+d.t.table+" SET "+next+" = "+quoteOwn(col.Name)+";")
	d.alter("DROP COLUMN %s", quoteOwn(col.Name))
	d.alter("RENAME COLUMN %s TO %s", next, quoteOwn(col.Name))
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
			d.edit("take %s out of table.not_loaded", name)
		}
	}
	for _, col := range live {
		switch {
		case known[col.Name]:
		case !slices.Contains(d.t.NotLoaded, col.Name):
			d.add("column %s (%s) is in the table and neither loaded nor in not_loaded", col.Name, col.Spelled)
			d.edit("add %s to columns, or to table.not_loaded: then new rows get its default", col.Name)
		case col.NotNull && !col.HasDefault && !col.Identity && !col.Generated:
			d.add("column %s is not loaded, but NOT NULL without a default", col.Name)
			d.edit("load %s", col.Name)
		}
	}
}
