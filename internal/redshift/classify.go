package redshift

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"backfill/internal/fail"
)

// classify is the one place where an error of the driver, the network or the
// server becomes a failure with a code. Redshift gives SQLSTATE XX000 for
// serialization conflicts and for bad Parquet alike, so texts decide there.
// What is unknown is Internal and so never repeated by itself.
func classify(err error) *fail.Error {
	var own *fail.Error
	if errors.As(err, &own) {
		return own
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return classifyAnswer(answer)
	}
	// A cancelled context stays in the chain: the exit code says who stopped the program.
	if errors.Is(err, context.Canceled) {
		return fail.Wrap(err, fail.Network, "the statement was stopped")
	}
	// Time-outs of the context, the dialer or the socket.
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return fail.Wrap(err, fail.Network, "the warehouse did not answer in time")
	}
	// The login never got so far as an answer: name, route, refused port, TLS.
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return fail.New(fail.Network, "connecting to the warehouse: %s", oneLine(errors.Unwrap(connect).Error())) // one line per address
	}
	// The peer or something between closed the socket.
	var network *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network) {
		return fail.Wrap(err, fail.Network, "the connection to the warehouse was lost")
	}
	// What the driver says of a connection that it has closed, be it long ago or
	// under this very statement.
	if pgconn.SafeToRetry(err) {
		return fail.Wrap(err, fail.Network, "the connection to the warehouse was lost")
	}
	return fail.Wrap(err, fail.Internal, "talking to the warehouse")
}

// classifyAnswer decides by SQLSTATE where it is telling, else by text.
func classifyAnswer(e *pgconn.PgError) *fail.Error {
	text := sentence(e)
	say := func(code fail.Code) *fail.Error {
		return fail.New(code, "%s (SQLSTATE %s)", text, e.Code)
	}
	switch {
	case e.Code == "28000", e.Code == "28P01": // login refused
		return say(fail.Credentials).Try("check the login's name and password")
	case e.Code == "42501": // a right is missing
		return say(fail.Permission).Try("ask the table's owner for the right that the message names")
	case e.Code == "3D000": // no such database
		return say(fail.NotFoundInput).Try("check the database in the warehouse URL")
	case e.Code == "42P01", e.Code == "3F000": // no such table or schema
		return say(fail.TableMissing)
	case e.Code == "42703": // no such column: the table was changed after it was checked
		return say(fail.TableDiffers).Try("run doctor: it compares the table with the dataset")
	case e.Code == "40001", e.Code == "40P01", e.Code == "55P03": // serialization, deadlock, lock time-out
		return say(fail.Conflict)
	case e.Code == "57014": // statement_timeout, a queue's rule, or a person
		return say(fail.Service).Try("raise the statement time-out or give the query group more room")
	case e.Code == "53100": // no space left
		return say(fail.Disk).Try("free space in the warehouse or take a shorter window")
	case e.Code == "57P03", strings.HasPrefix(e.Code, "53"): // starting up, too many connections, out of memory
		return say(fail.Service)
	case strings.HasPrefix(e.Code, "57P"), strings.HasPrefix(e.Code, "08"): // the server is going away
		return say(fail.Network)
	case strings.HasPrefix(e.Code, "22"), e.Code == "23502": // a value does not fit
		return say(fail.LoadRefused)
	}
	for _, rule := range answerRules {
		if rule.match.MatchString(e.Message) || rule.match.MatchString(e.Detail) {
			f := say(rule.code)
			f.Hint = rule.hint
			return f
		}
	}
	return say(fail.Internal)
}

type answerRule struct {
	match *regexp.Regexp // against message and detail, the first match decides
	code  fail.Code
	hint  string
}

var answerRules = []answerRule{
	// A serialization conflict is the bare number as message; the detail spells it.
	{regexp.MustCompile(`^1023$|^1023\b.*[Ss]erializable|Serializable isolation violation`), fail.Conflict, ""},
	// The snapshot is older than the table.
	{regexp.MustCompile(`^1018$|^1018\b.*Relation does not exist`), fail.Conflict, ""},
	{regexp.MustCompile(`(?i)deadlock detected`), fail.Conflict, ""},
	// S3 or its key service is busy; before the load refusals, which share the envelope.
	{regexp.MustCompile(`(?i)throttled|SlowDown|Status 503`), fail.Throttled, ""},
	{regexp.MustCompile(`(?i)Retries exceeded|Error InternalError|Status 500`), fail.Service, ""},
	{regexp.MustCompile(`(?i)system is in resize mode`), fail.Service, "wait until the resize of the warehouse is done"},
	{regexp.MustCompile(`(?i)disk full`), fail.Disk, "free space in the warehouse or take a shorter window"},
	// Roles and rights of the COPY.
	{regexp.MustCompile(`(?i)ExpiredToken|InvalidAccessKeyId`), fail.Credentials, ""},
	{regexp.MustCompile(`(?i)not authorized to assume IAM Role|UnauthorizedException`), fail.Permission,
		"associate the role with the cluster or namespace, and let it trust redshift.amazonaws.com"},
	{regexp.MustCompile(`(?i)Access ?Denied|Status 403`), fail.Permission,
		"give the role s3:GetObject and s3:ListBucket on the staging bucket, and kms:Decrypt for its key"},
	{regexp.MustCompile(`(?i)PermanentRedirect|Status 301`), fail.LoadRefused, "the staging bucket must be in the warehouse's Region"},
	// Objects that the manifest names.
	{regexp.MustCompile(`(?i)File not found|NoSuchKey|NoSuchBucket|Status 404`), fail.LoadRefused, "was the staging prefix cleaned? convert again"},
	// The file's columns or values against the stage.
	{regexp.MustCompile(`(?i)does not have 'meta' key|manifest`), fail.LoadRefused, ""},
	{regexp.MustCompile(`(?i)Unmatched number of columns|incompatible Parquet schema|invalid type length|invalid version number`), fail.LoadRefused, ""},
	{regexp.MustCompile(`(?i)length of the data column|exceeds the max size|Cannot insert a NULL value`), fail.LoadRefused, ""},
	{regexp.MustCompile(`(?i)data overflow|Resource limit exceeded|value too long|Invalid JSON|JSON parsing`), fail.LoadRefused, ""},
	// A table behind a datashare has no SQLSTATE of its own.
	{regexp.MustCompile(`(?i)Relation .* does not exist|COPY into nonexistent table`), fail.TableMissing, ""},
	{regexp.MustCompile(`(?i)NOT NULL column without DEFAULT`), fail.TableDiffers, "run doctor: it compares the table with the dataset"},
	// Any other error of the Parquet reader is about the data.
	{regexp.MustCompile(`(?i)Spectrum Scan Error`), fail.LoadRefused, ""},
}
