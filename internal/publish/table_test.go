package publish

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/redshift"
	"backfill/internal/schema"
)

// liveTable fits payroll().
func liveTable() []redshift.LiveColumn {
	var live []redshift.LiveColumn
	for _, c := range append(payroll().Columns, provenance()...) {
		live = append(live, redshift.LiveColumn{Name: c.Name, Type: c.Type, Spelled: c.Type.String(), NotNull: c.Required})
	}
	return append(live, redshift.LiveColumn{Name: "loaded_at", Spelled: "timestamp", Type: schema.Type{Kind: schema.Timestamp}, NotNull: true, HasDefault: true})
}

func TestCheckTable(t *testing.T) {
	column := func(live []redshift.LiveColumn, name string) *redshift.LiveColumn {
		for i := range live {
			if live[i].Name == name {
				return &live[i]
			}
		}
		t.Fatal(name)
		return nil
	}
	retype := func(name, spelled string, kind schema.Type) func([]redshift.LiveColumn) []redshift.LiveColumn {
		return func(live []redshift.LiveColumn) []redshift.LiveColumn {
			c := column(live, name)
			c.Spelled, c.Type = spelled, kind
			return live
		}
	}
	drop := func(names ...string) func([]redshift.LiveColumn) []redshift.LiveColumn {
		return func(live []redshift.LiveColumn) []redshift.LiveColumn {
			var out []redshift.LiveColumn
			for _, c := range live {
				keep := true
				for _, n := range names {
					keep = keep && n != c.Name
				}
				if keep {
					out = append(out, c)
				}
			}
			return out
		}
	}
	const quarantined, inTable = ", which sends records that do not fit it to the quarantine", "in the table, outside of a transaction:\n"
	anew := func(names string) string {
		return "no ALTER mends " + names + " in the table: move the rows into one that is made by\n" + CreateTableSQL(payroll())
	}
	const differs = "payroll.events: the table differs from the dataset: "
	tests := []struct {
		name       string
		edit       func([]redshift.LiveColumn) []redshift.LiveColumn
		want, hint string
	}{
		{"fits", func(l []redshift.LiveColumn) []redshift.LiveColumn { return l }, "", ""},
		{"longer text", retype("event_id", "varchar(64)", schema.Type{Kind: schema.Varchar, Length: 64}), "", ""},
		{"shorter text", retype("event_id", "varchar(35)", schema.Type{Kind: schema.Varchar, Length: 35}),
			"column event_id is varchar(35) in the table, the dataset needs varchar(36)",
			"in the dataset: type: varchar(35) for event_id" + quarantined + "\n" + inTable + "ALTER TABLE \"payroll\".\"events\" ALTER COLUMN \"event_id\" TYPE VARCHAR(36);"},
		{"shorter char", retype("currency", "char(2)", schema.Type{Kind: schema.Char, Length: 2}),
			"column currency is char(2) in the table, the dataset needs char(3)",
			"in the dataset: type: char(2) for currency" + quarantined + "\n" + inTable + "ALTER TABLE \"payroll\".\"events\" ADD COLUMN \"currency__new\" CHAR(3);\nUPDATE \"payroll\".\"events\" SET \"currency__new\" = \"currency\";\nALTER TABLE \"payroll\".\"events\" DROP COLUMN \"currency\";\nALTER TABLE \"payroll\".\"events\" RENAME COLUMN \"currency__new\" TO \"currency\";"},
		{"char for varchar", retype("currency", "varchar(3)", schema.Type{Kind: schema.Varchar, Length: 3}),
			"column currency is varchar(3) in the table, char(3) in the dataset",
			"in the dataset: type: varchar(3) for currency" + quarantined + "\n" + anew("currency")},
		{"scale", retype("gross_amount", "decimal(18,4)", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 4}),
			"column gross_amount is decimal(18,4) in the table, decimal(18,2) in the dataset",
			"in the dataset: type: decimal(18,4) for gross_amount" + quarantined + "\n" + anew("gross_amount")},
		{"unknown type", retype("gross_amount", "double precision", schema.Type{}),
			"column gross_amount is double precision in the table, decimal(18,2) in the dataset", anew("gross_amount")},
		{"missing", drop("details", "_kafka_offset", "loaded_at"),
			"column details (super) is missing; column _kafka_offset (bigint) is missing; column loaded_at of not_loaded is not in the table",
			"in the dataset: take loaded_at out of table.not_loaded\n" + inTable + "ALTER TABLE \"payroll\".\"events\" ADD COLUMN \"details\" SUPER;\nALTER TABLE \"payroll\".\"events\" ADD COLUMN \"_kafka_offset\" BIGINT;"},
		{"unlisted", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			return append(l, redshift.LiveColumn{Name: "note", Spelled: "varchar(10)"})
		}, "column note (varchar(10)) is in the table and neither loaded nor in not_loaded",
			"in the dataset: add note to columns, or to table.not_loaded: then new rows get its default"},
		{"not null", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			column(l, "currency").NotNull, column(l, "source").NotNull = true, true
			column(l, "loaded_at").HasDefault = false
			column(l, "occurred_at").NotNull = false
			column(l, "_kafka_offset").NotNull = true
			return l
		}, "column currency is NOT NULL in the table and not required in the dataset; " +
			"the window column occurred_at can be NULL in the table: such rows would be in no window; " +
			"column _kafka_offset is NOT NULL, but not every archive proves offsets; " +
			"column loaded_at is not loaded, but NOT NULL without a default",
			"in the dataset: required: true for currency, which sends records without it to the quarantine; load loaded_at\n" + inTable +
				"ALTER TABLE \"payroll\".\"events\" ADD COLUMN \"_kafka_offset__new\" BIGINT;\nUPDATE \"payroll\".\"events\" SET \"_kafka_offset__new\" = \"_kafka_offset\";\nALTER TABLE \"payroll\".\"events\" DROP COLUMN \"_kafka_offset\";\nALTER TABLE \"payroll\".\"events\" RENAME COLUMN \"_kafka_offset__new\" TO \"_kafka_offset\";\n" + anew("occurred_at")},
		{"more digits", retype("gross_amount", "decimal(18,1)", schema.Type{Kind: schema.Decimal, Precision: 17, Scale: 1}),
			"column gross_amount is decimal(18,1) in the table, decimal(18,2) in the dataset",
			"in the dataset: type: decimal(17,1) for gross_amount" + quarantined + "\n" + inTable + "ALTER TABLE \"payroll\".\"events\" ADD COLUMN \"gross_amount__new\" DECIMAL(18,2);\nUPDATE \"payroll\".\"events\" SET \"gross_amount__new\" = \"gross_amount\";\nALTER TABLE \"payroll\".\"events\" DROP COLUMN \"gross_amount\";\nALTER TABLE \"payroll\".\"events\" RENAME COLUMN \"gross_amount__new\" TO \"gross_amount\";"},
		{"text with a default", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			c := column(l, "_backfill_run")
			c.Spelled, c.Type, c.HasDefault = "varchar(10)", schema.Type{Kind: schema.Varchar, Length: 10}, true
			return l
		}, "column _backfill_run is varchar(10) in the table, the dataset needs varchar(64)", inTable + "ALTER TABLE \"payroll\".\"events\" ADD COLUMN \"_backfill_run__new\" VARCHAR(64);\nUPDATE \"payroll\".\"events\" SET \"_backfill_run__new\" = \"_backfill_run\";\nALTER TABLE \"payroll\".\"events\" DROP COLUMN \"_backfill_run\";\nALTER TABLE \"payroll\".\"events\" RENAME COLUMN \"_backfill_run__new\" TO \"_backfill_run\";"},
		{"no window column", drop("occurred_at"), "column occurred_at (timestamp) is missing", anew("occurred_at")},
		{"generated", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			*column(l, "loaded_at") = redshift.LiveColumn{Name: "loaded_at", Generated: true, NotNull: true}
			return l
		}, "", ""},
		{"identity", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			column(l, "event_id").Identity = true
			*column(l, "loaded_at") = redshift.LiveColumn{Name: "loaded_at", Identity: true, NotNull: true}
			return l
		}, "column event_id is an identity column and takes no values",
			"in the dataset: take column event_id away and add it to table.not_loaded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &warehouse{t: t, columns: test.edit(liveTable())}
			err := CheckTable(context.Background(), w, payroll())
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fail.Is(err, fail.TableDiffers) || err.Error() != differs+test.want || fail.HintOf(err) != test.hint {
				t.Errorf("got  %v\nwant %s\nhint %q\nwant %q", err, differs+test.want, fail.HintOf(err), test.hint)
			}
		})
	}
}

