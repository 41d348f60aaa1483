// Package fail holds the one error type of the program: a stable code, what
// happened, where (object, offset, table), what to do next, and the cause.
//
// Every layer may wrap an error once; the outermost *Error decides the exit
// code. The package does no I/O and imports nothing of the project. All
// packages use it; only main turns it into a process exit.
package fail

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Exit is a process exit code, part of the contract with schedulers.
type Exit int

// The exit codes of the program. Airflow's operator retries only
// ExitEnvironment, ExitInterrupted and ExitTerminated.
const (
	ExitDone        Exit = 0
	ExitInternal    Exit = 1
	ExitUsage       Exit = 2
	ExitEnvironment Exit = 3
	ExitData        Exit = 4
	ExitBreak       Exit = 5
	ExitIncomplete  Exit = 6
	ExitNothing     Exit = 99
	ExitInterrupted Exit = 130
	ExitTerminated  Exit = 143
)

// Retryable reports whether the same command may succeed when run again
// without any change.
func (e Exit) Retryable() bool {
	return e == ExitEnvironment || e == ExitInterrupted || e == ExitTerminated
}

// Error is the one error type of the program.
type Error struct {
	Code  Code   // what kind, stable, see codes.go
	What  string // one clause: what happened
	Where string // object and position, table, file:line:column; may be empty
	Hint  string // what to do next, an imperative sentence; may be empty
	Err   error  // the cause; may be nil
}

// New returns an error of the given code; format and args say what happened.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, What: fmt.Sprintf(format, args...)}
}

// Wrap returns an error of the given code caused by err.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, What: fmt.Sprintf(format, args...), Err: err}
}

// At says where it happened and returns the same error.
func (e *Error) At(format string, args ...any) *Error {
	e.Where = fmt.Sprintf(format, args...)
	return e
}

// Try says what to do next and returns the same error.
func (e *Error) Try(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error gives one line: where, what and the cause, without the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where)
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Exit returns the exit code of the error's code.
func (e *Error) Exit() Exit { return e.Code.Exit() }

// CodeOf returns the code of the outermost *Error in err's chain, or Internal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether the outermost *Error in err's chain has the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// HintOf returns the outermost hint found in err's chain, or "".
func HintOf(err error) string {
	switch e := err.(type) {
	case *Error:
		if e.Hint != "" {
			return e.Hint
		}
		return HintOf(e.Err)
	case interface{ Unwrap() error }:
		return HintOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			if hint := HintOf(joined); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// ExitOf maps any error to an exit code: nil is ExitDone, a cancelled context
// ExitTerminated, an error without a code ExitInternal. What is unknown is
// not retryable.
func ExitOf(err error) Exit {
	if err == nil {
		return ExitDone
	}
	if errors.Is(err, context.Canceled) {
		return ExitTerminated
	}
	return CodeOf(err).Exit()
}
