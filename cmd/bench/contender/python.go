package contender

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// pythonPeers returns the peers written in Python, in an environment of their
// own with pinned versions. Without it they are missing, with the reason.
func pythonPeers(ctx context.Context, f Folders, wanted bool) []*Contender {
	missing, python := "not asked for", ""
	if wanted {
		home, err := environment(ctx, f)
		if missing = ""; err != nil {
			missing = "no Python environment: " + lastLine(err.Error())
		}
		python = filepath.Join(home, "bin", "python")
	}
	versions := map[string]string{}
	if missing == "" {
		list, err := say(ctx, python, "-c", `import platform, importlib.metadata as m
print("python", platform.python_version())
for d in m.distributions(): print(d.name, d.version)`)
		if err != nil {
			missing = lastLine(err.Error())
		}
		for line := range strings.Lines(list) {
			name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
			versions[name] = version
		}
	}
	peer := func(name, title, script string, packages []string, args ...string) *Contender {
		version := "Python " + versions["python"]
		for _, p := range packages {
			version += ", " + p + " " + versions[p]
		}
		return &Contender{
			Name: name, Title: title, Version: version, Missing: missing, Files: "*.parquet",
			Command: func(s *data.Spec, out string) measure.Command {
				args := append([]string{filepath.Join(f.Source, "peer", "python", script), "--spec", s.Dir, "--out", out}, args...)
				return measure.Command{Path: python, Args: args, Env: os.Environ()}
			},
		}
	}
	polars := peer("polars", "polars", "frames.py", []string{"polars"})
	polars.Skip = func(s *data.Spec) string {
		if s.Broken {
			return "it stops at a line that is no JSON"
		}
		return ""
	}
	return []*Contender{
		peer("python", "Python: json + pyarrow", "events.py", []string{"pyarrow"}, "--json", "json"),
		peer("python-orjson", "Python: orjson + pyarrow", "events.py", []string{"orjson", "pyarrow"}, "--json", "orjson"),
		polars,
	}
}

// environment makes the virtual environment at its first use and whenever the
// pinned versions change.
func environment(ctx context.Context, f Folders) (string, error) {
	pins := filepath.Join(f.Source, "peer", "python", "requirements.txt")
	want, err := os.ReadFile(pins)
	if err != nil {
		return "", fmt.Errorf("reading the pinned versions: %w", err)
	}
	home := filepath.Join(f.Cache, "python")
	done := filepath.Join(home, "requirements.done")
	if have, err := os.ReadFile(done); err == nil && string(have) == string(want) {
		return home, nil
	}
	if _, err := say(ctx, "python3", "-m", "venv", "--clear", home); err != nil {
		return "", err
	}
	if _, err := say(ctx, filepath.Join(home, "bin", "pip"), "install", "--quiet", "--only-binary", ":all:", "--requirement", pins); err != nil {
		return "", err
	}
	return home, os.WriteFile(done, want, 0o644)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
