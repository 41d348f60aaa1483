package redshift

import (
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/schema"
)

func TestQuoteIdent(t *testing.T) {
	tests := []struct{ name, want, err string }{
		{"events", `"events"`, ""},
		{`a"b`, `"a""b"`, ""},
		{"größe", `"größe"`, ""},
		{"", "", "quoting a name: it is empty"},
		{"Events", "", `the name "Events" is not lower-case, Redshift would fold it`},
		{"a\x00", "", `the name "a\x00" holds a NUL or is not UTF-8`},
		{strings.Repeat("x", 128), "", `the name "` + strings.Repeat("x", 128) + `" has 128 bytes, the limit is 127`},
	}
	for _, test := range tests {
		got, err := QuoteIdent(test.name)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%q: %q, %v", test.name, got, err)
		}
	}
	if got, err := QuoteTable("payroll", "events"); got != `"payroll"."events"` || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range [][2]string{{"", "x"}, {"x", ""}} {
		if _, err := QuoteTable(bad[0], bad[1]); err == nil {
			t.Errorf("%v passes", bad)
		}
	}
}

func TestQuoteLiteral(t *testing.T) {
	for text, want := range map[string]string{"": `''`, "it's": `'it''s'`, `a\`: `'a\\'`, `\'`: `'\\'''`, "ä\n": "'ä\n'"} {
		if got, err := QuoteLiteral(text); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{"\x00", "\xff"} {
		if _, err := QuoteLiteral(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// FuzzQuoteLiteral reads the literal back as Redshift does: backslash escapes
// the next byte, a doubled quote is one.
func FuzzQuoteLiteral(f *testing.F) {
	for _, s := range []string{"", "'", `\`, `\'`, `'\`, "a''b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		literal, err := QuoteLiteral(text)
		if err != nil {
			return
		}
		var got []byte
		body := literal[1 : len(literal)-1]
		for i := 0; i < len(body); i++ {
			if body[i] == '\\' || body[i] == '\'' {
				i++
				if i == len(body) {
					t.Fatalf("%q ends early", literal)
				}
				if body[i-1] == '\'' && body[i] != '\'' {
					t.Fatalf("%q ends inside", literal)
				}
			}
			got = append(got, body[i])
		}
		if string(got) != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestCopySQL(t *testing.T) {
	good := CopyStatement{Table: "stage", Columns: []string{"a", "b"}, Manifest: "s3://lake/it's/m.json", IAMRole: "arn:aws:iam::123456789012:role/path/redshift-copy"}
	const head = `COPY "stage" ("a", "b")` + "\nFROM 's3://lake/it''s/m.json'\n"
	tests := []struct {
		name      string
		edit      func(*CopyStatement)
		want, err string
	}{
		{"a role", func(*CopyStatement) {}, head + "IAM_ROLE 'arn:aws:iam::123456789012:role/path/redshift-copy'\nFORMAT AS PARQUET\nMANIFEST", ""},
		{"default", func(s *CopyStatement) { s.IAMRole = "default" }, head + "IAM_ROLE default\nFORMAT AS PARQUET\nMANIFEST", ""},
		{"a chain", func(s *CopyStatement) {
			s.IAMRole = "arn:aws:iam::123456789012:role/a,arn:aws-cn:iam::123456789012:role/b"
		}, head + "IAM_ROLE 'arn:aws:iam::123456789012:role/a,arn:aws-cn:iam::123456789012:role/b'\nFORMAT AS PARQUET\nMANIFEST", ""},
		{"a schema", func(s *CopyStatement) { s.Schema = "x" }, strings.Replace(head, `"stage"`, `"x"."stage"`, 1) +
			"IAM_ROLE 'arn:aws:iam::123456789012:role/path/redshift-copy'\nFORMAT AS PARQUET\nMANIFEST", ""},
		{"keys", func(s *CopyStatement) { s.IAMRole = "aws_access_key_id=AKIA;aws_secret_access_key=hunter2" }, "", "warehouse.iam_role is not the ARN of a role"},
		{"a quote", func(s *CopyStatement) { s.IAMRole += "' REGION 'x" }, "", "warehouse.iam_role is not the ARN of a role"},
		{"no columns", func(s *CopyStatement) { s.Columns = nil }, "", "writing a COPY: no columns"},
		{"a bad column", func(s *CopyStatement) { s.Columns = []string{""} }, "", "quoting a name: it is empty"},
		{"a bad table", func(s *CopyStatement) { s.Table = "" }, "", "quoting a name: it is empty"},
		{"a local file", func(s *CopyStatement) { s.Manifest = "file:///m.json" }, "", "COPY reads only from s3://, the manifest is file:///m.json"},
	}
	for _, test := range tests {
		s := good
		test.edit(&s)
		got, err := CopySQL(s)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

func TestLiveColumns(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	text := func(s string) *string { return &s }
	tests := []struct {
		kind                     string
		length, precision, scale *int64
		nullable                 string
		byDefault                *string
		want                     LiveColumn
	}{
		{"character varying", n(36), nil, nil, "NO", nil, LiveColumn{Spelled: "varchar(36)", Type: schema.Type{Kind: schema.Varchar, Length: 36}, NotNull: true}},
		{"character", n(3), nil, nil, "YES", nil, LiveColumn{Spelled: "char(3)", Type: schema.Type{Kind: schema.Char, Length: 3}}},
		{"numeric", nil, n(18), n(2), "YES", nil, LiveColumn{Spelled: "decimal(18,2)", Type: schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}}},
		{"timestamp without time zone", nil, nil, nil, "YES", text("getdate()"),
			LiveColumn{Spelled: "timestamp", Type: schema.Type{Kind: schema.Timestamp}, HasDefault: true}},
		{"bigint", nil, n(64), n(0), "NO", text(`"identity"(105, 0, '1,1'::text)`),
			LiveColumn{Spelled: "bigint", Type: schema.Type{Kind: schema.Bigint}, NotNull: true, HasDefault: true, Identity: true}},
		{"integer", nil, n(32), n(0), "YES", text(`default_identity(1, 2, '1,1')`),
			LiveColumn{Spelled: "integer", Type: schema.Type{Kind: schema.Integer}, HasDefault: true, Generated: true}},
		{"integer", nil, n(32), n(0), "YES", text(`identity`),
			LiveColumn{Spelled: "integer", Type: schema.Type{Kind: schema.Integer}, HasDefault: true, Identity: true}},
		{"smallint", nil, nil, nil, "YES", text(" "), LiveColumn{Spelled: "smallint", Type: schema.Type{Kind: schema.Smallint}}},
		{"boolean", nil, nil, nil, "YES", nil, LiveColumn{Spelled: "boolean", Type: schema.Type{Kind: schema.Boolean}}},
		{"date", nil, nil, nil, "YES", nil, LiveColumn{Spelled: "date", Type: schema.Type{Kind: schema.Date}}},
		{"super", nil, nil, nil, "YES", nil, LiveColumn{Spelled: "super", Type: schema.Type{Kind: schema.Super}}},
		{"double precision", nil, nil, nil, "YES", nil, LiveColumn{Spelled: "double precision"}},
		{"timestamp with time zone", nil, nil, nil, "YES", nil, LiveColumn{Spelled: "timestamp with time zone"}},
	}
	for _, test := range tests {
		test.want.Name = "c"
		if got := liveColumn("c ", test.kind, test.length, test.precision, test.scale, test.nullable, test.byDefault); got != test.want {
			t.Errorf("%s: got %+v\nwant %+v", test.kind, got, test.want)
		}
	}
}

func TestConfig(t *testing.T) {
	good := Config{TLS: TLS{Off: true}, ApplicationName: "backfill"}
	config, err := good.driver(Login{Host: "127.0.0.1", Port: 5555, Database: "analytics", User: "loader", Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "127.0.0.1" || config.Port != 5555 || config.User != "loader" || config.Database != "analytics" || config.TLSConfig != nil ||
		len(config.RuntimeParams) != 1 || config.ConnectTimeout != defaultConnectTimeout || len(config.Fallbacks) != 0 {
		t.Errorf("%+v", config)
	}
	keep := good.dialer().KeepAliveConfig
	if !keep.Enable || keep.Idle.Seconds() != 200 || keep.Interval.Seconds() != 200 || keep.Count != 5 {
		t.Errorf("%+v", keep)
	}
	secure, err := Config{}.driver(Login{Host: "wh.example.com", Port: 5439})
	if err != nil || secure.TLSConfig.ServerName != "wh.example.com" || secure.TLSConfig.InsecureSkipVerify || len(secure.Fallbacks) != 0 {
		t.Errorf("%v, %+v", err, secure)
	}
	_, err = good.driver(Login{Host: "b"})
	if !fail.Is(err, fail.Usage) || err.Error() != "TLS can be off only for a warehouse on this host, not for b" {
		t.Errorf("%v", err)
	}
}
