package redshift

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"backfill/internal/fail"
)

// classify is the one place where an error of the driver, the network or the
// server becomes a failure with a code. again says that the very same statement
// or login may succeed after a pause, nothing having been changed by it; inside
// a transaction only the whole of it can be tried again. Redshift gives SQLSTATE
// XX000 for serialization conflicts and for bad Parquet alike, so texts decide
// there. What is unknown is Internal and never repeated.
func classify(err error) (f *fail.Error, again bool) {
	// Classified before, or refused by this package itself.
	var own *fail.Error
	if errors.As(err, &own) {
		return own, false
	}
	// The server answered.
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return classifyAnswer(answer)
	}
	// The caller stopped. It stays in the chain: the exit code says who stopped the program.
	if errors.Is(err, context.Canceled) {
		return fail.Wrap(err, fail.Network, "the statement was stopped"), false
	}
	if f := classifyTLS(err); f != nil {
		return f, false
	}
	// Time-outs of the context, the dialer or the socket. A statement may have been done.
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return fail.Wrap(oneLiner{cause(err)}, fail.Network, "the warehouse did not answer in time").
			Try("check the host, the security group and the route to it"), isConnect(err)
	}
	// Passwords kept as SHA-256 are asked for in a way of Amazon's own drivers; the driver has no type for it.
	if isConnect(err) && strings.Contains(err.Error(), "unknown authentication type") {
		return fail.New(fail.Credentials, "the warehouse asks for the password in a way that is not supported (%s)", oneLiner{cause(err)}).
			Try("sign in by IAM, or set the login's password anew as MD5 (ALTER USER … PASSWORD 'md5…')"), false
	}
	// The login never got so far as an answer: name, route, refused port.
	if isConnect(err) {
		f := fail.Wrap(oneLiner{cause(err)}, fail.Network, "connecting to the warehouse")
		// No such name: mistyped, or not resolvable from here. A moment does not mend it.
		var name *net.DNSError
		if errors.As(err, &name) && name.IsNotFound {
			return f.Try("check the host in the warehouse URL, and that this network resolves it"), false
		}
		return f.Try("check the host and port of the warehouse URL, that the warehouse is not paused, and the security group; then run the same command again"), true
	}
	// The peer or something between closed the socket: the statement's outcome is not known.
	var network *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network) {
		return fail.Wrap(err, fail.Network, "the connection to the warehouse was lost"), false
	}
	// What the driver says of a connection that it has closed, be it long ago or
	// under this very statement.
	if pgconn.SafeToRetry(err) {
		return fail.Wrap(err, fail.Network, "the connection to the warehouse was lost"), false
	}
	return fail.Wrap(err, fail.Internal, "talking to the warehouse"), false
}

func isConnect(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// cause strips the driver's prefix, which repeats user and database.
func cause(err error) error {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return errors.Unwrap(connect)
	}
	return err
}

// oneLiner spells an error with a line per address in one.
type oneLiner struct{ err error }

func (o oneLiner) Error() string { return oneLine(o.err.Error()) }
func (o oneLiner) Unwrap() error { return o.err }

// classifyTLS tells what is wrong with the server's certificate. It is never
// ignored and never passes by itself.
func classifyTLS(err error) *fail.Error {
	var (
		host      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &host):
		// Another server, or the right one by another name.
		return fail.Wrap(oneLiner{host}, fail.Usage, "the warehouse's certificate is for another name").
			Try("write the endpoint's own name into the warehouse URL, or the certificate's into warehouse.tls.server_name")
	case errors.As(err, &authority):
		// A private authority, or somebody between.
		return fail.Wrap(oneLiner{authority}, fail.Usage, "the warehouse's certificate is signed by an authority that is not trusted").
			Try("if it is your own, name its file in warehouse.tls: {ca_file: /path}")
	case errors.As(err, &invalid):
		// Expired, not yet valid, or not for servers.
		return fail.Wrap(oneLiner{invalid}, fail.Usage, "the warehouse's certificate is not valid").Try("renew it, and check this machine's clock")
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert):
		// Any other reason, and a peer that does not speak TLS after saying so.
		return fail.Wrap(oneLiner{cause(err)}, fail.Usage, "TLS with the warehouse failed").Try("check that the URL's host and port are the warehouse's")
	case isConnect(err) && strings.Contains(err.Error(), "server refused TLS connection"):
		// The driver has no type for it.
		return fail.New(fail.Usage, "the warehouse speaks no TLS").
			Try("check that the URL's host and port are the warehouse's; warehouse.tls can be off only on this host")
	}
	return nil
}

