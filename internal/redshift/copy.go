package redshift

import (
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
