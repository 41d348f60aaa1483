package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// pseudoTerminal opens a terminal of so many columns: the program's end and ours.
func pseudoTerminal(t *testing.T, columns uint16) (program, ours *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return program, ours
}

// sitting is the worker at a terminal, stdout included, and what shows there.
type sitting struct {
	cmd  *exec.Cmd
	keys *os.File
	seen watched
	done chan error
}

func sitDown(t *testing.T, h *harness, columns uint16, env []string, args ...string) *sitting {
	t.Helper()
	program, ours := pseudoTerminal(t, columns)
	s := &sitting{cmd: exec.Command(h.binary, args...), keys: ours, done: make(chan error, 1)}
	s.cmd.Env = h.env(append([]string{"TERM=xterm", "LANG=C.UTF-8"}, env...)...)
	s.cmd.Dir, s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = t.TempDir(), program, program, program
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // keys reach it as signals
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // a test that failed leaves nothing behind
	_ = program.Close()
	go func() {
		_, err := io.Copy(&s.seen, ours)
		s.done <- err
	}()
	return s
}

// end waits for the worker and returns all that it wrote.
func (s *sitting) end(t *testing.T, exit int) string {
	t.Helper()
	if err := <-s.done; err != nil && !errors.Is(err, syscall.EIO) { // EIO: the other end is closed
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // the exit code is looked at
	text := s.seen.String()
	if got := s.cmd.ProcessState.ExitCode(); got != exit {
		t.Fatalf("exit code %d, want %d\n%s", got, exit, text)
	}
	return text
}

// holds lets an operation of the stand-ins wait until a text shows.
func (s *sitting) holds(text string, done <-chan struct{}) {
	select {
	case <-s.seen.when(text):
	case <-done:
	}
}

const erase = "\x1b[J"

// kept is what stays on the screen: everything but frames, each of which is
// taken away by going up and erasing.
func kept(screen string) string {
	frame := regexp.MustCompile(`(?s)((converting|loading|planning|reconciling|run|✓)[^\x1b]*)?\r(\x1b\[\d+A)?\x1b\[J`)
	return frame.ReplaceAllString(screen, "")
}

// TestOnATerminal: the work is drawn below the log while it goes on, and nothing
// of it stays.
func TestOnATerminal(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	var s *sitting
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Kind == "PutObject" && strings.HasSuffix(op.Key, "/receipt.json") {
			<-started
			s.holds("chunks · ", op.Done)
		}
		return s3d.Continue
	}, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "COPY" && op.Phase == redshiftd.During {
			<-started
			s.holds("of 3 slices\r\ncopying ", op.Done)
		}
		return redshiftd.Continue
	})
	s = sitDown(t, h, 80, nil, append([]string{"run"}, a.window(flags...)...)...)
	close(started)
	screen := s.end(t, 0)
	for _, want := range []string{`\nconverting  █*░+ +\d+ %`, `\nloading  ░+ +0 %`} {
		if !regexp.MustCompile(want).MatchString(screen) {
			t.Errorf("%q was not drawn:\n%q", want, screen)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(kept(screen)), "\r\n") {
		if strings.ContainsAny(line, "░█✓\x1b") || strings.HasPrefix(line, "INFO converting ") {
			t.Errorf("of the view there stays %q", line)
		}
	}
	if !strings.Contains(kept(screen), "\r\nRECONCILED") {
		t.Errorf("no result:\n%s", kept(screen))
	}
}

// TestCtrlC: the key stops the worker in order; the view goes, and the last line
// is the command that goes on, which does.
func TestCtrlC(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	var s *sitting
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Kind == "PutObject" && strings.HasSuffix(op.Key, "/receipt.json") {
			<-started
			once.Do(func() {
				s.holds("converting  ", op.Done)
				_, _ = s.keys.Write([]byte{3}) // ETX: Ctrl-C
				s.holds("nothing new is begun", op.Done)
			})
		}
		return s3d.Continue
	}, nil)
	args := append([]string{"run"}, a.window(flags...)...)
	s = sitDown(t, h, 80, nil, append(args, "--replan")...) // which the plan has answered by then
	close(started)
	screen := s.end(t, 130)
	h.unwatch()
	lines := strings.Split(strings.TrimSpace(screen[strings.LastIndex(screen, erase)+len(erase):]), "\r\n")
	want := "ERROR go on with: backfill " + strings.Join(args, " ")
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("the last line is %q\nwant %q", got, want)
	}
	h.run(t, 0, strings.Fields(strings.TrimPrefix(want, "ERROR go on with: backfill "))...)
}

// TestNobodyAtATerminal: elsewhere, and where it is not wanted, nothing is drawn.
func TestNobodyAtATerminal(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	for _, c := range []struct{ env, args []string }{
		{nil, []string{"--progress", "lines"}},
		{[]string{"TERM=dumb"}, nil},
		{nil, []string{"--log-format", "json"}},
	} {
		screen := sitDown(t, h, 80, c.env, append(append([]string{"plan"}, a.window(flags...)...), c.args...)...).end(t, 0)
		if strings.Contains(screen, "\x1b") {
			t.Errorf("%v %v: drawn:\n%q", c.env, c.args, screen)
		}
	}
	if o := h.run(t, 0, append([]string{"plan", "--progress", "view"}, a.window(flags...)...)...); strings.Contains(o.stderr+o.stdout, "\x1b") {
		t.Errorf("drawn into a pipe:\n%q", o.stderr)
	}
	if o := h.run(t, 2, append([]string{"plan", "--progress", "bars"}, a.window(flags...)...)...); !strings.Contains(o.stderr, `--progress "bars" is none of auto, view, lines`) {
		t.Error(o.stderr)
	}
}
