package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// What is planted. Credentials may appear nowhere at all; personal data only
// where the data itself is: in Parquet, in the table, and raw in quarantine.
const (
	plantedPassword = "Planted-pw-9Zq"
	plantedWrong    = "Planted-wrong-4Tn"
	plantedURL      = "Planted-url-7Kd"
	plantedFile     = "Planted-file-2Lw"
	plantedSecret   = "Planted/aws/secret/key+5Rj"
	plantedToken    = "Planted//session//token==8Fh"
	plantedAccess   = "ASIAPLANTEDACCESS"
	plantedBadKey   = "Planted/bad/aws/key+1Vm"

	plantedName   = "Zdenka-Planted"     // a person's name, in good rows
	plantedIBAN   = "DE89370400440532"   // in a row that is too long for its column
	plantedBroken = "Halvard-Planted"    // in a line that is no JSON
	plantedField  = "ssn-of-Ines-Quiroz" // a field's name that no column maps
	plantedKey    = "key-of-Oda-Planted" // the key of a row that would vanish
	plantedBad    = "Aparna-Planted"     // in place of a number
)

func plantedCredentials() []string {
	return []string{plantedPassword, plantedWrong, plantedURL, plantedFile, plantedSecret, plantedToken, plantedBadKey, password}
}

func plantedPeople() []string {
	return []string{plantedName, plantedIBAN, plantedBroken, plantedField, plantedKey, plantedBad, redshiftd.RefusedValue}
}

// evidence is everything that a run writes, by where it was found.
type evidence struct {
	mu    sync.Mutex
	texts map[string]string
	runs  int
}

func (e *evidence) add(where, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.texts[fmt.Sprintf("%s (%d)", where, len(e.texts))] = text
}

// run runs the worker with everything turned up and keeps what it says.
func (e *evidence) run(t *testing.T, l *lane, env []string, exit int, args ...string) outcome {
	t.Helper()
	e.runs++
	dir := t.TempDir()
	xcom, termination := filepath.Join(dir, "return.json"), filepath.Join(dir, "termination-log")
	if err := os.WriteFile(termination, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	format := []string{"text", "json"}[e.runs%2]
	args = append(args, "--log-level", "debug", "--log-format", format, "--xcom-file", xcom, "--termination-log", termination)
	_, wait := l.start(t, l.env(env...), args...)
	o := wait()
	if o.exit != exit {
		t.Errorf("exit code %d, want %d, from %s\n%s", o.exit, exit, strings.Join(args, " "), o.stderr)
	}
	name := strings.Join(args[:2], " ")
	e.add("stdout of "+name, o.stdout)
	e.add("stderr of "+name, o.stderr)
	for where, file := range map[string]string{"XCom": xcom, "termination log": termination} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e.add(where+" of "+name, string(body))
	}
	return o
}

