package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/pflag"
)

const (
	connectTimeout = 10 * time.Second
	maxScriptBytes = 16 << 20 // of a script on stdin
)

type sqlOptions struct {
	envFile string
	output  string
	maxRows int
}

func sqlCommand() command {
	return command{
		name: "sql", line: "run SQL against the running stand-in", usage: " [--env-file FILE] 'STATEMENT; …' | -",
		teaches: `
Runs one or several statements in one session of the running stand-in and prints what they answer. Several statements
in one argument run as one transaction unless they say otherwise (the simple query protocol); several arguments run
one after the other. With - the statements come from stdin.

  sandbox sql "SELECT currency, COUNT(*), SUM(gross_amount) FROM payroll.events GROUP BY 1 ORDER BY 1"
  sandbox sql --output json 'SELECT COUNT(*) AS n FROM payroll.events' | jq '.rows[0].n'
  sandbox sql - < tables.sql

Outputs: table is for people; csv has a header and leaves NULL empty; json is one line per statement,
{"tag": …, "rows": [{…}]}, with integers and booleans as such, any other value as text, exact, and NULL as null.
An error shows Redshift's SQLSTATE and Detail; the exit code is then 1, and what the session did since BEGIN is
rolled back.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o sqlOptions
			flags.StringVar(&o.envFile, "env-file", "", "file that sandbox serve wrote (default: the environment)")
			flags.StringVar(&o.output, "output", "table", "table, csv or json")
			flags.IntVar(&o.maxRows, "max-rows", 1000, "rows of a result that table shows; csv and json show all")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) == 0 {
					return usagef("sql needs a statement, as in: sandbox sql 'SELECT 1'")
				}
				if o.maxRows < 1 {
					return usagef("--max-rows must be at least 1, got %d", o.maxRows)
				}
				out, err := newPrinter(p.stdout, o.output, o.maxRows)
				if err != nil {
					return err
				}
				scripts, err := readScripts(p.stdin, args)
				if err != nil {
					return err
				}
				return runSQL(ctx, p, o.envFile, scripts, out)
			}
		},
	}
}

// readScripts puts stdin in the place of "-".
func readScripts(stdin io.Reader, args []string) ([]string, error) {
	scripts := make([]string, 0, len(args))
	for _, arg := range args {
		if arg == "-" {
			text, err := io.ReadAll(io.LimitReader(stdin, maxScriptBytes+1))
			if err != nil {
				return nil, fmt.Errorf("reading statements from stdin: %w", err)
			}
			if len(text) > maxScriptBytes {
				return nil, usagef("the statements on stdin are longer than %d MiB", maxScriptBytes>>20)
			}
			arg = string(text)
		}
		scripts = append(scripts, arg)
	}
	return scripts, nil
}

func runSQL(ctx context.Context, p process, envFile string, scripts []string, out printer) (err error) {
	env, err := openEnvironment(envFile, p.getenv)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, env, func(n *pgconn.Notice) {
		_, _ = fmt.Fprintf(p.stderr, "%s: %s\n", n.Severity, n.Message) // a lost notice is no error
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_ = conn.Close(closing) // the answers are in; a lost goodbye changes nothing
	}()
	for _, script := range scripts {
		if err := printResults(conn.Exec(ctx, script), out); err != nil {
			return describeSQLError(err)
		}
	}
	return nil
}

// conninfo quotes a value of a connection string.
var conninfo = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// connect opens a session with the warehouse that env names. notice may be nil.
func connect(ctx context.Context, env environment, notice func(*pgconn.Notice)) (*pgconn.PgConn, error) {
	values, err := env.require(envPGHost, envPGPort, envPGUser, envPGDatabase, envPGPassword)
	if err != nil {
		return nil, err
	}
	settings := []string{"sslmode=disable", "target_session_attrs=any"}
	if ca := env.get(envPGSSLRoot); ca != "" {
		settings[0] = "sslmode=verify-full"
		settings = append(settings, "sslrootcert='"+conninfo.Replace(ca)+"'")
	}
	for key, name := range map[string]string{
		"host": envPGHost, "port": envPGPort, "user": envPGUser, "dbname": envPGDatabase, "password": envPGPassword,
	} {
		settings = append(settings, key+"='"+conninfo.Replace(values[name])+"'")
	}
	config, err := pgconn.ParseConfig(strings.Join(settings, " "))
	if err != nil {
		return nil, fmt.Errorf("reading the warehouse's address in %s: %w", env.source, err)
	}
	config.RuntimeParams = nil // neither PGOPTIONS nor a service file of the user has a say
	config.ConnectTimeout = connectTimeout
	if notice != nil {
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice(n) }
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("no warehouse answers at %s:%s, which %s names (does the sandbox serve?): %w",
			values[envPGHost], values[envPGPort], env.source, err)
	}
	return conn, nil
}

// printResults prints each result as it arrives.
func printResults(results *pgconn.MultiResultReader, out printer) error {
	for results.NextResult() {
		result := results.ResultReader()
		fields := result.FieldDescriptions()
		columns := make([]column, len(fields))
		for i, f := range fields {
			columns[i] = column{name: f.Name, oid: f.DataTypeOID}
		}
		if err := out.begin(columns); err != nil {
			return errors.Join(err, results.Close())
		}
		for result.NextRow() {
			if err := out.row(result.Values()); err != nil {
				return errors.Join(err, results.Close())
			}
		}
		tag, err := result.Close()
		if err != nil {
			return errors.Join(err, results.Close())
		}
		if err := out.end(tag.String()); err != nil {
			return errors.Join(err, results.Close())
		}
	}
	return results.Close()
}

// describeSQLError tells what the server said: message, SQLSTATE, Detail, Hint.
func describeSQLError(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fmt.Errorf("running the statement: %w", err)
	}
	text := fmt.Sprintf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	for _, part := range []variable{{"Detail", pg.Detail}, {"Hint", pg.Hint}} {
		if value := strings.TrimSpace(part.value); value != "" {
			text += "\n  " + part.name + ": " + strings.ReplaceAll(value, "\n", "\n    ")
		}
	}
	return errors.New(text)
}
