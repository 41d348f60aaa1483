package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Names in the environment file that this program reads back; the rest is for the worker and for psql.
const (
	envEndpoint   = "AWS_ENDPOINT_URL_S3"
	envAccessKey  = "AWS_ACCESS_KEY_ID"
	envSecretKey  = "AWS_SECRET_ACCESS_KEY"
	envRegion     = "AWS_REGION"
	envPGHost     = "PGHOST"
	envPGPort     = "PGPORT"
	envPGUser     = "PGUSER"
	envPGDatabase = "PGDATABASE"
	envPGPassword = "PGPASSWORD"
	envPGSSLMode  = "PGSSLMODE"
	envPGSSLRoot  = "PGSSLROOTCERT"
	envDir        = "SANDBOX_DIR"
	envPID        = "SANDBOX_PID"
)

// variable is one line of an environment file.
type variable struct{ name, value string }

// envHeader is the first line of an environment file; it tells one from a file that is none of ours.
const envHeader = "# Written by sandbox serve, and removed when it stops; read it into a shell with:  . FILE\n"

// renderEnv writes variables as a POSIX shell reads them.
func renderEnv(variables []variable) []byte {
	var b strings.Builder
	b.WriteString(envHeader)
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, shellQuote(v.value))
	}
	return []byte(b.String())
}

const shellSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+%"

func shellQuote(s string) string {
	if s != "" && strings.Trim(s, shellSafe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// parseEnv reads what renderEnv wrote.
func parseEnv(text string) (map[string]string, error) {
	values := make(map[string]string)
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, quoted, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		value, valid := shellUnquote(quoted)
		if !ok || name == "" || !valid {
			return nil, fmt.Errorf("line %d is not of the form export NAME=value", n)
		}
		values[name] = value
	}
	return values, lines.Err()
}

func shellUnquote(s string) (string, bool) {
	if !strings.ContainsAny(s, `'"\ $`) {
		return s, true
	}
	inner, ok := strings.CutPrefix(s, "'")
	inner, closed := strings.CutSuffix(inner, "'")
	if !ok || !closed {
		return "", false
	}
	value := strings.ReplaceAll(inner, `'\''`, "\x00")
	return strings.ReplaceAll(value, "\x00", "'"), !strings.Contains(value, "'")
}

// environment is where a running sandbox is found: an environment file if one is named, else the process's own.
type environment struct {
	get    func(string) string
	source string // for messages
}

func openEnvironment(file string, getenv func(string) string) (environment, error) {
	if file == "" {
		return environment{get: getenv, source: "the environment"}, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return environment{}, fmt.Errorf("there is no environment file %s: no sandbox serves with it now (start: sandbox serve --dir DIR --env-file %s)", file, file)
	}
	if err != nil {
		return environment{}, fmt.Errorf("reading the environment file: %w", err)
	}
	values, err := parseEnv(string(text))
	if err != nil {
		return environment{}, fmt.Errorf("reading the environment file %s: %w", file, err)
	}
	return environment{get: func(name string) string { return values[name] }, source: file}, nil
}

// require returns the values of names, or an error that lists the missing ones.
func (e environment) require(names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	var missing []string
	for _, name := range names {
		if values[name] = e.get(name); values[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, usagef("%s does not say where the sandbox is (%s missing); source the file that sandbox serve wrote, or name it with --env-file",
			e.source, strings.Join(missing, ", "))
	}
	return values, nil
}