// verdict is what a kind of answer means.
type verdict struct {
	code  fail.Code
	again bool
	hint  string
}

// classifyAnswer decides by SQLSTATE where it is telling, else by text.
func classifyAnswer(e *pgconn.PgError) (*fail.Error, bool) {
	v, ok := byState(e.Code)
	if !ok {
		v = byText(e)
	}
	f := fail.New(v.code, "%s (SQLSTATE %s)", sentence(e), e.Code)
	f.Hint = v.hint
	return f, v.again
}

func byState(code string) (verdict, bool) {
	switch {
	case code == "28000", code == "28P01": // the login was refused: unknown, wrong, or minted and expired
		return verdict{fail.Credentials, false, "check the login's name and password; minted credentials need a user of that name in the database"}, true
	case code == "42501": // a right is missing
		return verdict{fail.Permission, false, "ask the table's owner for the right that the message names"}, true
	case code == "3D000": // no such database
		return verdict{fail.NotFoundInput, false, "check the database in the warehouse URL"}, true
	case code == "42P01", code == "3F000": // no such table or schema
		return verdict{fail.TableMissing, false, ""}, true
	case code == "42703": // no such column: the table was changed after it was checked
		return verdict{fail.TableDiffers, false, "somebody changed the table meanwhile: run the same command again, it compares the table with the dataset and says what to alter"}, true
	case code == "40001", code == "40P01", code == "55P03": // serialization, deadlock, lock time-out: the server undid it
		return verdict{fail.Conflict, true, ""}, true
	case code == "57014": // statement_timeout, a queue's rule, or a person: the same would happen again
		return verdict{fail.Service, false, "raise --statement-timeout or give the query group more room"}, true
	case code == "53100": // no space left
		return verdict{fail.Disk, false, "free space in the warehouse or take a shorter window"}, true
	case code == "57P03", code == "53300": // starting up or paused, too many connections: nothing was begun
		return verdict{fail.Service, true, ""}, true
	case strings.HasPrefix(code, "53"): // out of memory and the like
		return verdict{fail.Service, false, ""}, true
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"): // the server is going away; at login nothing was begun
		return verdict{fail.Network, true, ""}, true
	case strings.HasPrefix(code, "22"), code == "23502": // a value does not fit
		return verdict{fail.LoadRefused, false, ""}, true
	}
	return verdict{}, false
}

// byText takes the first rule that matches message or detail.
func byText(e *pgconn.PgError) verdict {
	for _, rule := range answerRules {
		if rule.match.MatchString(e.Message) || rule.match.MatchString(e.Detail) {
			return rule.verdict
		}
	}
	// The codes of load errors: a value, a date, a number against its column.
	if code, err := strconv.Atoi(envelope(e.Detail)["code"]); err == nil && code >= 1200 && code <= 1299 {
		return verdict{code: fail.LoadRefused}
	}
	return verdict{code: fail.Internal}
}

const busyHint = "run the same command again, later or with fewer loads at a time"

