package publish

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".sql")
	got += "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

// small has few columns, so that the golden statements can be read.
func small() Target {
	t := payroll()
	t.Columns = t.Columns[:5]
	return t
}

func TestSQL(t *testing.T) {
	c := mustCompile(t, small())
	w := window(t, "2024-01-30", "2024-02-01")
	next := window(t, "2024-02-03", "2024-02-04")
	day, err := c.daySQL(w, utc())
	if err != nil {
		t.Fatal(err)
	}
	copying, err := redshift.CopySQL(c.copyStatement(stageName(7), Load{ManifestURI: manifest, IAMRole: role}))
	if err != nil {
		t.Fatal(err)
	}
	insert, err := c.insertSQL(quoteOwn(stageName(7))+where(c.windowSQL(w)), `run'\1`)
	if err != nil {
		t.Fatal(err)
	}
	gone := cellQuery{from: c.vanishSource(stageName(7), w, next), form: canon.Table, day: day}
	for name, sql := range map[string]string{
		"create_ledger":   c.createLedgerSQL(),
		"create_objects":  c.createObjectsSQL(),
		"create_verified": c.createVerifiedSQL(),
		"marks":           c.selectMarksSQL(),
		"insert_mark":     c.insertMarkSQL(),
		"raise_mark":      c.raiseMarkSQL(),
		"lower_mark":      c.lowerMarkSQL(),
		"create_stage":    c.createStageSQL(stageName(7)),
		"copy":            copying,
		"stage_cells":     c.cellsSQL(cellQuery{from: quoteOwn(stageName(7)), form: canon.Stage, day: day, located: true, content: true}),
		"twice":           c.twiceSQL(stageName(7), twiceName(7)),
		"newest":          c.newestSQL(stageName(7), twiceName(7), newestName(7)),
		"drop_twice":      c.dropTwiceSQL(stageName(7), twiceName(7)),
		"put_newest":      c.putNewestSQL(stageName(7), newestName(7)),
		"rows_cells":      c.cellsSQL(cellQuery{from: quoteOwn(stageName(7)), form: canon.Inserted, day: day, located: true, content: true}),
		"table_cells":     c.cellsSQL(cellQuery{from: c.table + c.ownedSQL(w), form: canon.Table, day: day, located: true, content: true}),
		"vanish":          c.cellsSQL(gone),
		"lock":            c.lockSQL(),
		"progress":        c.progressSQL(7, w),
		"ledger":          c.selectLedgerSQL(overlapSQL(kafka.Window{})),
		"delete":          c.deleteSQL(w),
		"insert":          insert,
		"insert_ledger":   c.insertLedgerSQL(),
		"insert_objects":  c.insertObjectsSQL(2),
		"objects":         c.selectObjectsSQL(),
		"create_table":    CreateTableSQL(payroll()),
	} {
		golden(t, name, sql)
	}
}

func TestSQLOfTheTablesKeys(t *testing.T) {
	target := small()
	target.Mode = Upsert
	c := mustCompile(t, target)
	w, met := window(t, "2024-01-30", "2024-02-01"), metName(7, 0)
	insert, err := c.insertSQL(c.newSource(stageName(7), met, w, metNewer, metSame, metDiffers), "run1")
	if err != nil {
		t.Fatal(err)
	}
	for name, sql := range map[string]string{
		"upsert_met":     c.metSQL(stageName(7), met, w, c.ownedSQL(kafka.Window{})),
		"upsert_insert":  insert,
		"upsert_outcome": "SELECT COUNT(*)\nFROM " + c.metSource(stageName(7), met, w, metDiffers),
		"upsert_old":     "SELECT COUNT(*)\nFROM " + c.oldSource(met, c.ownedSQL(w), kafka.Window{}, metOlder),
		"upsert_span":    c.spanSQL(c.oldSource(met, c.outsideSQL(w), w, metOlder)),
		"upsert_ties":    "SELECT COUNT(*)\nFROM " + c.tieSource(stageName(7), newestName(7)),
		"changes":        c.changesSQL(41, w),
		"upsert_counts":  c.metCountsSQL(met, w),
		"upsert_delete":  c.replaceOldSQL(met),
	} {
		golden(t, name, sql)
	}
	target.Mode = ReplaceWindow
	c = mustCompile(t, target)
	golden(t, "outside_met", c.metSQL(stageName(7), outsideName(7, 1), kafka.Window{}, c.outsideSQL(w)))
	golden(t, "replace_ties", "SELECT COUNT(*)\nFROM "+c.tieSource(stageName(7), newestName(7)))
	golden(t, "outside_new", "SELECT COUNT(*)\nFROM "+c.newSource(stageName(7), outsideName(7, 1), w, metNewer))
	target.Mode, target.Provenance, target.Scope = InsertMissing, false, ""
	c = mustCompile(t, target)
	golden(t, "insert_missing_met", c.metSQL(stageName(7), met, w, c.ownedSQL(kafka.Window{})))
}

