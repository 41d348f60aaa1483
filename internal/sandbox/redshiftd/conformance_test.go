package redshiftd

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// conformance is what Redshift is known to take and to refuse: statements of one session, the SQLSTATE of the last one (empty:
// taken) and a part of its answer: the command tag, or the error's message or detail.
var conformance = []struct{ name, sql, code, text string }{
	{"tag of COPY", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST", "", "COPY"},
	{"tag of SELECT", "SELECT a FROM ok", "", "SELECT"},
	{"tag of INSERT", "INSERT INTO ok (a) VALUES (1), (2)", "", "INSERT 0 2"},
	{"tag of UPDATE", "UPDATE two SET a = 1", "", "UPDATE 2"},
	{"tag of DELETE", "BEGIN; DELETE FROM two", "", "DELETE 2"},
	{"tag of CREATE TABLE", "CREATE TEMP TABLE x (a INT)", "", "CREATE TABLE"},
	{"tag of DROP TABLE", "CREATE TEMP TABLE x (a INT); DROP TABLE x", "", "DROP TABLE"},
	{"tag of ALTER TABLE", "CREATE TEMP TABLE x (a INT); ALTER TABLE x ADD COLUMN b INT", "", "ALTER TABLE"},
	{"tag of TRUNCATE", "TRUNCATE empty", "", "TRUNCATE TABLE"},
	{"tag of LOCK", "BEGIN; LOCK TABLE ok", "", "LOCK TABLE"},
	{"tag of SET", "SET query_group TO 'x'", "", "SET"},
	{"tag of COMMIT", "BEGIN; COMMIT", "", "COMMIT"},
	{"tag of ROLLBACK", "BEGIN; ROLLBACK", "", "ROLLBACK"},
	{"keys are not enforced", "CREATE TEMP TABLE x (a INT PRIMARY KEY, UNIQUE (a)); INSERT INTO x VALUES (1), (1)", "", "INSERT 0 2"},
	{"identifiers fold", `SELECT "A" FROM "OK"`, "", "SELECT"},
	{"column list, FILLRECORD, STATUPDATE", "BEGIN; COPY ok (a, b) FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST FILLRECORD STATUPDATE OFF", "", "COPY"},
	{"QUALIFY", "SELECT a FROM two QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY a) = 1", "", "SELECT"},
	{"a prefix without match", "COPY ok FROM 's3://lake/none/' IAM_ROLE default PARQUET", "", "COPY"},
	{"an optional file is missing", "BEGIN; COPY ok FROM 's3://lake/optional.json' IAM_ROLE default PARQUET MANIFEST", "", "COPY"},

	{"2 setting", "SET standard_conforming_strings = on", "42704", `unrecognized configuration parameter "standard_conforming_strings"`},
	{"3 REGION", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST REGION 'eu-west-1'", "0A000", "REGION argument is not supported for PARQUET based COPY"},
	{"4 TRUNCATECOLUMNS", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST TRUNCATECOLUMNS", "0A000", "TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"},
	{"5 MAXERROR", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST MAXERROR 5", "0A000", "MAXERROR argument is not supported for PARQUET based COPY"},
	{"5 COMPUPDATE", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST COMPUPDATE OFF", "0A000", "COMPUPDATE argument is not supported for PARQUET based COPY"},
	{"5 GZIP", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST GZIP", "0A000", "GZIP argument is not supported for PARQUET based COPY"},
	{"6 no credentials", "COPY ok FROM 's3://lake/m.json' PARQUET MANIFEST", "42601", "credentials"},
	{"6 two credentials", "COPY ok FROM 's3://lake/m.json' IAM_ROLE default CREDENTIALS 'aws_iam_role=x' PARQUET MANIFEST", "42601", "credentials"},
	{"8 role", "COPY ok FROM 's3://lake/m.json' IAM_ROLE 'arn:aws:iam::1:role/x' PARQUET MANIFEST", "XX000", "is not authorized to assume IAM Role arn:aws:iam::1:role/x"},
	{"9 no key", "COPY ok FROM 's3://lake/gone.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "The specified key does not exist.,Status 404,Error NoSuchKey"},
	{"9 denied", "COPY ok FROM 's3://lake/denied.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied"},
	{"10 other region", "COPY ok FROM 's3://lake/moved.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "Status 301,Error PermanentRedirect"},
	{"11 no meta", "COPY ok FROM 's3://lake/nometa.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "File entry does not have 'meta' key."},
	{"12 mandatory file", "COPY ok FROM 's3://lake/mandatory.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "File not found"},
	{"14 size", "COPY ok FROM 's3://lake/size.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "(stand-in strictness)"},
	{"15 column count", "COPY narrow FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "Unmatched number of columns between table and file. Table columns: 1, Data columns: 2"},
	{"16 type", "COPY big FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "has an incompatible Parquet schema for column"},
	{"18 length", "COPY short FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "The length of the data column b is longer than the length defined in the table. Table: 2, Data: 4"},
	{"20 NOT NULL left out", "COPY must (b) FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST", "42601", "NOT NULL column without DEFAULT must be included in column list"},
	{"21 SUPER", "COPY super FROM 's3://lake/m.json' IAM_ROLE default PARQUET MANIFEST", "XX000", "SUPER column in COPY query requires SERIALIZETOJSON option"},
	{"24 ON CONFLICT", "INSERT INTO ok (a) VALUES (1) ON CONFLICT DO NOTHING", "42601", `syntax error at or near "ON"`},
	{"24 RETURNING", "DELETE FROM ok RETURNING a", "42601", `syntax error at or near "RETURNING"`},
	{"24 SERIAL", "CREATE TABLE x (a SERIAL)", "42704", `type "serial" does not exist`},
	{"24 jsonb", "SELECT '{}'::jsonb", "42704", `type "jsonb" does not exist`},
	{"24 E''", "SELECT E'x'", "42704", `type "e" does not exist`},
	{"24 SAVEPOINT", "BEGIN; SAVEPOINT x", "0A000", ""},
	{"24 FILTER", "SELECT COUNT(*) FILTER (WHERE a = 1) FROM ok", "42601", ""},
	{"25 leader node", "SELECT now() FROM ok", "0A000", "Specified types or functions (one per INFO message) not supported on Redshift tables."},
	{"26 MERGE with one WHEN", "MERGE INTO ok USING two ON ok.a = two.a WHEN MATCHED THEN DELETE", "0A000", "MERGE statement with a single WHEN clause is not enabled."},
	{"27 MERGE with several matches", "MERGE INTO one USING two ON one.a = two.a WHEN MATCHED THEN UPDATE SET a = 3 WHEN NOT MATCHED THEN INSERT VALUES (1)", "XX000", "Found multiple matches to update the same tuple."},
	{"28 APPEND in a block", "BEGIN; ALTER TABLE ok APPEND FROM empty", "25001", "ALTER TABLE APPEND cannot run inside a transaction block"},
	{"28 VACUUM in a block", "BEGIN; VACUUM", "25001", "VACUUM cannot run inside a transaction block"},
	{"28 ALTER COLUMN in a block", "BEGIN; ALTER TABLE ok ALTER COLUMN b TYPE VARCHAR(99)", "25001", "cannot run inside a transaction block"},
	{"29 aborted block", "BEGIN; SELECT nope; SELECT 1", "25P02", "current transaction is aborted, commands ignored until end of transaction block"},
	{"32 timeout", "SET statement_timeout TO 30; SELECT COUNT(*) FROM svv_columns a, svv_columns b, svv_columns c, svv_columns d, svv_columns e WHERE a.ordinal_position + b.ordinal_position + c.ordinal_position + d.ordinal_position > e.ordinal_position + 9", "57014", "canceled on user's request"},
	{"33 too long", "INSERT INTO short (b) VALUES ('abc')", "22001", "value too long for type character varying(2)"},
	{"33 bad literal", "INSERT INTO ok (a) VALUES ('x')", "22P02", `invalid input syntax for integer: "x"`},
	{"34 VARCHAR(n)", "CREATE TABLE x (v VARCHAR(65536))", "22023", ""},
	{"35 stl_*", "SELECT * FROM stl_load_errors", "42501", "permission denied for relation stl_load_errors"},
	{"36 DEALLOCATE ALL", "DEALLOCATE ALL", "42601", ""},
	{"36 pg_enum", "SELECT * FROM pg_enum", "42P01", ""},
	{"36 pg_sleep", "SELECT pg_sleep(1)", "42883", "function pg_sleep("},
}

func TestConformance(t *testing.T) {
	s, store := copyServer(t, nil)
	type row struct {
		A int32  `parquet:"a"`
		B string `parquet:"b"`
	}
	file := parquetFile(t, []row{{1, "long"}})
	store.manifest(file)
	size := map[string]any{"content_length": len(file)}
	for key, entries := range map[string][]entry{
		"nometa":    {{URL: "s3://lake/part-0.parquet", Mandatory: true}},
		"mandatory": {{"s3://lake/gone.parquet", true, size}, {"s3://lake/part-0.parquet", true, size}},
		"optional":  {{"s3://lake/gone.parquet", false, size}, {"s3://lake/part-0.parquet", true, size}},
		"size":      {{"s3://lake/part-0.parquet", true, map[string]any{"content_length": 7}}},
	} {
		b, err := json.Marshal(map[string]any{"entries": entries})
		if err != nil {
			t.Fatal(err)
		}
		store.put("lake/"+key+".json", b)
	}
	store.status["lake/denied.json"], store.status["lake/moved.json"] = 403, 301
	execAll(t, dial(t, s, ""), "CREATE TABLE ok (a INT, b VARCHAR(9))", "CREATE TABLE empty (a INT, b VARCHAR(9))", "CREATE TABLE one (a INT)", "CREATE TABLE two (a INT)",
		"INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (1), (1)", "CREATE TABLE narrow (a INT)", "CREATE TABLE big (a BIGINT, b VARCHAR(9))", "CREATE TABLE short (a INT, b VARCHAR(2))",
		"CREATE TABLE must (a INT NOT NULL, b VARCHAR(9))", "CREATE TABLE super (a INT, b SUPER)")
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Log("psql is not installed: only the other client runs")
	}
	for _, tt := range conformance {
		stmts := strings.Split(tt.sql, "; ")
		code, text := byClient(t, s, stmts)
		if code != tt.code || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %s\n got %q %q", tt.name, tt.sql, code, text)
		}
		if psql == "" {
			continue
		}
		code, text = byPsql(t, s, psql, stmts)
		if code != tt.code || tt.code != "" && !strings.Contains(text, tt.text) {
			t.Errorf("psql: %s: %s\n got %q %q", tt.name, tt.sql, code, text)
		}
	}
}

// byClient runs statements in a session of their own.
func byClient(t *testing.T, s *Server, stmts []string) (code, text string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, "postgres://loader:secret@"+s.Addr()+"/analytics?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, q := range stmts {
		tag, err := c.Exec(ctx, q)
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg):
			code, text = pg.Code, pg.Message+"\n"+pg.Detail
		case err != nil:
			t.Fatal(err)
		default:
			code, text = "", tag.String()
		}
	}
	return code, text
}

var psqlError = regexp.MustCompile(`(?s)ERROR:  ([0-9A-Z]{5}): (.*)`)

// byPsql gives the last statement's error as psql shows it.
func byPsql(t *testing.T, s *Server, path string, stmts []string) (code, text string) {
	t.Helper()
	host, port, _ := strings.Cut(s.Addr(), ":")
	last := len(stmts) - 1
	script := strings.Join(append(stmts[:last:last], `\warn ----`, stmts[last]), ";\n") + ";\n"
	cmd := exec.CommandContext(t.Context(), path, "-X", "-q", "-v", "VERBOSITY=verbose", "-h", host, "-p", port, "-U", "loader", "-d", "analytics", "-f", "-")
	cmd.Env = append(os.Environ(), "PGPASSWORD=secret", "PGSSLMODE=prefer")
	cmd.Stdin = strings.NewReader(strings.Replace(script, "----;", "----", 1))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	_, answer, _ := strings.Cut(string(out), "----")
	if m := psqlError.FindStringSubmatch(answer); m != nil {
		return m[1], m[2]
	}
	return "", answer
}
