package redshift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"backfill/internal/fail"
)

// scan is an error as the compute nodes raise it.
func scan(context string) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", Code: "XX000", Message: "Spectrum Scan Error", Detail: "\n  -----------------------------------------------\n" +
		"  error:  Spectrum Scan Error\n  code:      15007\n  context:   " + context + "\n  query:     26301369\n" +
		"  location:  dory_util.cpp:1450\n  process:   worker_thread [pid=10836]\n  -----------------------------------------------\n"}
}

func TestClassifyAnswers(t *testing.T) {
	pg := func(code, message, detail string) *pgconn.PgError {
		return &pgconn.PgError{Code: code, Message: message, Detail: detail}
	}
	const file = "https://s3.us-east-1.amazonaws.com/lake/backfill/part%3D1/1.parquet"
	tests := []struct {
		err  *pgconn.PgError
		code fail.Code
		want string
	}{
		{pg("28000", "password authentication failed for user \"loader\"", ""), fail.Credentials, `password authentication failed for user "loader" (SQLSTATE 28000)`},
		{pg("28P01", "password authentication failed", ""), fail.Credentials, "password authentication failed (SQLSTATE 28P01)"},
		{pg("42501", "permission denied for relation events", ""), fail.Permission, "permission denied for relation events (SQLSTATE 42501)"},
		{pg("3D000", `database "x" does not exist`, ""), fail.NotFoundInput, `database "x" does not exist (SQLSTATE 3D000)`},
		{pg("42P01", `relation "payroll.events" does not exist`, ""), fail.TableMissing, `relation "payroll.events" does not exist (SQLSTATE 42P01)`},
		{pg("XX000", "Relation events does not exist in the database.", ""), fail.TableMissing, "Relation events does not exist in the database. (SQLSTATE XX000)"},
		{pg("XX000", "Cannot COPY into nonexistent table stage", ""), fail.TableMissing, "Cannot COPY into nonexistent table stage (SQLSTATE XX000)"},
		{pg("42703", `column "x" does not exist`, ""), fail.TableDiffers, `column "x" does not exist (SQLSTATE 42703)`},
		{pg("42601", "NOT NULL column without DEFAULT must be included in column list", ""), fail.TableDiffers,
			"NOT NULL column without DEFAULT must be included in column list (SQLSTATE 42601)"},
		{pg("42601", `syntax error at or near "FORM"`, ""), fail.Internal, `syntax error at or near "FORM" (SQLSTATE 42601)`},
		{pg("0A000", "REGION argument is not supported for PARQUET based COPY", ""), fail.Internal,
			"REGION argument is not supported for PARQUET based COPY (SQLSTATE 0A000)"},
		{pg("25P02", "current transaction is aborted, commands ignored until end of transaction block", ""), fail.Internal,
			"current transaction is aborted, commands ignored until end of transaction block (SQLSTATE 25P02)"},
		{pg("XX000", "1023", "Serializable isolation violation on table - 105, transactions forming the cycle are: 7, 9 (pid:11)"), fail.Conflict,
			"1023: Serializable isolation violation on table - 105, transactions forming the cycle are: 7, 9 (pid:11) (SQLSTATE XX000)"},
		{pg("XX000", "1018", "Relation does not exist"), fail.Conflict, "1018: Relation does not exist (SQLSTATE XX000)"},
		{pg("40P01", "deadlock detected", ""), fail.Conflict, "deadlock detected (SQLSTATE 40P01)"},
		{pg("40001", "could not serialize access", ""), fail.Conflict, "could not serialize access (SQLSTATE 40001)"},
		{pg("57014", "Query (150) canceled on user's request", ""), fail.Service, "Query (150) canceled on user's request (SQLSTATE 57014)"},
		{pg("57014", "Query (168) cancelled on user's request", ""), fail.Service, "Query (168) cancelled on user's request (SQLSTATE 57014)"},
		{pg("57P01", "terminating connection due to administrator command", ""), fail.Network, "terminating connection due to administrator command (SQLSTATE 57P01)"},
		{pg("57P03", "the database system is starting up", ""), fail.Service, "the database system is starting up (SQLSTATE 57P03)"},
		{pg("08006", "connection failure", ""), fail.Network, "connection failure (SQLSTATE 08006)"},
		{pg("53300", "too many connections", ""), fail.Service, "too many connections (SQLSTATE 53300)"},
		{pg("53100", "could not extend file", ""), fail.Disk, "could not extend file (SQLSTATE 53100)"},
		{pg("XX000", "Disk Full", "error: Disk Full"), fail.Disk, "Disk Full (SQLSTATE XX000)"},
		{pg("XX000", "Cannot execute write query because system is in resize mode", ""), fail.Service,
			"Cannot execute write query because system is in resize mode (SQLSTATE XX000)"},
		{pg("22001", "value too long for type character varying(3)", ""), fail.LoadRefused, "value too long for type character varying(3) (SQLSTATE 22001)"},
		{pg("22P02", `invalid input syntax for integer: "DE89 3704 0044"`, `the value "DE89 3704 0044"`), fail.LoadRefused,
			"invalid input syntax for integer (value left out) (SQLSTATE 22P02)"},
		{pg("XX000", "Numeric data overflow (result precision)", ""), fail.LoadRefused, "Numeric data overflow (result precision) (SQLSTATE XX000)"},
		{scan("The length of the data column note is longer than the length defined in the table. Table: 256, Data: 320, File name: " + file), fail.LoadRefused,
			"column note holds 320 bytes in s3://lake/backfill/part=1/1.parquet, the table takes 256 (code 15007) (SQLSTATE XX000)"},
		{scan("Unmatched number of columns between table and file. Table columns: 20, Data columns: 16, File name: " + file + "  [ErrorId: 1-abc]"), fail.LoadRefused,
			"s3://lake/backfill/part=1/1.parquet has 16 columns, the table's list has 20 (code 15007) (SQLSTATE XX000)"},
		{scan("File '" + file + "' has an incompatible Parquet schema for column 's3://lake/1.parquet.l_orderkey'. Column type: VARCHAR, Parquet schema:\noptional int64 l_orderkey [i:0 d:1 r:0]"),
			fail.LoadRefused, `column l_orderkey of s3://lake/backfill/part=1/1.parquet is "optional int64 l_orderkey [i:0 d:1 r:0]", the table's is VARCHAR (code 15007) (SQLSTATE XX000)`},
		{scan("column 'gross_amount' has an invalid type length. Expecting: 8 len in file: 13"), fail.LoadRefused,
			"column gross_amount has values of 13 bytes, 8 are expected (code 15007) (SQLSTATE XX000)"},
		{pg("XX000", "Cannot insert a NULL value into column event_id", "\n error: Cannot insert a NULL value into column event_id\n code: 8007\n context:\n"), fail.LoadRefused,
			"Cannot insert a NULL value into column event_id (code 8007) (SQLSTATE XX000)"},
		{scan("File entry does not have 'meta' key."), fail.LoadRefused, "File entry does not have 'meta' key. (code 15007) (SQLSTATE XX000)"},
		{scan("File not found"), fail.LoadRefused, "File not found (code 15007) (SQLSTATE XX000)"},
		{scan("Access throttled by S3"), fail.Throttled, "Access throttled by S3 (code 15007) (SQLSTATE XX000)"},
		{scan("Retries exceeded"), fail.Service, "Retries exceeded (code 15007) (SQLSTATE XX000)"},
		{scan("something new"), fail.LoadRefused, "something new (code 15007) (SQLSTATE XX000)"},
		{pg("XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied", ""), fail.Permission,
			"S3ServiceException:Access Denied,Status 403,Error AccessDenied (SQLSTATE XX000)"},
		{pg("XX000", "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid 1", ""), fail.LoadRefused,
			"Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid 1 (SQLSTATE XX000)"},
		{pg("XX000", "Problem reading manifest file - S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown", ""), fail.Throttled,
			"Problem reading manifest file - S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown (SQLSTATE XX000)"},
		{pg("XX000", "S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint.,Status 301,Error PermanentRedirect", ""),
			fail.LoadRefused, "S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint.,Status 301,Error PermanentRedirect (SQLSTATE XX000)"},
		{pg("XX000", "User arn:aws:redshift:eu-west-1:1:dbuser:c/u is not authorized to assume IAM Role arn:aws:iam::1:role/x", ""), fail.Permission,
			"User arn:aws:redshift:eu-west-1:1:dbuser:c/u is not authorized to assume IAM Role arn:aws:iam::1:role/x (SQLSTATE XX000)"},
		{pg("XX000", "Invalid digit, Value 'DE89', Pos 3, Type: Decimal", "\n error: Invalid digit, Value 'DE89', Pos 3, Type: Decimal\n code: 1207\n context: Invalid digit, Value 'DE89', Pos 3, Type: Decimal\n"),
			fail.LoadRefused, "Invalid digit (value left out) (code 1207) (SQLSTATE XX000)"},
		{pg("XX000", "Unreachable - Invalid type: 4000", "\n error: Assert\n code: 1000\n context: Unreachable - Invalid type: 4000\n"), fail.Internal,
			"Unreachable - Invalid type: 4000 (code 1000) (SQLSTATE XX000)"},
		{pg("XX000", "Assert", "error: Assert"), fail.Internal, "Assert (SQLSTATE XX000)"},
	}
	for _, test := range tests {
		got, _ := classify(fmt.Errorf("wrapped: %w", test.err))
		if got.Code != test.code || got.Error() != test.want {
			t.Errorf("%s %q:\ngot  %s %q\nwant %s %q", test.err.Code, test.err.Message, got.Code, got.Error(), test.code, test.want)
		}
	}
}

