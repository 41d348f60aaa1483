package redshift

import (
	"context"
	"regexp"
	"strings"

	"backfill/internal/fail"
)

// CopyStatement is one COPY of the Parquet files that a manifest lists.
type CopyStatement struct {
	Schema   string   // "" for a temp table
	Table    string   //
	Columns  []string // in the order of the files' columns, which COPY maps by position
	Manifest string   // s3:// URI of the manifest, its full key
	IAMRole  string   // an ARN, a chain of ARNs joined by commas, or "default"
}

// roleChain holds no secret and leaves no room for one.
var roleChain = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=.@_/-]+(,arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=.@_/-]+)*$`)

// CopySQL returns the text of the statement. COPY takes no parameters, so all
// parts are quoted. No option that changes data (TRUNCATECOLUMNS,
// ACCEPTINVCHARS, FILLRECORD) is ever used.
func CopySQL(s CopyStatement) (string, error) {
	table, err := QuoteIdent(s.Table)
	if s.Schema != "" {
		table, err = QuoteTable(s.Schema, s.Table)
	}
	if err != nil {
		return "", err
	}
	if len(s.Columns) == 0 {
		return "", fail.New(fail.Internal, "writing a COPY: no columns")
	}
	columns := make([]string, len(s.Columns))
	for i, name := range s.Columns {
		if columns[i], err = QuoteIdent(name); err != nil {
			return "", err
		}
	}
	if !strings.HasPrefix(s.Manifest, "s3://") {
		return "", fail.New(fail.Usage, "COPY reads only from s3://, the manifest is %s", s.Manifest).
			Try("set staging.uri to an s3:// URI")
	}
	manifest, err := QuoteLiteral(s.Manifest)
	if err != nil {
		return "", err
	}
	role, err := roleClause(s.IAMRole)
	if err != nil {
		return "", err
	}
	return "COPY " + table + " (" + strings.Join(columns, ", ") + ")\n" +
		"FROM " + manifest + "\n" + role + "\n" + "FORMAT AS PARQUET\n" + "MANIFEST", nil
}

func roleClause(role string) (string, error) {
	if role == "default" {
		return "IAM_ROLE default", nil
	}
	if !roleChain.MatchString(role) {
		return "", fail.New(fail.Usage, "warehouse.iam_role is not the ARN of a role").
			Try("write arn:aws:iam::<account>:role/<name>, several joined by commas without spaces, or default")
	}
	return "IAM_ROLE '" + role + "'", nil
}

// Copy loads by COPY and returns the number of loaded rows. The statement goes
// by the simple protocol and alone; the count is asked in the same session,
// because COPY's own answer carries none.
//
// What a moment may mend (S3 or KMS throttled, reads that failed) is tried
// again in the same session, outside of a transaction and only into a table
// that is seen to be empty: a COPY never loads twice. A refusal of the data
// tells file, column and sizes as far as the warehouse knows them.
func (c *Conn) Copy(ctx context.Context, s CopyStatement) (int64, error) {
	sql, err := CopySQL(s)
	if err != nil {
		return 0, err
	}
	try := c.config.Copying.or(copying).start()
	for {
		failed, again := c.copyOnce(ctx, sql)
		if failed == nil {
			return c.number(ctx, "SELECT pg_last_copy_count()")
		}
		pause, left := try.pause()
		if !again || !left {
			return 0, c.withLoadErrors(ctx, failed)
		}
		c.config.repeat(Repeat{What: "COPY", Try: try.tries, Tries: try.limit.Tries, Pause: pause, Err: failed})
		if err := sleep(ctx, pause); err != nil {
			return 0, err
		}
		// COPY is atomic, so that a failed one leaves nothing: seen, not trusted.
		if rows, err := c.number(ctx, "SELECT COUNT(*) FROM "+s.table()); err != nil || rows != 0 {
			return 0, failed
		}
	}
}

// copyOnce is one try; again says that another may succeed.
func (c *Conn) copyOnce(ctx context.Context, sql string) (f *fail.Error, again bool) {
	const noTransaction = 'I'
	_, err := c.pg.Exec(ctx, sql)
	if err == nil {
		return nil, false
	}
	f, again = c.judge(ctx, err)
	return f, again && c.pg.PgConn().TxStatus() == noTransaction
}

// number asks for one number.
func (c *Conn) number(ctx context.Context, sql string) (int64, error) {
	n, seen := int64(0), false
	err := c.Query(ctx, sql, func(r Scanner) error { seen = true; return r.Scan(&n) })
	if err == nil && !seen {
		err = fail.New(fail.Internal, "%s: no answer", sql)
	}
	return n, err
}

// table is the quoted name; CopySQL has refused names that can't be quoted.
func (s CopyStatement) table() string {
	name, _ := QuoteIdent(s.Table)
	if s.Schema != "" {
		name, _ = QuoteTable(s.Schema, s.Table)
	}
	return name
}
