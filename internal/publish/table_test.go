package publish

import (
	"context"
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
			"change the dataset or the table:\nALTER TABLE \"payroll\".\"events\" ALTER COLUMN \"event_id\" TYPE VARCHAR(36);"},
		{"shorter char", retype("currency", "char(2)", schema.Type{Kind: schema.Char, Length: 2}),
			"column currency is char(2) in the table, the dataset needs char(3)", "change the dataset or the table"},
		{"char for varchar", retype("currency", "varchar(3)", schema.Type{Kind: schema.Varchar, Length: 3}),
			"column currency is varchar(3) in the table, char(3) in the dataset", "change the dataset or the table"},
		{"scale", retype("gross_amount", "decimal(18,4)", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 4}),
			"column gross_amount is decimal(18,4) in the table, decimal(18,2) in the dataset", "change the dataset or the table"},
		{"unknown type", retype("gross_amount", "double precision", schema.Type{}),
			"column gross_amount is double precision in the table, decimal(18,2) in the dataset", "change the dataset or the table"},
		{"missing", drop("details", "_kafka_offset", "loaded_at"),
			"column details (super) is missing; column _kafka_offset (bigint) is missing; column loaded_at of not_loaded is not in the table",
			"change the dataset or the table:\nALTER TABLE \"payroll\".\"events\" ADD COLUMN \"details\" SUPER;\nALTER TABLE \"payroll\".\"events\" ADD COLUMN \"_kafka_offset\" BIGINT;"},
		{"unlisted", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			return append(l, redshift.LiveColumn{Name: "note", Spelled: "varchar(10)"})
		}, "column note (varchar(10)) is in the table and neither loaded nor in not_loaded", "change the dataset or the table"},
		{"not null", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			column(l, "currency").NotNull, column(l, "source").NotNull = true, true
			column(l, "loaded_at").HasDefault = false
			column(l, "occurred_at").NotNull = false
			column(l, "_kafka_offset").NotNull = true
			return l
		}, "column currency is NOT NULL in the table and not required in the dataset; " +
			"the window column occurred_at can be NULL in the table: such rows would be in no window; " +
			"column _kafka_offset is NOT NULL, but not every archive proves offsets; " +
			"column loaded_at is not loaded, but NOT NULL without a default", "change the dataset or the table"},
		{"identity", func(l []redshift.LiveColumn) []redshift.LiveColumn {
			column(l, "event_id").Identity = true
			*column(l, "loaded_at") = redshift.LiveColumn{Name: "loaded_at", Identity: true, NotNull: true}
			return l
		}, "column event_id is an identity column and takes no values", "change the dataset or the table"},
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
	if hint := fail.HintOf(err); hint != "create it, or grant rights on it:\n"+CreateTableSQL(payroll()) {
		t.Error(hint)
	}
	w.onKind = func(string) error { return fail.New(fail.Permission, "no") }
	if err := CheckTable(context.Background(), w, payroll()); !fail.Is(err, fail.Permission) || err.Error() != "reading the columns of payroll.events: no" {
		t.Errorf("%v", err)
	}
}
