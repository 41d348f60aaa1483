// Package python makes the Python environments that tests run other people's programs in. It knows nothing of the
// stand-ins; tests of the sandbox call it.
package python

import (
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
	"time"
)

const installTime = 5 * time.Minute

// Without is the environment variable by which those who can't reach PyPI skip what needs it.
const Without = "SANDBOX_WITHOUT_PYTHON"

// Environment gives the interpreter of a virtual environment with the packages of a requirements file. It is made on the
// first use and kept in the user's cache folder, under the file's digest; other processes wait meanwhile. An error says
// which step failed and what pip told.
func Environment(ctx context.Context, requirements string) (string, error) {
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
