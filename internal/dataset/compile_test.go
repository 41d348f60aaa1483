package dataset

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

func compile(t testing.TB, text string, overrides ...string) *Dataset {
	t.Helper()
	d, err := Compile("f", []byte(text), overrides, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPayroll(t *testing.T) {
	d := compile(t, read(t, "testdata/payroll.yaml"))
	want := Gap{Partition: 3, From: 120045, To: 120046, Reason: "transaction marker"}
	if len(d.Archive.Gaps) != 1 || d.Archive.Gaps[0] != want {
		t.Errorf("gaps are %v, want %v", d.Archive.Gaps, want)
	}
	if d.Archive.Lateness != 72*time.Hour || d.Archive.Idle != time.Hour {
		t.Errorf("lateness %v, idle %v", d.Archive.Lateness, d.Archive.Idle)
	}
	gross := d.Columns[d.ColumnIndex("gross_amount")]
	if gross.Type != (schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}) || strings.Join(gross.Path, ".") != "gross_amount" {
		t.Errorf("gross_amount is %+v", gross)
	}
	source := d.Columns[d.ColumnIndex("source")]
	if source.Path != nil || source.Const == nil || *source.Const != "payroll" {
		t.Errorf("source is %+v", source)
	}
	if d.ColumnIndex("missing") != -1 {
		t.Error("a missing column has an index")
	}
	if fmt.Sprint(d.Reconcile) != "{[3] [4] false [0] 1}" {
		t.Errorf("reconcile is %v", d.Reconcile)
	}
	if d.Quarantine.MaxRecords != 100 || d.Quarantine.MaxRate.Cmp(big.NewRat(1, 1000)) != 0 {
		t.Errorf("quarantine is %v", d.Quarantine)
	}
	if d.Warehouse.SignIn != (SignIn{PasswordEnv: "WAREHOUSE_PASSWORD"}) || d.Warehouse.TLS.Off {
		t.Errorf("warehouse is %+v", d.Warehouse)
	}
	if err := d.NeedStaging(); err != nil {
		t.Error(err)
	}
	if err := d.NeedWarehouse(); err != nil {
		t.Error(err)
	}
}

// The text that travels in a plan compiles to itself, without the environment.
func TestTextCompilesToItself(t *testing.T) {
	for _, file := range files(t, "testdata/*.yaml") {
		text, overrides, env := load(t, file)
		first, err := Compile(file, text, overrides, env)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Compile("plan", first.Text, nil, nil)
		if err != nil {
			t.Fatalf("%s: the canonical text is refused: %v", file, err)
		}
		if !bytes.Equal(first.Text, again.Text) || first.Digest != again.Digest || first.ConvertDigest != again.ConvertDigest {
			t.Errorf("%s: the canonical text compiles to another one:\n%s\n%s", file, first.Text, again.Text)
		}
	}
}

// Text of any kind survives the way through the canonical text.
func TestTextKeepsCharacters(t *testing.T) {
	const odd = "tab\tquote\"'\\ <&> \u0085\u00a0\u2028\ufeff\uffff \U0001F600 \x7f é"
	d := compile(t, string(minimal), `columns=[{name: c, type: varchar(100), const: `+yamlText(odd)+`}]`)
	again := compile(t, string(d.Text))
	if got := *again.Columns[0].Const; got != odd {
		t.Errorf("got %q, want %q", got, odd)
	}
}

// yamlText spells any text as an ASCII double-quoted YAML scalar.
func yamlText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		fmt.Fprintf(&b, `\U%08x`, r)
	}
	return b.String() + `"`
}