func TestCheckTableMissing(t *testing.T) {
	w := &warehouse{t: t}
	err := CheckTable(context.Background(), w, payroll())
	if !fail.Is(err, fail.TableMissing) || err.Error() != "payroll.events: the table does not exist, or this login can't see it" {
		t.Errorf("%v", err)
	}
	if hint := fail.HintOf(err); !strings.HasPrefix(hint, "say --create-table") || !strings.HasSuffix(hint, ":\n"+CreateTableSQL(payroll())) {
		t.Error(hint)
	}
	w.onKind = func(string) error { return fail.New(fail.Permission, "no") }
	if err := CheckTable(context.Background(), w, payroll()); !fail.Is(err, fail.Permission) || err.Error() != "reading the columns of payroll.events: no" {
		t.Errorf("%v", err)
	}
}

// Every type of a dataset against every type that a table can have: only the
// same type fits, and longer text.
func TestTypeMatrix(t *testing.T) {
	kinds := []string{"smallint", "integer", "bigint", "decimal(18,2)", "decimal(18,4)", "decimal(38,2)", "boolean", "date", "timestamp", "char(3)", "char(5)",
		"varchar(3)", "varchar(36)", "varchar(65535)", "super"}
	others := []string{"real", "double precision", "timestamp with time zone", "time without time zone", "time with time zone", "binary varying", "geometry",
		"geography", "hllsketch", "interval year to month", "interval day to second"}
	types := map[string]schema.Type{}
	for _, k := range kinds {
		types[k] = parsed(t, k)
	}
	longer := map[string]string{"char(3)": "char(5)", "varchar(3)": "varchar(36) varchar(65535)", "varchar(36)": "varchar(65535)"}
	for _, want := range kinds {
		target := Target{Schema: "payroll", Table: "t", Mode: Append, Columns: []schema.Column{{Name: "c", Type: types[want]}}}
		for _, have := range append(kinds, others...) {
			w := &maker{columns: []redshift.LiveColumn{{Name: "c", Spelled: have, Type: types[have]}}}
			err := CheckTable(context.Background(), w, target)
			if fits := want == have || strings.Contains(longer[want], have); fits != (err == nil) {
				t.Errorf("%s in a table of %s: %v", want, have, err)
				continue
			}
			hint := fail.HintOf(err)
			switch {
			case err == nil:
			case !fail.Is(err, fail.TableDiffers) || !strings.Contains(err.Error(), "column c is "+have+" in the table"):
				t.Errorf("%s in a table of %s: %v", want, have, err)
			case !strings.Contains(hint, "ALTER TABLE") && !strings.Contains(hint, "CREATE TABLE"):
				t.Errorf("%s in a table of %s: no DDL in %q", want, have, hint)
			case strings.Contains(hint, "UPDATE") && !types[want].Holds(types[have]):
				t.Errorf("%s in a table of %s: %q changes values", want, have, hint)
			}
		}
	}
}