func TestClassifyConnections(t *testing.T) {
	tests := []struct {
		err  error
		code fail.Code
		want string
	}{
		{context.Canceled, fail.Network, "the statement was stopped: context canceled"},
		{context.DeadlineExceeded, fail.Network, "the warehouse did not answer in time: context deadline exceeded"},
		{io.ErrUnexpectedEOF, fail.Network, "the connection to the warehouse was lost: unexpected EOF"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, fail.Network,
			"the connection to the warehouse was lost: read tcp: read: connection reset by peer"},
		{net.ErrClosed, fail.Network, "the connection to the warehouse was lost: use of closed network connection"},
		{errors.New("cannot do that"), fail.Internal, "talking to the warehouse: cannot do that"},
		{fail.New(fail.Usage, "own"), fail.Usage, "own"},
	}
	for _, test := range tests {
		if got, _ := classify(test.err); got.Code != test.code || got.Error() != test.want {
			t.Errorf("%v: got %s %q, want %s %q", test.err, got.Code, got, test.code, test.want)
		}
	}
	if stopped, again := classify(context.Canceled); again || fail.ExitOf(stopped) != fail.ExitTerminated {
		t.Error("a stopped program does not end as stopped")
	}
}

func TestLongDetailIsCut(t *testing.T) {
	got, _ := classify(scan(strings.Repeat("ä", 10_000)))
	if len(got.What) > maxSentence+100 || strings.ContainsRune(got.What, '\uFFFD') {
		t.Errorf("%d bytes: %s", len(got.What), got.What)
	}
}

