package redshiftd

import (
	"context"
	"fmt"
	"time"
)

// Phase says when a Hook is called.
type Phase int

const (
	Before Phase = iota // not executed yet
	During              // in the middle of a COPY
	After               // executed, the answer not yet sent
)

// Op is one statement as a Hook sees it.
type Op struct {
	Number  int64 // counts statements over the server's life, from 1
	Session int
	Phase   Phase
	Kind    string // the command tag without counts: "COPY", "COMMIT", "INSERT", "CREATE TABLE", …
	SQL     string
	// Done is closed when the statement is cancelled or timed out and when the server stops: a hook that waits must
	// give up then.
	Done <-chan struct{}
}

// Action is what a Hook wants to happen. The named errors stand for what a client meets on a real cluster: Before,
// nothing was executed; During and After, the statement is rolled back, except that a COMMIT whose After fails has
// committed.
type Action int

const (
	// Continue goes on.
	Continue Action = iota
	// Fail answers XX000 "injected fault".
	Fail
	// Cut closes the connection without an answer. A transaction block rolls back, except After its COMMIT. A statement
	// outside a block that has begun (During, After) commits unseen.
	Cut
	// Conflict is a serialization failure: XX000 "1023" with its Detail.
	Conflict
	// Deadlock is 40P01.
	Deadlock
	// RetriesExceeded is the compute nodes' "Retries exceeded" after reads of S3 that kept failing.
	RetriesExceeded
	// Throttled is "Access throttled by S3" from the compute nodes.
	Throttled
	// DiskFull is XX000 "Disk Full".
	DiskFull
	// Shutdown is FATAL 57P01, and the end of the connection.
	Shutdown
	// Canceled is 57014, as an administrator's cancel or a queue's rule makes it.
	Canceled
	// Resize is XX000 "Cannot execute write query because system is in resize mode".
	Resize
	// ExpiredToken is what COPY answers when its credentials for S3 have expired.
	ExpiredToken
	// LoadTwice makes a COPY load every file twice. It counts Before only.
	LoadTwice
	// BadValue is a refusal that repeats a value of the row, RefusedValue, as errors about data do.
	BadValue
)

// RefusedValue is the value that BadValue's message repeats; no one may find it in a log.
const RefusedValue = "078-05-1120"

// lag is the first of the actions that LagViews makes.
const lag Action = 1 << 32

// LagViews makes the rows of a COPY show in sys_load_* only after d, in steps of a millisecond and at most a day. It
// counts Before only.
func LagViews(d time.Duration) Action {
	return lag + Action(min(max(d, 0), 24*time.Hour)/time.Millisecond)
}

// viewLag is how late the load views are told of a COPY that was begun with a.
func (a Action) viewLag() time.Duration {
	if a < lag {
		return 0
	}
	return time.Duration(a-lag) * time.Millisecond
}

// injected is the error that an action stands for, nil if it stands for none.
func (s *session) injected(a Action) *pgError {
	query := s.lastQuery
	scan := func(message, context string) *pgError {
		return errEnvelope(message, 15001, context, "dory_util.cpp:1450", query)
	}
	switch a {
	case Fail:
		return errInjected
	case Conflict:
		return errConflict(100_000, s.pid, s.tx.id, s.tx.id+1)
	case Deadlock:
		return errDeadlock
	case RetriesExceeded:
		return scan("Spectrum Scan Error", "Retries exceeded")
	case Throttled:
		return scan("Spectrum Scan Error", "Access throttled by S3. Error: SlowDown: Please reduce your request rate.")
	case DiskFull:
		return errorf("XX000", "Disk Full")
	case BadValue:
		text := "Invalid digit, Value '" + RefusedValue + "', Pos 3, Type: Decimal"
		return errEnvelope(text, 1207, text, "dory_util.cpp:1450", query)
	case Shutdown:
		s.ending = true
		e := errorf("57P01", "terminating connection due to administrator command")
		e.fatal = true
		return e
	case Canceled:
		return errorf("57014", "Query (%d) cancelled on user's request", query)
	case Resize:
		return errorf("XX000", "Cannot execute write query because system is in resize mode")
	case ExpiredToken:
		text := "S3ServiceException:The provided token has expired.,Status 400,Error ExpiredToken,Rid 0000000000000000,CanRetry 0"
		return errEnvelope(text, 8001, "", "xen_aws_credentials_mgr.cpp:411", query)
	}
	return nil
}

// loadTwice lists every file of the COPY a second time, if its hook asked for that.
func (l *loader) loadTwice() {
	if l.r.fault == LoadTwice {
		l.files = append(l.files, l.files...)
	}
}

// publish writes rows of the load views, later if the COPY's hook asked for that. When the server closes, rows that
// are due later are written at once.
func (l *loader) publish(stmts ...string) error {
	srv, wait := l.s.srv, l.r.fault.viewLag()
	if wait == 0 {
		return srv.engine.write(stmts...)
	}
	srv.wg.Add(1) // the session, which counts itself, is still there
	go func() {
		defer srv.wg.Done()
		ctx, cancel := context.WithTimeout(srv.ctx, wait)
		defer cancel()
		<-ctx.Done()
		_ = srv.engine.write(stmts...) // nobody is left to tell; the views are for diagnosis
	}()
	return nil
}

func (p Phase) String() string {
	switch p {
	case Before:
		return "before"
	case During:
		return "during"
	case After:
		return "after"
	}
	return fmt.Sprintf("Phase(%d)", int(p))
}