func TestSQLWithoutEventTime(t *testing.T) {
	c := mustCompile(t, adjustments())
	golden(t, "append_offsets", c.doubledOffsetsSQL(stageName(7)))
	insert, err := c.insertSQL(quoteOwn(stageName(7)), "run1")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "append_insert", insert)
	golden(t, "append_table_cells", c.cellsSQL(cellQuery{from: c.table + c.ownedSQL(kafka.Window{}), form: canon.Table, content: true}))
	golden(t, "append_rows_only", c.cellsSQL(cellQuery{from: c.table, form: canon.Table}))
	golden(t, "append_create_table", CreateTableSQL(adjustments()))
}

// The day of clock change has 23 hours and windows may begin in a day.
func TestDaySQL(t *testing.T) {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	c := mustCompile(t, payroll())
	cal := kafka.NewCalendar(zone)
	w := kafka.Window{From: cal.Start(dayOf(t, "2024-03-09")) + 3_600_000_000, To: cal.Start(dayOf(t, "2024-03-12")) - 1}
	got, err := c.daySQL(w, cal)
	want := `CASE WHEN "occurred_at" < TIMESTAMP '2024-03-09 09:00:00.000000' THEN NULL
    WHEN "occurred_at" < TIMESTAMP '2024-03-10 08:00:00.000000' THEN 19791
    WHEN "occurred_at" < TIMESTAMP '2024-03-11 07:00:00.000000' THEN 19792
    WHEN "occurred_at" < TIMESTAMP '2024-03-12 06:59:59.999999' THEN 19793 END`
	if err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := c.daySQL(kafka.Window{From: 5, To: 5}, cal); !fail.Is(err, fail.BadWindow) {
		t.Errorf("%v", err)
	}
	far := kafka.Window{From: 0, To: 1 << 62}
	if _, err := c.daySQL(far, cal); !fail.Is(err, fail.BadWindow) || fail.HintOf(err) != "split the window" {
		t.Errorf("%v", err)
	}
}

func TestScopes(t *testing.T) {
	good := []string{"", "source = 'payroll'", "a in ('x)', 'it''s (', 'b\\'(')", `"odd)name" = 1`, "((a = 1) OR (b = 2))", "a - -1 > 0"}
	bad := []string{"a = 1)", "(a = 1", "a = 1) OR (1 = 1", "a = 1; DROP TABLE t", "a = 1 -- x", "a /* x */ = 1", "a = 'x", `"a`, "a = $1", "a = \x00", "a = 'x\\'"}
	for _, s := range good {
		if err := checkScope(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range bad {
		if err := checkScope(s); !fail.Is(err, fail.BadDataset) {
			t.Errorf("%q passes", s)
		}
	}
}

// FuzzScope asserts that a scope that passes can't end its parenthesis, by a
// slow reader that only knows quotes and parentheses.
func FuzzScope(f *testing.F) {
	for _, s := range []string{"a = 'x'", "(a) or (b)", `'\''`, `"a""b"`, "a) or (b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		if checkScope(scope) != nil {
			return
		}
		text, quote, depth := "("+scope+")", byte(0), 0
		for i := 0; i < len(text); i++ {
			switch {
			case quote == '\'' && text[i] == '\\':
				i++
			case quote != 0:
				if text[i] == quote {
					quote = 0
				}
			case text[i] == '\'' || text[i] == '"':
				quote = text[i]
			case text[i] == '(':
				depth++
			case text[i] == ')':
				if depth--; depth == 0 && i != len(text)-1 {
					t.Fatalf("%q ends at %d", text, i)
				}
			}
		}
		if quote != 0 || depth != 0 {
			t.Fatalf("%q does not end", text)
		}
	})
}

func TestScopesOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"all", "a = 1", true}, {"a = 1", "all", true}, {"a = 1", "a = 1 ", true}, {"a = 1", "a = 2", false}} {
		if got := scopesOverlap(test.a, test.b); got != test.want {
			t.Errorf("%v: %v", test, got)
		}
	}
}

func TestQuotesInNames(t *testing.T) {
	target := payroll()
	target.Columns[0].Name = `a"b`
	c := mustCompile(t, target)
	if sql := c.createStageSQL("s"); !strings.Contains(sql, `"a""b" VARCHAR(36)`) {
		t.Error(sql)
	}
}
