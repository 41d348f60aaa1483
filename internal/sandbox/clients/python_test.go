package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	withoutPython = "SANDBOX_WITHOUT_PYTHON" // set: skip what needs packages from PyPI
	installTime   = 5 * time.Minute
	programTime   = 2 * time.Minute
)

// python gives the interpreter of a virtual environment with the packages of a requirements file, which is made on the
// first use and kept in the user's cache folder. Where it can't be made the test fails, unless skipping was asked for.
func python(t *testing.T, requirements string) string {
	t.Helper()
	if os.Getenv(withoutPython) != "" {
		t.Skip("Python clients are skipped, because " + withoutPython + " is set")
	}
	interpreter, err := environment(t.Context(), filepath.Join("testdata", requirements))
	if err != nil {
		t.Fatalf("%v\nThe Python clients can't be run; to do without them set %s=1", err, withoutPython)
	}
	return interpreter
}

func environment(ctx context.Context, requirements string) (string, error) {
	list, err := os.ReadFile(requirements)
	if err != nil {
		return "", fmt.Errorf("reading the requirements: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(list)
	home := filepath.Join(cache, "backfill-clients", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	release, err := alone(filepath.Join(home, "lock"))
	if err != nil {
		return "", err
	}
	defer release()
	venv := filepath.Join(home, "venv")
	interpreter, done := filepath.Join(venv, "bin", "python"), filepath.Join(home, "complete")
	if _, err := os.Stat(done); err == nil {
		return interpreter, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", venv},
		{interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "-r", requirements},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("running %q: %w\n%s", command, err, out)
		}
	}
	return interpreter, os.WriteFile(done, nil, 0o644)
}

// alone waits until no other process holds the lock.
func alone(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for the lock: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing an unwritten file loses nothing, and gives the lock back
}

// run runs a program with no environment but the given one and gives what it printed.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programTime)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1"}, env...)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, args, err, out, stderr.Bytes())
	}
	return string(out)
}
