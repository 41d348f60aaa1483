package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"backfill/internal/sandbox/archivegen"
)

func TestCommandLines(t *testing.T) {
	t.Parallel()
	generate := func(more ...string) []string {
		return append([]string{"generate", "--seed", "1", "--events", "10", "--from", "2026-10-01", "--to", "2026-10-02", "--truth", "t"}, more...)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "a command is missing: serve, sql, generate, registry, fault, cold, profile, probe, version; sandbox --help explains them"},
		{[]string{"server"}, exitUsage, `unknown command "server": it is one of serve, sql, generate, registry, fault, cold, profile, probe, version`},
		{[]string{"serve"}, exitUsage, "serve needs a folder: --dir DIR"},
		{[]string{"serve", "data"}, exitUsage, `serve takes no arguments, got "data"`},
		{[]string{"serve", "--port", "1"}, exitUsage, "unknown flag: --port; sandbox serve --help explains the flags"},
		{[]string{"sql"}, exitUsage, "sql needs a statement, as in: sandbox sql 'SELECT 1'"},
		{[]string{"sql", "--output", "xml", "SELECT 1"}, exitUsage, `--output is table, csv or json, got "xml"`},
		{[]string{"sql", "--max-rows", "0", "SELECT 1"}, exitUsage, "--max-rows must be at least 1, got 0"},
		{[]string{"sql", "SELECT 1"}, exitUsage, "the environment does not say where the sandbox is (PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD missing); " +
			"source the file that sandbox serve wrote, or name it with --env-file"},
		{[]string{"sql", "--env-file", "/nowhere/env", "SELECT 1"}, exitFault, "there is no environment file /nowhere/env: no sandbox serves with it now " +
			"(start: sandbox serve --dir DIR --env-file /nowhere/env)"},
		{[]string{"generate", "--seed", "1"}, exitUsage, "generate needs --events"},
		{generate(), exitUsage, "the environment does not say where the sandbox is (AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION missing)"},
		{generate("--zone", "Mars/Olympus"), exitUsage, "--zone Mars/Olympus is not a time zone: name one like America/Los_Angeles"},
		{generate("--from", "yesterday"), exitUsage, `--from "yesterday" is neither a date like 2026-10-01 nor an instant like 2026-10-01T07:00:00Z`},
		{generate("--to", "2026-10-01"), exitUsage, "--from 2026-10-01 must be before --to 2026-10-01"},
		{generate("--faults", "some"), exitUsage, `--faults is default or none, got "some"`},
		{generate("--fault", "gaps"), exitUsage, `--fault "gaps" is not of the form NAME=VALUE`},
		{generate("--fault", "gaps=1"), exitUsage, "--fault gaps: there is no such fault; there are bad_values, "},
		{generate("--fault", "offset_gaps=0.5"), exitUsage, "--fault offset_gaps=0.5: the value does not fit (a count is a whole number, a share lies between 0 and 1)"},
		{generate("--fault", `unicode=1,"tombstones":5`), exitUsage, "the value does not fit"},
		{generate("--parallel", "1000"), exitUsage, "--parallel must be between 0 and 64, got 1000"},
		{generate("--output", "xml"), exitUsage, `--output is text or json, got "xml"`},
		{generate("--dir", "d", "--env-file", "e"), exitUsage, "--dir and --env-file exclude each other: a local folder needs no sandbox"},
		{[]string{"cold", "a", "b"}, exitUsage, "cold takes one prefix at most, got 2 arguments"},
		{[]string{"cold", "--class", "FROZEN"}, exitUsage, `"FROZEN" is no storage class: there are [STANDARD STANDARD_IA`},
		{[]string{"cold", "--class", "GLACIER", "--tier", "ARCHIVE_ACCESS"}, exitUsage, "the tier ARCHIVE_ACCESS is of the class INTELLIGENT_TIERING alone"},
		{[]string{"cold", "--output", "xml"}, exitUsage, `--output is table or json, got "xml"`},
		{[]string{"version", "x"}, exitUsage, `version takes no arguments, got "x"`},
	} {
		got := inProcess(t, nil, test.args...)
		if got.code != test.code || got.stdout != "" || !strings.HasPrefix(got.stderr, "sandbox: ") || !strings.Contains(got.stderr, test.want) {
			t.Errorf("sandbox %q: %+v, want %d %q", test.args, got, test.code, test.want)
		}
		if strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("sandbox %q: more than one sentence: %q", test.args, got.stderr)
		}
	}
}

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		for _, args := range [][]string{{c.name, "--help"}, {"help", c.name}, {c.name, "-h"}} {
			got := inProcess(t, nil, args...)
			if got.code != exitOK || got.stderr != "" || !strings.HasPrefix(got.stdout, "Usage: sandbox "+c.name) {
				t.Errorf("%q: %+v", args, got)
			}
			for _, line := range strings.Split(got.stdout, "\n") {
				if len(line) > 160 {
					t.Errorf("%q: a line of %d characters: %s", args, len(line), line)
				}
			}
		}
		if got := inProcess(t, nil, "--help"); !strings.Contains(got.stdout, "  "+c.name+" ") {
			t.Errorf("the overview does not name %s", c.name)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if got := inProcess(t, nil, args...); got.code != exitOK || !strings.HasPrefix(got.stdout, "sandbox ") {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestLostOutputIsAnError(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := process{stdout: fullDisk{}, stderr: &stderr}
	if code := run(t.Context(), p, []string{"--help"}); code != exitFault || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestGenerateIntoFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"generate", "--seed", "3", "--events", "500", "--from", "2026-10-01", "--to", "2026-11-01", "--zone", "America/Los_Angeles",
		"--dir", filepath.Join(dir, "archive"), "--truth", filepath.Join(dir, "truth.json"), "--dataset", filepath.Join(dir, "d.yaml"),
		"--faults", "none", "--fault", "tombstones=3", "--fault", "unicode=0.5", "--output", "json"}
	got := inProcess(t, nil, args...)
	if got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	var s summary
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
		t.Fatal(err)
	}
	var truth archivegen.Truth
	text, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err == nil {
		err = json.Unmarshal(text, &truth)
	}
	if err != nil {
		t.Fatal(err)
	}
	var onDisk int64
	for _, o := range truth.Objects {
		info, err := os.Stat(filepath.Join(dir, "archive", o.Key))
		if err != nil {
			t.Fatal(err)
		}
		onDisk += info.Size()
	}
	if s.Objects != len(truth.Objects) || s.Bytes != onDisk || s.Rows != truth.Dispositions.Rows || s.Rows != 500 || s.Planted["tombstone"] != 3 {
		t.Errorf("summary %+v, %d bytes on disk", s, onDisk)
	}
	if truth.Options.Faults.Unicode != 0.5 || truth.Options.From.Format(time.RFC3339) != "2026-10-01T00:00:00-07:00" {
		t.Errorf("options %+v", truth.Options)
	}
	dataset, err := os.ReadFile(filepath.Join(dir, "d.yaml"))
	if err != nil || !strings.Contains(string(dataset), "file://"+dir+"/archive/topics/payroll.events") ||
		!strings.Contains(string(dataset), "file://"+dir+"/archive-staging") {
		t.Errorf("dataset %s, %v", dataset, err)
	}
	if got := inProcess(t, nil, args...); got.code != exitFault || !strings.Contains(got.stderr, "already holds objects") {
		t.Errorf("generating twice: %+v", got)
	}
}

