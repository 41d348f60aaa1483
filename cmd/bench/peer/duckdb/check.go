package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"backfill/cmd/bench/data"
)

// check prints what files hold as a JSON object: a text per question, equal for
// equal contents whatever wrote them and in which order.
func check(ctx context.Context, db *sql.DB, s *data.Spec, files string) error {
	var names, list []string
	ask := func(what, expression string) {
		names = append(names, what)
		list = append(list, "("+expression+")::VARCHAR")
	}
	ask("rows", "count(*)")
	ask("distinct "+s.ID, "count(DISTINCT "+name(s.ID)+")")
	var whole []string
	for _, c := range s.Columns {
		v := name(c.Name) + "::" + sqlType(c)
		if c.Kind == data.RawJSON {
			v = "json(" + name(c.Name) + ")::VARCHAR" // without spaces, which polars puts in
		}
		whole = append(whole, "coalesce(hash("+v+"::VARCHAR), 0)")
		ask(c.Name+" present", "count("+v+")")
		if c.Kind != data.Bool && c.Kind != data.RawJSON {
			ask(c.Name+" smallest", "min("+v+")")
			ask(c.Name+" largest", "max("+v+")")
		}
		ask(c.Name+" sum", "sum("+summed(c, v)+")")
	}
	// Each value where it belongs: columns may not be exchanged between rows.
	ask("rows' hashes", "sum(hash("+strings.Join(whole, ", ")+")::HUGEINT)")

	values := make([]sql.NullString, len(list))
	into := make([]any, len(list))
	for i := range values {
		into[i] = &values[i]
	}
	statement := "SELECT " + strings.Join(list, ", ") + " FROM read_parquet(" + quote(files) + ")"
	if err := db.QueryRowContext(ctx, statement).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	facts := map[string]string{}
	for i, n := range names {
		facts[n] = values[i].String
	}
	return json.NewEncoder(os.Stdout).Encode(facts)
}

// summed is what a column adds up to: exact amounts, or hashes.
func summed(c data.Column, v string) string {
	switch c.Kind {
	case data.Int:
		return v + "::HUGEINT"
	case data.Decimal:
		return v + "::DECIMAL(38," + fmt.Sprint(c.Scale) + ")"
	case data.Timestamp, data.Millis:
		return "epoch_us(" + v + ")::HUGEINT"
	case data.Date:
		return "epoch(" + v + ")::HUGEINT"
	case data.Bool:
		return v + "::INT"
	}
	return "hash(" + v + ")::HUGEINT"
}