func FuzzSentence(f *testing.F) {
	f.Add("Spectrum Scan Error", scan("File not found").Detail)
	f.Add("1023", "context: x\ncode: y")
	f.Fuzz(func(t *testing.T, message, detail string) {
		f, _ := classify(&pgconn.PgError{Code: "XX000", Message: message, Detail: detail})
		got := f.Error()
		if strings.ContainsAny(got, "\n\r") || len(got) > maxSentence+200 {
			t.Errorf("%q", got)
		}
	})
}

// Only what was not begun, or what the server undid, may be tried again by itself.
func TestClassifyAgain(t *testing.T) {
	for _, test := range []struct {
		code, message string
		again         bool
	}{
		{"57P03", "starting up", true}, {"53300", "too many connections", true}, {"57P01", "terminating", true}, {"08006", "failure", true},
		{"40001", "serialization", true}, {"40P01", "deadlock detected", true}, {"55P03", "lock not available", true}, {"XX000", "1023", true}, {"XX000", "1018", true},
		{"XX000", "Access throttled by S3", true}, {"XX000", "Retries exceeded", true}, {"XX000", "S3ServiceException:x,Status 503,Error SlowDown", true},
		{"XX000", "Cannot execute write query because system is in resize mode", true}, {"XX000", "S3ServiceException:x,Status 400,Error ExpiredToken", true},
		{"57014", "Query (1) cancelled on user's request", false}, {"53100", "no space", false}, {"XX000", "Disk Full", false}, {"53200", "out of memory", false},
		{"28000", "no", false}, {"42501", "no", false}, {"42P01", "no", false}, {"3D000", "no", false}, {"22001", "too long", false}, {"42601", "syntax error", false},
		{"25P02", "aborted", false}, {"XX000", "Spectrum Scan Error", false}, {"XX000", "Assert", false}, {"XX000", "Invalid operation", false}, {"0A000", "no", false},
	} {
		if _, again := classify(&pgconn.PgError{Code: test.code, Message: test.message}); again != test.again {
			t.Errorf("%s %q: again %t", test.code, test.message, again)
		}
	}
	// An established connection that broke: the statement may have been done.
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded, context.Canceled, errors.New("new")} {
		if _, again := classify(err); again {
			t.Errorf("%v is tried again", err)
		}
	}
}
