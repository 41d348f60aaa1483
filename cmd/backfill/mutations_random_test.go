package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// plantings are the random sets of mutations to try: the first seed and how many. BACKFILL_MUTATIONS is a number, or
// FIRST+NUMBER to go on from a seed.
func plantings(t *testing.T, usual uint64) (first, count uint64) {
	t.Helper()
	first, count = 1, usual
	text := os.Getenv("BACKFILL_MUTATIONS")
	if text == "" {
		return first, count
	}
	if _, err := fmt.Sscanf(text, "%d+%d", &first, &count); err == nil {
		return first, count
	}
	first = 1
	if _, err := fmt.Sscanf(text, "%d", &count); err != nil {
		t.Fatalf("BACKFILL_MUTATIONS is %q: %v", text, err)
	}
	return first, count
}

// TestMutationsAtRandom plants up to nine mutations in rows drawn by a seed.
func TestMutationsAtRandom(t *testing.T) {
	first, count := plantings(t, 16)
	own, foreign := newPaid(t, shared, "random_own", true), newPaid(t, shared, "random_foreign", false)
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p, way := own, []string{"archive", "receipts"}[seed/2%2]
			if seed%2 == 0 {
				p, way = foreign, "archive"
			}
			p.restore(t)
			r := rand.New(rand.NewPCG(seed, 7))
			script := scatter(r) + pairs(r)
			p.exec(t, script)
			p.tie(t, way)
			if t.Failed() {
				t.Log(script)
			}
		})
	}
}

// TestMutationsRepairedAtRandom repairs random plantings from the report alone: afterwards the exact join finds nothing, and
// rows that are not the dataset's are as they were.
func TestMutationsRepairedAtRandom(t *testing.T) {
	first, count := plantings(t, 6)
	own, foreign := newPaid(t, shared, "mended_own", true), newPaid(t, shared, "mended_foreign", false)
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p := []*paid{own, foreign}[seed%2]
			p.restore(t)
			r := rand.New(rand.NewPCG(seed, 13))
			script := scatter(r) + pairs(r)
			p.exec(t, script)
			around := p.around(t)
			if len(p.join(t)) == 0 {
				return // it hit rows that are not there
			}
			found := p.h.run(t, 5, p.march("--way", "archive")...)
			_, wait := p.h.start(t, p.h.env(), "repair", "--dataset", p.file, "--report", found.result.Report, "--apply", "--delete-extra", "--approved-by", "A. Controller")
			o := wait()
			if left := p.join(t); o.exit != 0 || o.result.Verdict != "RECONCILED" || len(left) > 0 {
				t.Errorf("exit code %d, %s, left are %+v\n%s", o.exit, o.result.Verdict, left, o.stderr)
			}
			if now := p.around(t); !slices.Equal(now, around) {
				t.Errorf("rows that are not the dataset's were touched: %s", firstDifference(now, around))
			}
			if t.Failed() {
				t.Log(script)
			}
		})
	}
}

func drawKey(r *rand.Rand) string { return fmt.Sprintf("pay-%04d", r.IntN(350)) }

func whereKey(key string) string { return " WHERE id = '" + key + "' AND source = 'payroll';\n" }

func update(what, key string) string { return "UPDATE :table SET " + what + whereKey(key) }

// copyRow inserts a row of a key once more, with an expression in place of a column if one is named.
func copyRow(key, column, expression string) string {
	names := strings.Split(paidNames, ", ")
	for i, name := range names {
		if name == column {
			names[i] = expression
		}
	}
	return "INSERT INTO :table (" + paidNames + ") SELECT " + strings.Join(names, ", ") + " FROM :table" + whereKey(key)
}

// scatter draws one to six mutations of single rows.
func scatter(r *rand.Rand) string {
	values := []string{
		"gross_amount = gross_amount + 0.01", "gross_amount = ROUND(gross_amount, 0)", "gross_amount = ROUND(gross_amount, 1)", "net_amount = ROUND(net_amount * 0.1, 0) * 10",
		"gross_amount = CASE WHEN gross_amount < 0 THEN -FLOOR(-gross_amount) ELSE FLOOR(gross_amount) END", "net_amount = FLOOR(net_amount)", "net_amount = -net_amount", "gross_amount = NULL", "gross_amount = 0", "net_amount = net_amount * 100",
		"currency = 'JPY'", "currency = NULL", "currency = LOWER(currency)", "note = note || ' '", "note = UPPER(note)", "note = ''", "note = ' '", "note = NULL", "note = LEFT(note, 4)",
		"employee_id = employee_id + 1", "legal_entity = LOWER(legal_entity)", "legal_entity = legal_entity || '   '", "pay_run = '  ' || pay_run",
		"happened_at = DATEADD(hour, 1, happened_at)", "happened_at = DATEADD(microsecond, 1, happened_at)", "happened_at = DATE_TRUNC('second', happened_at)",
		"happened_at = DATEADD(day, 40, happened_at)", "v = v + 1", "gross_amount = net_amount, net_amount = gross_amount",
		"net_amount = net_amount + 0.01, gross_amount = gross_amount - 0.01", "id = id || ' '", "id = UPPER(id)", "source = 'other'",
	}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		key := drawKey(r)
		switch at := r.IntN(len(values) + 4); at {
		case len(values):
			b.WriteString("DELETE FROM :table" + whereKey(key))
		case len(values) + 1:
			b.WriteString(copyRow(key, "", ""))
		case len(values) + 2:
			b.WriteString(copyRow(key, "id", "'ghost-' || id"))
		case len(values) + 3:
			b.WriteString(copyRow(key, "net_amount", "net_amount + 0.01"))
		default:
			b.WriteString(update(values[at], key))
		}
	}
	return b.String()
}

// pairs draws up to three mutations of two rows, most of which some total does not see.
func pairs(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(4) {
		one, other := drawKey(r), drawKey(r)
		for other == one {
			other = drawKey(r)
		}
		switch r.IntN(7) {
		case 0:
			b.WriteString(update("gross_amount = gross_amount + 7.13", one) + update("gross_amount = gross_amount - 7.13", other))
		case 1:
			b.WriteString("DELETE FROM :table" + whereKey(one) + copyRow(other, "", ""))
		case 2:
			b.WriteString(copyRow(one, "", "") + "INSERT INTO :table SELECT DISTINCT * FROM :table" + whereKey(one))
		case 3:
			b.WriteString(update("employee_id = employee_id + 1", one) + update("employee_id = employee_id - 1", other))
		case 4:
			b.WriteString(update("id = '"+other+"'", one))
		case 5:
			b.WriteString("DELETE FROM :table" + whereKey(one) + copyRow(other, "id", "'ghost-' || id"))
		case 6:
			b.WriteString(copyRow(one, "happened_at", "DATEADD(day, -40, happened_at)"))
		}
	}
	return b.String()
}