func parsed(t *testing.T, text string) schema.Type {
	t.Helper()
	names := map[string]schema.Kind{"smallint": schema.Smallint, "integer": schema.Integer, "bigint": schema.Bigint, "decimal": schema.Decimal,
		"boolean": schema.Boolean, "date": schema.Date, "timestamp": schema.Timestamp, "char": schema.Char, "varchar": schema.Varchar, "super": schema.Super}
	name, arguments, _ := strings.Cut(text, "(")
	k := schema.Type{Kind: names[name]}
	switch k.Kind {
	case schema.Decimal:
		if _, err := fmt.Sscanf(arguments, "%d,%d)", &k.Precision, &k.Scale); err != nil {
			t.Fatal(err)
		}
	case schema.Char, schema.Varchar:
		if _, err := fmt.Sscanf(arguments, "%d)", &k.Length); err != nil {
			t.Fatal(err)
		}
	}
	if k.Kind == 0 || k.String() != text {
		t.Fatalf("%s is read as %s", text, k)
	}
	return k
}

// maker is a session in which a table may be missing and can be made.
type maker struct {
	Session
	columns    []redshift.LiveColumn
	err        error
	statements []string
}

func (m *maker) Columns(context.Context, string, string) ([]redshift.LiveColumn, error) {
	if m.columns == nil {
		return nil, fail.New(fail.TableMissing, "no such table")
	}
	return m.columns, nil
}

func (m *maker) Exec(_ context.Context, sql string, _ ...any) (int64, error) {
	m.statements = append(m.statements, sql)
	return 0, m.err
}

func TestCreateTable(t *testing.T) {
	ctx := context.Background()
	target := payroll()
	target.NotLoaded = nil
	m := &maker{columns: liveTable()}
	if ddl, err := CreateTable(ctx, m, target); ddl != "" || err != nil || len(m.statements) != 0 {
		t.Errorf("a table that is there: %q, %v, %q", ddl, err, m.statements)
	}
	m = &maker{}
	ddl, err := CreateTable(ctx, m, target)
	if err != nil || ddl != CreateTableSQL(target) || len(m.statements) != 1 ||
		m.statements[0] != strings.Replace(strings.TrimSuffix(ddl, ";"), "CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1) {
		t.Errorf("%q, %v, %q", ddl, err, m.statements)
	}
	if _, err := CreateTable(ctx, m, payroll()); !fail.Is(err, fail.TableMissing) || len(m.statements) != 1 ||
		err.Error() != "payroll.events: the table can't be created: the dataset does not say the types of loaded_at" ||
		fail.HintOf(err) != "create it by hand:\n"+CreateTableSQL(payroll()) {
		t.Errorf("%v (%s)", err, fail.HintOf(err))
	}
	for _, test := range []struct {
		code       fail.Code
		want, hint string
	}{
		{fail.TableMissing, "payroll.events: creating the table: no", `create the schema first: CREATE SCHEMA "payroll";`},
		{fail.Permission, "payroll.events: creating the table: no", "GRANT CREATE ON SCHEMA \"payroll\" to this login, or let its owner run:\n" + CreateTableSQL(target)},
		{fail.Network, "creating payroll.events: no", ""},
	} {
		_, err := CreateTable(ctx, &maker{err: fail.New(test.code, "no")}, target)
		if !fail.Is(err, test.code) || err.Error() != test.want || fail.HintOf(err) != test.hint {
			t.Errorf("%v (%s)", err, fail.HintOf(err))
		}
	}
}
