package redshiftd

import (
	"time"
)

// cancelText is how the statement that another session cancels ends; the number is put in.
const cancelText = "Query (%d) cancelled on user's request"

// findSession gives a session of the same user by its pid.
func (s *session) findSession(pid int) (*session, error) {
	s.srv.mu.Lock()
	other := s.srv.sessions[pid]
	s.srv.mu.Unlock()
	switch {
	case other == nil || other.loggedIn() == "":
		return nil, nil
	case other.loggedIn() != s.user:
		return nil, errorf("42501", "must be superuser to signal other server processes")
	}
	return other, nil
}

// cancelBackend cancels what a session runs; reason, if not empty, becomes the message of its error.
func (s *session) cancelBackend(pid int, reason string) (bool, error) {
	other, err := s.findSession(pid)
	if err != nil || other == nil {
		s.noProcess(pid, err)
		return false, err
	}
	if reason == "" {
		reason = cancelText
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if other.running != nil {
		other.cancelReason = reason
		other.running()
	}
	return true, nil
}

// terminateBackend ends a session, and rolls back what it has open.
func (s *session) terminateBackend(pid int) (bool, error) {
	other, err := s.findSession(pid)
	if err != nil || other == nil {
		s.noProcess(pid, err)
		return false, err
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	other.terminated = true
	if other.running != nil {
		other.running()
	}
	return true, other.conn.SetReadDeadline(time.Unix(1, 0)) // wakes it where it waits for its client
}

func (s *session) noProcess(pid int, err error) {
	if err == nil {
		s.warn("01000", errorf("01000", "PID %d is not a PostgreSQL server process", pid).message)
	}
}

// errTerminated is the last word of a session that was terminated.
func errTerminated() *pgError {
	e := errorf("57P01", "terminating connection due to administrator command")
	e.fatal = true
	return e
}

// canceled turns the error of a canceled statement into what the one who canceled it wanted.
func (s *session) canceled(e *pgError) *pgError {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := s.cancelReason
	switch {
	case s.terminated:
		s.ending = true
		return errTerminated()
	case e.code != "57014" || reason == "":
		return e
	case reason == cancelText:
		return errorf("57014", cancelText, s.lastQuery)
	}
	return errorf("57014", "%s", reason)
}

// farewell tells a client that its session was terminated.
func (s *session) farewell() {
	s.mu.Lock()
	terminated := s.terminated
	s.mu.Unlock()
	if terminated {
		s.wire.Send(errTerminated().response())
		_ = s.flush() // the client may be gone
	}
}
