// Package measure runs whole processes and says what they took: CPU of user
// and system, wall time and peak memory, as the kernel counted them (wait4).
// It compares two of them in turn, pair by pair, so that what else the machine
// does meets both alike.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process took, with all its children that it waited for.
type Usage struct {
	CPU  time.Duration // user and system
	Wall time.Duration
	Peak int64 // bytes resident at most
}

// Command is a process to measure.
type Command struct {
	Path  string
	Args  []string
	Env   []string // the whole environment
	Dir   string
	Cores int // the process may use; 0: all
}

// Failure is a process that ended with another code than 0.
type Failure struct {
	Command Command
	Code    int // -1: a signal
	Output  string
}

// Error names the command and the end of what it said.
func (f *Failure) Error() string {
	text := strings.TrimSpace(f.Output)
	if len(text) > 2000 {
		text = "…" + text[len(text)-2000:]
	}
	return fmt.Sprintf("%s %s ended with code %d: %s", f.Command.Path, strings.Join(f.Command.Args, " "), f.Code, text)
}

// peakPrefix begins the line by which a process of several processes tells the
// sum of their peaks: the kernel counts only the largest.
const peakPrefix = "peak_bytes="

// Run runs the process to its end. Any exit code but 0 is a *Failure.
func Run(ctx context.Context, c Command) (u Usage, output string, err error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, c.Dir, &out, &out
	started := time.Now()
	if err := start(cmd, c.Cores); err != nil {
		return u, "", fmt.Errorf("starting %s: %w", c.Path, err)
	}
	err = cmd.Wait()
	u.Wall = time.Since(started)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return u, out.String(), fmt.Errorf("running %s: %w", c.Path, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return u, out.String(), &Failure{Command: c, Code: code, Output: out.String()}
	}
	u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return u, out.String(), fmt.Errorf("running %s: this system does not say what a process took", c.Path)
	}
	u.Peak = usage.Maxrss << 10
	if told, ok := toldPeak(out.String()); ok {
		u.Peak = told
	}
	return u, out.String(), nil
}

// start starts the process on so many cores: it inherits those of the thread
// that makes it.
func start(cmd *exec.Cmd, cores int) (err error) {
	if cores == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("asking for the cores: %w", err)
	}
	for i := 0; some.Count() < cores; i++ {
		if i > 1024 {
			return fmt.Errorf("the machine has %d cores, not %d", all.Count(), cores)
		}
		if all.IsSet(i) {
			some.Set(i)
		}
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return fmt.Errorf("choosing %d cores: %w", cores, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &all)) }()
	return cmd.Start()
}

func toldPeak(output string) (int64, bool) {
	at := strings.LastIndex(output, peakPrefix)
	if at < 0 {
		return 0, false
	}
	text, _, _ := strings.Cut(output[at+len(peakPrefix):], "\n")
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil && n > 0
}

// CheckPeak fails if the peak may be this process's own: until a child runs its
// program it counts as large as its parent.
func (u Usage) CheckPeak() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("asking for the benchmark's own memory: %w", err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return fmt.Errorf("asking for the benchmark's own memory: %w", err)
	}
	if own := kib << 10; u.Peak <= own {
		return fmt.Errorf("a peak of %d bytes can't be measured from a process that held %d itself", u.Peak, own)
	}
	return nil
}

// Warm reads files once, so that no contender pays for the disk.
func Warm(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("reading ahead: %w", err)
		}
		_, err = io.Copy(io.Discard, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("reading %s ahead: %w", path, err)
		}
	}
	return nil
}
