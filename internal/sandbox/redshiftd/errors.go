package redshiftd

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgError is an error as the wire carries it.
type pgError struct {
	fatal   bool
	code    string
	message string
	detail  string
	file    string
	routine string
	notices []string // INFO notices that go out before the error
}

func (e *pgError) Error() string { return e.message }

func errorf(code, format string, args ...any) *pgError {
	return &pgError{code: code, message: fmt.Sprintf(format, args...)}
}

// strict refuses what is not known to work, or not modelled.
func strict(format string, args ...any) *pgError {
	return errorf("0A000", "%s (stand-in strictness)", fmt.Sprintf(format, args...))
}

func errSyntax(near string) *pgError { return errorf("42601", "syntax error at or near %q", near) }

var (
	errAborted  = errorf("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	errDeadlock = errorf("40P01", "deadlock detected")
	errInjected = errorf("XX000", "injected fault")
)

func errRelation(name string) *pgError { return errorf("42P01", "relation %q does not exist", name) }

// errConflict is a serialization failure on a table between transactions; pid is another one's.
func errConflict(table int64, pid int, xids ...int64) *pgError {
	ids := strings.ReplaceAll(strings.Trim(fmt.Sprint(xids), "[]"), " ", ", ")
	return &pgError{code: "XX000", message: "1023",
		detail: fmt.Sprintf("Serializable isolation violation on table - %d, transactions forming the cycle are: %s (pid:%d)", table, ids, pid)}
}

// errEnvelope is an error as the compute nodes report it: the useful text is in the detail.
func errEnvelope(message string, code int, context, location string, query int64) *pgError {
	rule := "  -----------------------------------------------\n"
	return &pgError{code: "XX000", message: message, file: "xen_execute.cpp", routine: "pg_throw",
		detail: fmt.Sprintf("\n%s  error:  %s\n  code:      %d\n  context:   %s\n  query:     %d\n  location:  %s\n  process:   worker_thread [pid=1]\n%s",
			rule, message, code, context, query, location, rule)}
}

func errNull(column string, query int64) *pgError {
	return errEnvelope("Cannot insert a NULL value into column "+column, 8007, "Cannot insert a NULL value into column "+column,
		"column_chunk.cpp:1", query)
}

func (e *pgError) response() *pgproto3.ErrorResponse {
	severity := "ERROR"
	if e.fatal {
		severity = "FATAL"
	}
	return &pgproto3.ErrorResponse{Severity: severity, Code: e.code, Message: e.message, Detail: e.detail, File: e.file, Routine: e.routine}
}

var (
	markedError  = regexp.MustCompile(`(?s)rs:([0-9A-Z]{5}):(.*?)(?:\x03|$)`)
	notNullError = regexp.MustCompile(`NOT NULL constraint failed: (?:.*\.)?([^.\s]+)`)
	textToNumber = regexp.MustCompile(`Could not convert string '((?s).*)' to`)
)

// mark makes the text of an error that the engine raises on our behalf; engineError reads it back.
func mark(code, message string) string { return "rs:" + code + ":" + message + "\x03" }

// engineError turns an error of the engine into the one that Redshift would send. query is the running query's id.
func engineError(ctx context.Context, err error, query int64) *pgError {
	var pg *pgError
	if errors.As(err, &pg) {
		return pg
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errorf("57014", "Query (%d) canceled on user's request", query)
	}
	text := err.Error()
	if m := markedError.FindStringSubmatch(text); m != nil {
		return errorf(m[1], "%s", m[2])
	}
	if m := notNullError.FindStringSubmatch(text); m != nil {
		return errNull(m[1], query)
	}
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("INTERRUPT"):
		return errorf("57014", "Query (%d) canceled on user's request", query)
	case has("TransactionContext Error") && (has("onflict") || has("Conflict")):
		return errConflict(0, 0, query, query)
	case has("Could not convert string"):
		value := ""
		if m := textToNumber.FindStringSubmatch(text); m != nil {
			value = m[1]
		}
		return errorf("22P02", "invalid input syntax for type: %q", value)
	case has("field value out of range"), has("invalid timestamp field"), has("invalid date field"):
		return errorf("22008", "date/time field value out of range")
	case has("Could not cast value") && has("DECIMAL"), has("Overflow in"), has("Overflow on"), has("out of range"), has("overflow"):
		return errorf("XX000", "Numeric data overflow (result precision)")
	case has("More than one row returned"):
		return errorf("21000", "more than one row returned by a subquery used as an expression")
	case has("must appear in the GROUP BY clause"):
		return errorf("42803", "column must appear in the GROUP BY clause or be used in an aggregate function")
	case has("Out of Memory"), has("No space left"):
		return errorf("XX000", "Disk Full")
	case has("Binder Error"):
		return errorf("0A000", "%s (stand-in strictness)", strings.SplitN(text, "\n", 2)[0])
	}
	return errorf("XX000", "%s (stand-in strictness)", strings.SplitN(text, "\n", 2)[0])
}
