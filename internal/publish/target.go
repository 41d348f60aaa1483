package publish

import (
	"slices"
	"strconv"
	"strings"

	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/schema"
)

// Suffixes of the tables that stand beside a target.
const (
	LedgerSuffix   = "__backfill_ledger"
	ObjectsSuffix  = "__backfill_objects"
	VerifiedSuffix = "__backfill_verified"
	ReportsSuffix  = "__backfill_reports"
)

// target is a checked Target with its names quoted.
type target struct {
	Target
	table, ledger, objects, verified, reports string
	columns                                   []string // quoted, as Columns
	windowColumn                              string   // quoted; "" without event time
	text                                      *canon.Text
	bucket                                    *canon.Text // nil with one bucket, or without a key
}

func compile(t Target) (*target, error) {
	c := &target{Target: t}
	if err := c.quote(); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	all := make([]int, len(t.Columns))
	for i := range all {
		all[i] = i
	}
	var err error
	if c.text, err = canon.New(t.Columns, all); err != nil {
		return nil, err
	}
	if t.Buckets > 1 && len(t.Key) > 0 {
		if c.bucket, err = canon.New(t.Columns, t.Key); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (t *target) quote() (err error) {
	for _, q := range []struct {
		quoted *string
		name   string
	}{{&t.table, t.Table}, {&t.ledger, t.Table + LedgerSuffix}, {&t.objects, t.Table + ObjectsSuffix},
		{&t.verified, t.Table + VerifiedSuffix}, {&t.reports, t.Table + ReportsSuffix}} {
		if *q.quoted, err = redshift.QuoteTable(t.Schema, q.name); err != nil {
			return err
		}
	}
	t.columns = make([]string, len(t.Columns))
	for i, col := range t.Columns {
		if t.columns[i], err = redshift.QuoteIdent(col.Name); err != nil {
			return err
		}
		if col.Name == t.WindowColumn {
			t.windowColumn = t.columns[i]
		}
	}
	return nil
}

func (t *target) check() error {
	refuse := func(format string, args ...any) error {
		return fail.New(fail.BadDataset, format, args...).At("%s", t.name())
	}
	switch {
	case len(t.Columns) == 0:
		return refuse("the dataset has no columns")
	case !slices.Contains([]string{ReplaceWindow, InsertMissing, Upsert, Append}, t.Mode):
		return refuse("mode %q is not known", t.Mode)
	case t.WindowColumn != "" && t.windowColumn == "":
		return refuse("the window column %s is none of the dataset's columns", t.WindowColumn)
	case t.Mode != Append && t.WindowColumn == "":
		return refuse("mode %s needs a window column", t.Mode)
	case t.Mode == Append && t.WindowColumn != "":
		return refuse("mode %s is for datasets without event time", Append)
	case (t.Mode == InsertMissing || t.Mode == Upsert) && len(t.Key) == 0:
		return refuse("mode %s needs a key", t.Mode)
	case t.Mode == Upsert && (len(t.LatestBy) == 0 || !t.Provenance):
		return refuse("mode %s needs latest_by and provenance: they are a row's version", Upsert)
	}
	for _, i := range t.Key {
		if !t.Columns[i].Required && t.Columns[i].Const == nil {
			return refuse("the key column %s is not required: NULL is no identity", t.Columns[i].Name)
		}
	}
	return checkScope(t.Scope)
}

// name is schema.table, for messages.
func (t *target) name() string { return t.Schema + "." + t.Table }

func (t *target) windowed() bool { return t.windowColumn != "" }

// scope is the text that the ledger holds.
func (t *target) scope() string { return ScopeText(t.Scope) }

// ScopeText is how the tables beside a target spell a scope.
func ScopeText(scope string) string {
	if scope == "" {
		return "all"
	}
	return scope
}

// scopesOverlap reports whether two scope texts may own the same rows. Two
// different predicates are taken as disjoint: that is what a scope declares.
func scopesOverlap(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a == b || a == "all" || b == "all"
}

// checkScope refuses a predicate that could end the parenthesis around it.
func checkScope(scope string) error {
	refuse := func(what string) error {
		return fail.New(fail.BadDataset, "the scope %s", what).Try("write one predicate on the table's columns")
	}
	depth := 0
	for i := 0; i < len(scope); i++ {
		next := byte(0)
		if i+1 < len(scope) {
			next = scope[i+1]
		}
		switch c := scope[i]; {
		case c == '\'' || c == '"':
			end := closingQuote(scope, i)
			if end < 0 {
				return refuse("has a quote that does not end")
			}
			i = end
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ';', c == 0, c == '$', c == '-' && next == '-', c == '/' && next == '*':
			return refuse("holds a semicolon, a comment, a parameter or a NUL")
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return refuse("has parentheses that do not match")
	}
	return nil
}

// closingQuote returns where the quoted text that begins at i ends, or -1.
func closingQuote(s string, i int) int {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '\'':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i
		}
	}
	return -1
}

// timestamp is an instant as a literal; TIMESTAMP columns hold UTC.
func timestamp(i kafka.Instant) string {
	return "TIMESTAMP '" + i.Time().Format("2006-01-02 15:04:05.000000") + "'"
}

// windowSQL is the predicate "in one of the windows".
func (t *target) windowSQL(windows ...kafka.Window) string {
	parts := make([]string, 0, len(windows))
	for _, w := range windows {
		if w.IsAll() {
			return ""
		}
		parts = append(parts, t.windowColumn+" >= "+timestamp(w.From)+" AND "+t.windowColumn+" < "+timestamp(w.To))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, "\n   OR ") + ")"
}

// ownedSQL is the WHERE clause of window ∧ scope, with a leading line break;
// "" when all rows are owned.
func (t *target) ownedSQL(windows ...kafka.Window) string {
	var parts []string
	if w := t.windowSQL(windows...); w != "" {
		parts = append(parts, w)
	}
	if t.Scope != "" {
		parts = append(parts, "("+t.Scope+")")
	}
	if len(parts) == 0 {
		return ""
	}
	return "\nWHERE " + strings.Join(parts, "\n  AND ")
}

// daySQL gives the calendar day of the window column as days since 1970, NULL
// outside of the window. Days of a zone with clock changes have 23 or 25
// hours, so their borders are spelled out.
func (t *target) daySQL(w kafka.Window, cal *kafka.Calendar) (string, error) {
	if err := checkDays(w); err != nil {
		return "", err
	}
	days := cal.Days(w)
	var b strings.Builder
	b.WriteString("CASE WHEN " + t.windowColumn + " < " + timestamp(w.From) + " THEN NULL")
	for _, d := range days {
		b.WriteString("\n    WHEN " + t.windowColumn + " < " + timestamp(min(w.To, cal.Start(d+1))) + " THEN " + strconv.Itoa(int(d)))
	}
	b.WriteString(" END")
	return b.String(), nil
}

// checkDays refuses windows whose days would not fit one statement. It does
// not count them one by one: a mistyped year must not take minutes.
func checkDays(w kafka.Window) error {
	const day = 24 * 60 * 60 * 1e6
	if w.To <= w.From {
		return fail.New(fail.BadWindow, "the window %s is empty or reversed", w)
	}
	if n := int64(w.To-w.From) / day; n > maxDays {
		return fail.New(fail.BadWindow, "the window has %d days, at most %d can be loaded at once", n, maxDays).
			Try("split the window")
	}
	return nil
}

// decimals is the scale of a total.
func decimals(c schema.Column) int {
	if c.Type.Kind == schema.Decimal {
		return c.Type.Scale
	}
	return 0
}
