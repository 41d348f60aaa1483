package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"backfill/internal/sandbox/python"
)

const programTime = 2 * time.Minute

// interpreterOf gives the interpreter of a virtual environment with the packages of a requirements file, which is made on the
// first use and kept in the user's cache folder. Where it can't be made the test fails, unless skipping was asked for.
func interpreterOf(t *testing.T, requirements string) string {
	t.Helper()
	if os.Getenv(python.Without) != "" {
		t.Skip("Python clients are skipped, because " + python.Without + " is set")
	}
	interpreter, err := python.Environment(t.Context(), filepath.Join("testdata", requirements))
	if err != nil {
		t.Fatalf("%v\nThe Python clients can't be run; to do without them set %s=1", err, python.Without)
	}
	return interpreter
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