var answerRules = []struct {
	match   *regexp.Regexp
	verdict verdict
}{
	// A serialization conflict is the bare number as message; the detail spells it.
	{regexp.MustCompile(`^1023$|^1023\b.*[Ss]erializable|Serializable isolation violation`), verdict{fail.Conflict, true, ""}},
	// The snapshot is older than the table.
	{regexp.MustCompile(`^1018$|^1018\b.*Relation does not exist`), verdict{fail.Conflict, true, ""}},
	// A deadlock that comes without its SQLSTATE.
	{regexp.MustCompile(`(?i)deadlock detected`), verdict{fail.Conflict, true, ""}},
	// S3 or its key service is busy; before the load refusals, which share the envelope.
	{regexp.MustCompile(`(?i)throttled|SlowDown|Status 503`), verdict{fail.Throttled, true, busyHint}},
	// The reader gave up on S3, or S3 failed.
	{regexp.MustCompile(`(?i)Retries exceeded|Error InternalError|Status 500`), verdict{fail.Service, true, busyHint}},
	// Writes are refused during a resize, for minutes to hours.
	{regexp.MustCompile(`(?i)system is in resize mode`), verdict{fail.Service, true, "wait until the resize of the warehouse is done"}},
	// No space; waiting frees none.
	{regexp.MustCompile(`(?i)disk full`), verdict{fail.Disk, false, "free space in the warehouse or take a shorter window"}},
	// The role's own credentials were over: the server fetches new ones.
	{regexp.MustCompile(`(?i)ExpiredToken`), verdict{fail.Credentials, true, ""}},
	// Keys that AWS does not know.
	{regexp.MustCompile(`(?i)InvalidAccessKeyId`), verdict{fail.Credentials, false, ""}},
	// The role is not attached, or one of a chain may not assume the next.
	{regexp.MustCompile(`(?i)not authorized to assume IAM Role|UnauthorizedException`), verdict{fail.Permission, false,
		"associate the role with the cluster or namespace, and let it trust redshift.amazonaws.com"}},
	// The role may not read the objects.
	{regexp.MustCompile(`(?i)Access ?Denied|Status 403`), verdict{fail.Permission, false,
		"give the role s3:GetObject and s3:ListBucket on the staging bucket, and kms:Decrypt for its key"}},
	// COPY of Parquet reads from its own Region only.
	{regexp.MustCompile(`(?i)PermanentRedirect|Status 301`), verdict{fail.LoadRefused, false, "the staging bucket must be in the warehouse's Region"}},
	// Objects that the manifest names, or the manifest, are gone.
	{regexp.MustCompile(`(?i)File not found|NoSuchKey|NoSuchBucket|Status 404`), verdict{fail.LoadRefused, false, "was the staging prefix cleaned? convert again"}},
	// The manifest is not one.
	{regexp.MustCompile(`(?i)does not have 'meta' key|manifest`), verdict{fail.LoadRefused, false, ""}},
	// The files' columns against the stage's.
	{regexp.MustCompile(`(?i)Unmatched number of columns|incompatible Parquet schema|invalid type length|invalid version number`), verdict{fail.LoadRefused, false, ""}},
	// A value against its column.
	{regexp.MustCompile(`(?i)length of the data column|exceeds the max size|Cannot insert a NULL value`), verdict{fail.LoadRefused, false, ""}},
	{regexp.MustCompile(`(?i)data overflow|Resource limit exceeded|value too long|Invalid JSON|JSON parsing`), verdict{fail.LoadRefused, false, ""}},
	// A table behind a datashare has no SQLSTATE of its own.
	{regexp.MustCompile(`(?i)Relation .* does not exist|COPY into nonexistent table`), verdict{fail.TableMissing, false, ""}},
	// The table has a column that this load can't fill.
	{regexp.MustCompile(`(?i)NOT NULL column without DEFAULT`), verdict{fail.TableDiffers, false, "somebody changed the table meanwhile: run the same command again, it compares the table with the dataset and says what to alter"}},
	// Any other error of the Parquet reader is about the data.
	{regexp.MustCompile(`(?i)Spectrum Scan Error`), verdict{fail.LoadRefused, false, ""}},
}