// Spellings of the same document have one digest.
func TestDigestIgnoresSpelling(t *testing.T) {
	base := compile(t, read(t, "testdata/payroll.yaml"))
	same := map[string]func(string) string{
		"comments":      func(s string) string { return "# hello\n" + strings.ReplaceAll(s, "calendar:", "\n# zone\ncalendar:") },
		"duration":      swap("lateness: 72h", "lateness: 3d"),
		"quotes":        swap("name: payroll_events", `"name": 'payroll_events'`),
		"flow":          swap("key: [event_id]", "key:\n    - event_id"),
		"type's name":   swap(`"decimal(18,2)"`, `"NUMERIC( 18 , 2 )"`),
		"fraction":      swap(", fraction: reject", ""),
		"rate":          swap("max_rate: 0.001", `max_rate: "0.00100"`),
		"tolerance":     swap(", tolerance: 0", ""),
		"slash":         swap("topics/payroll.events", "topics/payroll.events/"),
		"format":        swap("  layout: confluent", "  layout: confluent\n  format: auto"),
		"staging":       swap("s3://acme-lake/backfill", "s3://other-lake/backfill"),
		"warehouse":     swap("cluster.eu-west-1/analytics", "other.host:5439/dev"),
		"CRLF":          func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"records later": func(s string) string { return moveSection(s, "records:", "calendar:") },
	}
	for name, change := range same {
		text := change(read(t, "testdata/payroll.yaml"))
		if text == read(t, "testdata/payroll.yaml") {
			t.Fatalf("%s: the change changes nothing", name)
		}
		if d := compile(t, text); d.Digest != base.Digest || d.ConvertDigest != base.ConvertDigest {
			t.Errorf("%s: the digest changed:\n%s", name, d.Text)
		}
	}
}