// TestGenerateLayout generates where a layout's keys make no folders, and names what can't be.
func TestGenerateLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"generate", "--seed", "1", "--events", "50", "--from", "2026-10-30", "--to", "2026-11-02", "--partitions", "1",
		"--dir", filepath.Join(dir, "archive"), "--truth", filepath.Join(dir, "truth.json"), "--dataset", filepath.Join(dir, "dataset.yaml"), "--layout"}
	if got := inProcess(t, nil, append(args, "confluent-delims", "--setting", "file.delim=!")...); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	names, err := filepath.Glob(filepath.Join(dir, "archive", "topics_payroll.events_partition=0_payroll.events!0!*.json.gz"))
	dataset, readErr := os.ReadFile(filepath.Join(dir, "dataset.yaml"))
	if err != nil || readErr != nil || len(names) == 0 || !strings.Contains(string(dataset), `layout: {confluent: {directory_delim: "_", file_delim: "!"}}`) {
		t.Errorf("files %v, dataset %s, %v, %v", names, dataset, err, readErr)
	}
	for want, more := range map[string][]string{
		"already holds objects":                        {"confluent-delims"},
		`there is no layout "nope"; there are conflu`:  {"nope"},
		"layout confluent-avro cannot show bad_values": {"confluent-avro", "--prefix", "other", "--fault", "bad_values=1"},
		`has no setting "x"; it has avro.codec`:        {"confluent-avro", "--setting", "x=1"},
	} {
		if got := inProcess(t, nil, append(args, more...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", more, got, want)
		}
	}
}