// plantedArchive is an archive with personal data in every place.
func plantedArchive(t *testing.T, l *lane) *world {
	t.Helper()
	w := newWorld("secrets", 1)
	at := dayStarts()[0].Add(time.Hour)
	var b strings.Builder
	line := func(id, amount, note, more string) {
		fmt.Fprintf(&b, `{"id":%q,"v":1,"at":%q,"amount":%q,"currency":"USD","note":%q,"more":{"name":%q}%s}`+"\n",
			id, at.Format(time.RFC3339), amount, note, plantedName, more)
	}
	line("good-"+plantedName, "1.00", plantedName, "")
	line("field", "1.00", "x", fmt.Sprintf(`,%q:%q`, plantedField, plantedName))
	line("long", "1.00", strings.Repeat(plantedIBAN, 5), "")
	line(strings.Repeat(plantedName, 9), "1.00", "x", "")
	line("number", plantedBad, "x", "")
	line("exact", "1.005", plantedBad, "")
	fmt.Fprintf(&b, `{"id": "broken", "note": "%s`+"\n", plantedBroken)
	fmt.Fprintf(&b, `{"id":"when","v":1,"at":"%s","amount":"1"}`+"\n", plantedBad)
	fmt.Fprintf(&b, `{"id":"%s","v":1,"at":"2026-03-07T20:00:00Z","amount":"1","note":"%s\ud800"}`+"\n", plantedKey, plantedBroken)
	if err := l.put(context.Background(), "archive", "secrets/events/partition=0/events+0+0000000000.json", []byte(b.String())); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestSecretsAndPersonalDataStayWhereTheyBelong plants secrets and personal
// data in every place, makes the worker succeed and fail in many ways, and
// looks through everything that it wrote.
func TestSecretsAndPersonalDataStayWhereTheyBelong(t *testing.T) {
	l := newLane(t)
	w := plantedArchive(t, l)
	file := w.datasetFile(t, "replace_window")
	e := &evidence{texts: map[string]string{}}
	if err := l.s3.Admit(s3d.Temporary{AccessKey: plantedAccess, SecretKey: plantedSecret, Token: plantedToken, Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	keys := []string{"AWS_ACCESS_KEY_ID=" + plantedAccess, "AWS_SECRET_ACCESS_KEY=" + plantedSecret, "AWS_SESSION_TOKEN=" + plantedToken}
	var bad sync.Map
	var mine atomic.Bool // the statement is the test's own
	byHand := func(statement string) {
		mine.Store(true)
		defer mine.Store(false)
		l.sql(t, statement)
	}
	l.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Phase == redshiftd.Before && !mine.Load() {
			e.add("query log", op.SQL)
			if _, on := bad.Load(op.Kind); on {
				return redshiftd.BadValue
			}
		}
		return redshiftd.Continue
	})
	window := []string{"--from", "2026-03-07", "--to", "2026-03-08"}
	run := func(extra ...string) []string {
		return append(append([]string{"run", "--dataset", file}, window...), extra...)
	}

	// Refused before anything is loaded: too many rejects; then rows that would vanish.
	e.run(t, l, keys, 4, run("--set", "quarantine.max_records=0")...)
	byHand(event{id: plantedKey + "-2", version: 1, at: dayStarts()[0].Add(2 * time.Hour), cents: 5, currency: "USD", note: plantedName}.insert("payroll", "stream"))
	e.run(t, l, keys, 4, run()...)
	// The warehouse refuses a value, at COPY and at the statements after it, and repeats it.
	for _, kind := range []string{"COPY", "INSERT", "DELETE", "SELECT"} {
		bad.Store(kind, true)
		o := l.again(t, append(run("--allow-vanish", "1", "--log-level", "debug"), "--replan"))
		if o.exit == 0 {
			t.Errorf("the %s was refused, and the run ended with exit code 0", kind)
		}
		e.add("stdout after a refused "+kind, o.stdout)
		e.add("stderr after a refused "+kind, o.stderr)
		bad.Delete(kind)
	}
	// Loaded; looked at; changed by hand; not reconciled; undone.
	loaded := e.run(t, l, keys, 0, run("--allow-vanish", "1", "--reason", "test rows", "--keep-replaced", "--replan")...)
	e.run(t, l, keys, 0, "status", "--dataset", file)
	e.run(t, l, keys, 0, append([]string{"plan", "--dataset", file}, window...)...)
	byHand("UPDATE payroll.events SET amount = 2, note = '" + plantedIBAN + "' WHERE id = 'good-" + plantedName + "'")
	e.run(t, l, keys, 5, append([]string{"reconcile", "--dataset", file}, window...)...)
	byHand("UPDATE payroll.events SET amount = 1, note = '" + plantedName + "' WHERE id = 'good-" + plantedName + "'")
	e.run(t, l, keys, 0, "load", "--undo", fmt.Sprint(loaded.result.Seq), "--dataset", file)
	e.credentials(t, l, file, run)

	l.unwatch()
	e.staging(t, l)
	e.check(t, plantedCredentials(), func(string) bool { return true })
	e.check(t, plantedPeople(), func(where string) bool {
		return !strings.HasPrefix(where, "data ") && !strings.HasPrefix(where, "quarantine ")
	})
	e.planted(t)
}

// credentials makes logins fail and URLs carry what they must not.
func (e *evidence) credentials(t *testing.T, l *lane, file string, run func(...string) []string) {
	t.Helper()
	e.run(t, l, []string{"BACKFILL_WAREHOUSE_PASSWORD=" + plantedWrong}, 3, run()...)
	e.run(t, l, []string{"AWS_SECRET_ACCESS_KEY=" + plantedBadKey}, 3, run()...)
	e.run(t, l, []string{"AWS_ACCESS_KEY_ID=" + plantedAccess, "AWS_SECRET_ACCESS_KEY=" + plantedBadKey, "AWS_SESSION_TOKEN=" + plantedToken}, 3, run()...)
	host := l.warehouse.Addr()
	withUser := "redshift://backfill:" + plantedURL + "@" + host + "/analytics"
	e.run(t, l, []string{"BACKFILL_WAREHOUSE_URL=" + withUser}, 2, run()...)
	e.run(t, l, nil, 2, run("--set", "warehouse.url="+withUser)...)
	e.run(t, l, nil, 2, run("--set", "warehouse.url=redshift://backfill:"+plantedURL+"@["+host+"/analytics")...) // no URL at all
	e.run(t, l, nil, 2, run("--set", "warehouse.password="+plantedFile)...)
	e.run(t, l, nil, 2, run("--set", "archive.uri=s3://user:"+plantedURL+"@archive/secrets/events")...)
	e.run(t, l, nil, 2, run("--set", "staging.uri=s3://user:"+plantedURL+"@staging/w")...)
	e.run(t, l, nil, 2, "load", "--plan", "s3://user:"+plantedURL+"@staging/w/targets/payroll.events/plans/000000000001.json")
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, more := range []string{
		"warehouse: {password: " + plantedFile + "}\n", "warehouse: {url: \"" + withUser + "\"}\n", "warehouse: [" + plantedFile + "\n", "password: " + plantedFile + "\n",
	} {
		name := filepath.Join(t.TempDir(), fmt.Sprintf("secret-%d.yaml", i))
		if err := os.WriteFile(name, append(bytes.Clone(body), more...), 0o600); err != nil {
			t.Fatal(err)
		}
		args := run()
		args[2] = name
		e.run(t, l, nil, 2, args...)
	}
}

// staging adds what the runs left in the staging store, and what the ledger holds.
func (e *evidence) staging(t *testing.T, l *lane) {
	t.Helper()
	for key, body := range l.files(t) {
		where := "staging " + key
		switch {
		case strings.HasSuffix(key, ".parquet"):
			where = "data " + key
		case strings.Contains(key, "quarantine"):
			where = "quarantine " + key
		}
		if strings.HasSuffix(key, ".zst") {
			r, err := zstd.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			var plain bytes.Buffer
			if _, err := plain.ReadFrom(r); err != nil {
				t.Fatal(err)
			}
			r.Close()
			body = plain.Bytes()
		}
		e.add(where, key+"\n"+string(body))
	}
	for _, line := range l.rows(t, "SELECT table_name FROM svv_tables WHERE table_schema = 'payroll' AND table_name LIKE '%\\_\\_backfill%'") {
		table := strings.TrimSuffix(line, "|")
		where := "ledger " + table
		if strings.Contains(table, "replaced") {
			where = "data " + table // the rows themselves, for undo
		}
		e.add(where, strings.Join(l.rows(t, "SELECT * FROM payroll."+table), "\n"))
	}
}

// check looks for planted texts, as they are and as URLs and JSON spell them.
func (e *evidence) check(t *testing.T, planted []string, counts func(where string) bool) {
	t.Helper()
	for where, text := range e.texts {
		if !counts(where) {
			continue
		}
		for _, secret := range planted {
			for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(secret)} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s tells %q: …%s…", where, form, text[max(0, i-120):min(len(text), i+120)])
					break
				}
			}
		}
	}
}

// planted checks that the test is able to fail: what belongs into the data and
// into quarantine is found there.
func (e *evidence) planted(t *testing.T) {
	t.Helper()
	for kind, texts := range map[string][]string{"data ": {plantedName}, "quarantine ": {plantedBroken, plantedIBAN, plantedBad}} {
		for _, want := range texts {
			found := false
			for where, text := range e.texts {
				found = found || strings.HasPrefix(where, kind) && strings.Contains(text, want)
			}
			if !found {
				t.Errorf("%q is in no %sfile", want, kind)
			}
		}
	}
	for _, kind := range []string{"query log", "XCom", "termination log", "stderr", "stdout", "staging ", "ledger "} {
		found := false
		for where, text := range e.texts {
			found = found || strings.HasPrefix(where, kind) && text != ""
		}
		if !found {
			t.Errorf("there is no %s to look through", kind)
		}
	}
}