func swap(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// moveSection moves the section from its key up to the next key to the end.
func moveSection(s, from, to string) string {
	i, j := strings.Index(s, "\n"+from)+1, strings.Index(s, "\n"+to)+1
	return s[:i] + s[j:] + s[i:j]
}

// What a change to the dataset costs: nothing, another run, or another
// conversion of the archive.
func TestDigestsTellChangesApart(t *testing.T) {
	text := read(t, "testdata/payroll.yaml")
	base := compile(t, text)
	for override, convert := range map[string]bool{
		"name=other":                                  false,
		"archive.uri=s3://acme-copy/x":                false,
		"archive.lateness=1h":                         false,
		"archive.gaps=":                               false,
		`archive.recreated=["2026-01-01T00:00:00Z"]`:  false, // chunks have other objects then
		"archive.format=json":                         true,  // an Avro file is refused
		"table.scope=all":                             false,
		"table.latest_by=[occurred_at]":               false,
		"table.key=[employee_id]":                     false,
		"table.provenance=false":                      false,
		"quarantine.max_records=1":                    false,
		"records.where=":                              true,
		"records.offset=value._k.offset":              true,
		"calendar=UTC":                                true, // receipts tally by load day
		"reconcile.totals=[version]":                  true, // receipts carry the sums
		"reconcile.by=[currency, type]":               true,
		"reconcile.buckets=16":                        true,
		"reconcile.show=[currency]":                   false,
		"reconcile.period=type":                       true,
		"columns=" + columnsWith(""):                  true,
		"columns=" + columnsWith(", fraction: floor"): true,
	} {
		d := compile(t, text, override)
		if d.Digest == base.Digest {
			t.Errorf("%s does not change the digest", override)
		}
		if changed := d.ConvertDigest != base.ConvertDigest; changed != convert {
			t.Errorf("%s changes what is converted: %t, want %t", override, changed, convert)
		}
	}
	split, period := compile(t, text, "reconcile.by=[currency, type]"), compile(t, text, "reconcile.period=type")
	if split.ConvertDigest != period.ConvertDigest || split.Digest == period.Digest {
		t.Error("to call the last column of by the accounting period converts the archive again, or changes nothing")
	}
	if both := compile(t, text, "reconcile.by=[type, currency]", "reconcile.period=type"); both.Digest != period.Digest {
		t.Error("the accounting period means something else where by names it, too")
	}
	sharded := compile(t, text, "reconcile.buckets=16")
	if compile(t, text, "reconcile.buckets=16", "table.key=[employee_id]").ConvertDigest == sharded.ConvertDigest {
		t.Error("buckets are by key, and another key converts to the same")
	}
}

// columnsWith gives columns that satisfy the payroll dataset.
func columnsWith(option string) string {
	return `[{name: event_id, type: varchar(40), from: value.event_id, required: true}, {name: gross_amount, type: "decimal(18,2)", from: value.g},` +
		`{name: currency, type: char(3), from: value.c}, {name: version, type: integer, from: value.v},` +
		`{name: occurred_at, type: timestamp, from: value.occurred_at, required: true` + option + `}]`
}

// The event time floors where the window column does, else a record could lie
// in the window and its row outside.
func TestEventTimeFractionFollowsWindowColumn(t *testing.T) {
	text := read(t, "testdata/payroll.yaml")
	if f := compile(t, text).Records.EventTime.Fraction; f != schema.RejectFraction {
		t.Errorf("got %v, want reject", f)
	}
	if f := compile(t, text, "columns="+columnsWith(", fraction: floor")).Records.EventTime.Fraction; f != schema.FloorFraction {
		t.Errorf("got %v, want floor", f)
	}
}

func TestEnvironment(t *testing.T) {
	text := strings.Replace(string(minimal), "s3://acme-archive/x", `"s3://${BUCKET}/${A_1}"`, 1)
	at := func(bucket string) *Dataset {
		vars := map[string]string{"BUCKET": bucket, "A_1": "events", stagingURIVar: "None", warehouseRoleVar: ""}
		d, err := Compile("f", []byte(text), nil, func(name string) string { return vars[name] })
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, other := at("bucket-one"), at("bucket-two")
	if one.Archive.URI != "s3://bucket-one/events" {
		t.Errorf("the archive is %s", one.Archive.URI)
	}
	if one.Digest == other.Digest {
		t.Error("another archive has the same digest")
	}
	if err := one.NeedStaging(); !fail.Is(err, fail.BadDataset) || !strings.Contains(fail.HintOf(err), "BACKFILL_STAGING_URI") {
		t.Errorf("no staging gives %v", err)
	}
	if err := one.NeedWarehouse(); !strings.Contains(fmt.Sprint(err), "no warehouse.url") {
		t.Errorf("no warehouse gives %v", err)
	}
	role := compile(t, string(minimal), "warehouse.url=redshift://u@h/d")
	if err := role.NeedWarehouse(); !strings.Contains(fmt.Sprint(err), "no warehouse.iam_role") {
		t.Errorf("no role gives %v", err)
	}
}

// An environment that refers to itself is not followed.
func TestEnvironmentIsExpandedOnce(t *testing.T) {
	_, err := Compile("f", minimal, []string{"archive.uri=s3://${A}/x"}, func(string) string { return "${A}" })
	if err == nil || !strings.Contains(err.Error(), "refers to the environment again") {
		t.Errorf("got %v", err)
	}
}

func TestOverrides(t *testing.T) {
	d := compile(t, string(minimal), "quarantine.max_records=0", "quarantine.max_records=5", "table.not_loaded=[loaded_at]",
		"reconcile.buckets=None", "archive.gaps=", "archive.idle=0", "records.where=value.kind == \"a=b\"")
	if d.Quarantine.MaxRecords != 5 || d.Table.NotLoaded[0] != "loaded_at" || d.Reconcile.Buckets != 1 || d.Records.Where.Text != `value.kind == "a=b"` {
		t.Errorf("got %s", d.Text)
	}
	many := make([]string, maxOverrides+1)
	if _, err := Compile("f", minimal, many, nil); err == nil || !strings.Contains(err.Error(), "101 flags are given") {
		t.Errorf("got %v", err)
	}
}

func TestQuarantineDefaults(t *testing.T) {
	if q := compile(t, string(minimal)).Quarantine; q.MaxRecords != 0 || q.MaxRate != nil {
		t.Errorf("without limits: %+v, want none rejected", q)
	}
	if q := compile(t, string(minimal), "quarantine.max_rate=0.5").Quarantine; q.MaxRecords != -1 || q.MaxRate == nil {
		t.Errorf("with a rate: %+v, want no limit by number", q)
	}
}

func TestKeyPatternMatchesWholeKeys(t *testing.T) {
	d := compile(t, string(minimal), `archive.layout={key_pattern: '(?P<topic>[a-z]+)/(?P<partition>\d+)|x'}`)
	l := d.Archive.Layout
	if l.Name != LayoutKeyPattern || !l.Pattern.MatchString("abc/1") || l.Pattern.MatchString("abc/1.json") || l.Pattern.MatchString("ax") {
		t.Errorf("pattern %v", l.Pattern)
	}
	d = compile(t, string(minimal), `archive.layout={key_pattern: '.*'}`, "archive.topic=a", "archive.partition=0")
	if l := d.Archive.Layout; l.Topic != "a" || l.Partition == nil || *l.Partition != 0 {
		t.Errorf("constants are %+v", l)
	}
}

func TestGapsAreSorted(t *testing.T) {
	d := compile(t, string(minimal), "archive.gaps=[{partition: 1, from: 9, to: 10, reason: b}, {partition: 1, from: 0, to: 9, reason: a}, {topic: t, partition: 0, from: 1, to: 2, reason: c}]")
	var got []kafka.Offset
	for _, gap := range d.Archive.Gaps {
		got = append(got, gap.From)
	}
	if fmt.Sprint(got) != "[0 9 1]" {
		t.Errorf("gaps start at %v", got)
	}
}

func TestScope(t *testing.T) {
	for text, want := range map[string]string{
		`source = 'payroll'`:                "",
		`a = 'it''s; -- fine ()' and b > 1`: "",
		`"odd;name" = 1 and (a or (b))`:     "",
		`a - -1 > 0`:                        "",
		`a = 'open`:                         "has an open quote '",
		`"open = 1`:                         `has an open quote "`,
		`a = 1) or (b = 2`:                  "closes a parenthesis that it did not open",
		`(a = 1`:                            "has an open parenthesis",
		`a = 1; drop table x`:               "holds a semicolon",
		`a = 1 -- x`:                        "holds a comment",
		`a = /* x */ 1`:                     "holds a comment",
		`a = $1`:                            "holds a parameter or a dollar quote",
		`a = $$x$$`:                         "holds a parameter or a dollar quote",
		`a = '\'' or 1 = 1 --'`:             "holds a backslash",
		strings.Repeat("a", maxScope+1):     "has 4097 bytes, more than 4096",
	} {
		if _, got := checkScope(text); got != want {
			t.Errorf("%.40s: got %q, want %q", text, got, want)
		}
	}
}

// A predicate that is accepted stays inside the parentheses put around it.
func FuzzScope(f *testing.F) {
	for _, seed := range []string{`a = 'x'`, `a) or (b`, `'`, `"'"`, `a -- b`, `'\''`, `((a))`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, problem := checkScope(text); problem != "" {
			return
		}
		depth, quote := 0, rune(0)
		for _, r := range text {
			switch {
			case quote != 0:
				if r == quote {
					quote = 0
				}
			case r == '\'' || r == '"':
				quote = r
			case r == '(':
				depth++
			case r == ')':
				depth--
			case r == ';' || r == '$':
				t.Fatalf("%q holds %c outside of quotes", text, r)
			}
			if depth < 0 {
				t.Fatalf("%q leaves its parentheses", text)
			}
		}
		if depth != 0 || quote != 0 {
			t.Fatalf("%q is open at its end", text)
		}
	})
}

func TestDistance(t *testing.T) {
	for _, one := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"layout", "layuot", 2}, {"uri", "url", 1}, {"", "key", 3}, {"kitten", "sitting", 3}} {
		if got := distance(one.a, one.b); got != one.want {
			t.Errorf("%s to %s is %d, want %d", one.a, one.b, got, one.want)
		}
	}
}

