// Package contender knows how each program of the benchmark is built, asked
// for its version and run on an archive: the product, and its peers. All are
// separate processes; nothing of them is linked in.
package contender

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// Contender is one program with its settings.
type Contender struct {
	Name    string // as given to --peers
	Title   string // for the table
	Version string
	Missing string // why it can't be had here; empty: it is there

	// Skip says why it does not take the workload; empty: it does.
	Skip func(*data.Spec) string
	// Prepare makes the empty folder out ready; it is not measured.
	Prepare func(ctx context.Context, s *data.Spec, out string) error
	// Command is what is measured.
	Command func(s *data.Spec, out string) measure.Command
	// Files is the glob of the Parquet files below out.
	Files string
}

// Run runs it once into an emptied folder.
func (c *Contender) Run(ctx context.Context, s *data.Spec, out string) (measure.Usage, error) {
	return c.RunWith(ctx, s, out, func(*measure.Command) {})
}

// RunWith runs it once with a changed command.
func (c *Contender) RunWith(ctx context.Context, s *data.Spec, out string, change func(*measure.Command)) (measure.Usage, error) {
	if err := os.RemoveAll(out); err != nil {
		return measure.Usage{}, fmt.Errorf("emptying %s: %w", out, err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return measure.Usage{}, fmt.Errorf("making %s: %w", out, err)
	}
	if c.Prepare != nil {
		if err := c.Prepare(ctx, s, out); err != nil {
			return measure.Usage{}, fmt.Errorf("preparing %s: %w", c.Name, err)
		}
	}
	command := c.Command(s, out)
	change(&command)
	usage, _, err := measure.Run(ctx, command)
	if err == nil {
		err = usage.CheckPeak()
	}
	return usage, err
}

// Folders are where the benchmark keeps things.
type Folders struct {
	Cache  string // archives, programs, the Python environment: kept
	Work   string // outputs: emptied
	Source string // of this program: cmd/bench
}

func (f Folders) program(name string) string { return filepath.Join(f.Cache, "bin", name) }

// Peers returns all peers, built; those in Python only if they are wanted. One
// that can't be had says so in Missing.
func Peers(ctx context.Context, f Folders, python bool) ([]*Contender, error) {
	for _, name := range []string{"duckdb", "plain"} {
		if err := build(ctx, f, name, "peer/"+name); err != nil {
			return nil, err
		}
	}
	version, err := say(ctx, f.program("duckdb"), "version")
	if err != nil {
		return nil, err
	}
	duck := func(name, title string, args ...string) *Contender {
		return &Contender{
			Name: name, Title: title, Version: "DuckDB " + version, Files: "*.parquet",
			Command: func(s *data.Spec, out string) measure.Command {
				return measure.Command{Path: f.program("duckdb"), Args: append([]string{"copy", "-spec", s.Dir, "-out", out}, args...), Env: os.Environ()}
			},
		}
	}
	plain := &Contender{
		Name: "plain", Title: "plain Go", Version: "encoding/json of " + goVersion(ctx) + ", parquet-go GenericWriter, zstd default", Files: "*.parquet",
		Skip: func(s *data.Spec) string {
			if s.Shape == data.Wide {
				return "nobody wrote a struct of 120 fields for it"
			}
			return ""
		},
		Command: func(s *data.Spec, out string) measure.Command {
			return measure.Command{Path: f.program("plain"), Args: []string{"-spec", s.Dir, "-out", out}, Env: os.Environ()}
		},
	}
	peers := []*Contender{
		duck("duckdb", "DuckDB, one COPY"),
		duck("duckdb-300mb", "DuckDB, one COPY, 300 MB", "-memory", "300MB"),
		duck("duckdb-each", "DuckDB, a COPY per object", "-each"),
		plain,
	}
	return append(peers, pythonPeers(ctx, f, python)...), nil
}

// build builds the program of a folder; Go's cache makes it quick the second time.
func build(ctx context.Context, f Folders, name, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", f.program(name), "./"+folder)
	cmd.Dir = f.Source
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return nil
}

// say returns what a program prints.
func say(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, text)
	}
	return text, nil
}

func goVersion(ctx context.Context) string {
	version, err := say(ctx, "go", "env", "GOVERSION")
	if err != nil {
		return "an unknown Go"
	}
	return version
}

// Check returns what the files of a contender hold, as the checking reader
// prints it.
func Check(ctx context.Context, f Folders, s *data.Spec, files string) (string, error) {
	return say(ctx, f.program("duckdb"), "check", "-spec", s.Dir, "-files", files)
}