// TestGenerateValues generates framed values with their schemas, which the registry then serves, and names what can't be.
func TestGenerateValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"generate", "--seed", "1", "--events", "50", "--from", "2026-10-30", "--to", "2026-11-02", "--partitions", "1",
		"--dir", filepath.Join(dir, "archive"), "--truth", filepath.Join(dir, "truth.json"), "--dataset", filepath.Join(dir, "dataset.yaml")}
	if got := inProcess(t, nil, append(args, "--layout", "confluent-bytes", "--values", "confluent-avro", "--value-setting", "value.schema.id.serializer=PrefixSchemaIdSerializer")...); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	dataset, err := os.ReadFile(filepath.Join(dir, "dataset.yaml"))
	if want := fmt.Sprintf(`registry: {folder: "file://%s/archive/topics.schemas", framing: confluent}`, dir); err != nil || !strings.Contains(string(dataset), want) {
		t.Errorf("dataset %s, %v", dataset, err)
	}
	if got := inProcess(t, nil, "registry", "--folder", filepath.Join(dir, "archive", "topics.schemas"), "--until-stdin-closes"); got.code != 0 || !strings.Contains(got.stdout, "The registry is up, with 2 schemas: http://127.0.0.1:") {
		t.Errorf("the registry: %+v", got)
	}
	for want, more := range map[string][]string{
		"--values debezium needs --layout":               {"--values", "debezium"},
		`--value-setting "x" is not of the form`:         {"--layout", "confluent-json", "--value-setting", "x"},
		"there are no values \"json5\"; there are plain": {"--layout", "confluent-json", "--values", "json5"},
		"layout confluent-avro does not go with values":  {"--layout", "confluent-avro", "--values", "glue"},
		"cannot show deletes: values plain tell no":      {"--layout", "confluent-json", "--prefix", "other", "--fault", "deletes=1"},
	} {
		if got := inProcess(t, nil, append(args, more...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", more, got, want)
		}
	}
	for want, args := range map[string][]string{
		"registry needs a folder of schemas":                 {},
		"--user me needs a password in SANDBOX_REGISTRY_PAS": {"--folder", dir, "--user", "me"},
		"a registry without schemas answers nothing":         {"--folder", t.TempDir()},
		"truth.json: this is no answer of a registry":        {"--folder", dir},
	} {
		if got := inProcess(t, nil, append([]string{"registry"}, args...)...); got.code == 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: %+v, want %q", args, got, want)
		}
	}
}

func TestDirSinkStaysInside(t *testing.T) {
	t.Parallel()
	d, err := newDirSink(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"../x", "/x", "a/../../x"} {
		if err := d.Put(t.Context(), key, nil); err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestEnvironmentRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[string]string)
		var variables []variable
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[A-Z][A-Z0-9_]{0,8}`), rapid.ID[string]).Draw(t, "names") {
			value := rapid.StringMatching(`[ -~äß]{0,12}`).Draw(t, name)
			want[name] = value
			variables = append(variables, variable{name, value})
		}
		got, err := parseEnv(string(renderEnv(variables)))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		for name, value := range want {
			if got[name] != value {
				t.Fatalf("%s: %q, want %q", name, got[name], value)
			}
		}
	})
}

func FuzzParseEnv(f *testing.F) {
	f.Add("export A=b\n# c\n\nexport D='e f'\n")
	f.Add("export A='it'\\''s'")
	f.Add("A=\"b\"")
	f.Add("=")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseEnv(text)
		if err == nil && values == nil {
			t.Error("neither values nor an error")
		}
	})
}

func TestSecretsStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := loadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := loadSecrets(dir)
	if err != nil || first != second {
		t.Errorf("%+v, then %+v, %v", first, second, err)
	}
	other, err := loadSecrets(t.TempDir())
	if err != nil || other == first {
		t.Errorf("two folders share %+v, %v", first, err)
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if len(first.AccessKey) != 20 || len(first.SecretKey) != 40 {
		t.Errorf("keys of %d and %d characters, AWS has 20 and 40", len(first.AccessKey), len(first.SecretKey))
	}
}

func TestPrinters(t *testing.T) {
	t.Parallel()
	columns := []column{{"id", oidInt8}, {"amount", oidNumeric}, {"näme", 1043}, {"ok", oidBool}}
	rows := [][][]byte{
		{[]byte("1"), []byte("10.50"), []byte("Zoë\n\"x\", y"), []byte("t")},
		{[]byte("-200"), nil, nil, []byte("f")},
		{[]byte("3"), []byte("0.00"), []byte(""), nil},
	}
	for _, test := range []struct{ format, want string }{
		{"table", "" +
			"  id  amount  näme         ok\n" +
			"----  ------  -----------  --\n" +
			"   1   10.50  Zoë\\n\"x\", y  t\n" +
			"-200    NULL  NULL         f\n" +
			"(the first 2 of 3 rows; --max-rows shows more)\n" +
			"INSERT 0 3\n"},
		{"csv", "id,amount,näme,ok\n1,10.50,\"Zoë\n\"\"x\"\", y\",t\n-200,,,f\n3,0.00,,\n"},
		{"json", `{"rows":[{"id":1,"amount":"10.50","näme":"Zoë\n\"x\", y","ok":true},` +
			`{"id":-200,"amount":null,"näme":null,"ok":false},{"id":3,"amount":"0.00","näme":"","ok":null}],"tag":"SELECT 3"}` + "\n" +
			`{"tag":"INSERT 0 3"}` + "\n"},
	} {
		var out bytes.Buffer
		p, err := newPrinter(&out, test.format, 2)
		if err != nil {
			t.Fatal(err)
		}
		err = p.begin(columns)
		for _, row := range rows {
			err = errors.Join(err, p.row(row))
		}
		err = errors.Join(err, p.end("SELECT 3"), p.begin(nil), p.end("INSERT 0 3"))
		if err != nil || out.String() != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.format, err, out.String(), test.want)
		}
	}
}