func TestLargeFileRefused(t *testing.T) {
	_, err := Compile("big.yaml", bytes.Repeat([]byte("#"), maxText+1), nil, nil)
	if err == nil || err.Error() != "big.yaml:1:1: the file has 1048577 bytes, more than 1048576 (datasets are small documents: is this the right file?)" {
		t.Errorf("got %v", err)
	}
}

// No input makes the compiler panic, every refusal is a BadDataset error, and
// what it accepts has a canonical text that compiles to itself.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/bad/*.yaml"} {
		for _, file := range files(f, pattern) {
			f.Add([]byte(read(f, file)), "archive.uri=s3://acme-archive/x")
		}
	}
	f.Add(minimal, "columns=[{name: c, type: varchar(9), const: \"\\x7f\\u0085\"}]")
	f.Add(minimal, "records.where=value.a == 1e9 and not (value.b in [1, -2.5, nil])")
	f.Fuzz(func(t *testing.T, text []byte, override string) {
		d, err := Compile("f", text, []string{override}, func(string) string { return "value" })
		if err != nil {
			if !fail.Is(err, fail.BadDataset) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again, err := Compile("plan", d.Text, nil, nil)
		if err != nil {
			t.Fatalf("the canonical text is refused: %v\n%s", err, d.Text)
		}
		if again.Digest != d.Digest || again.ConvertDigest != d.ConvertDigest {
			t.Fatalf("the canonical text compiles to another one:\n%s\n%s", d.Text, again.Text)
		}
	})
}
