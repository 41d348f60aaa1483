package contender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Sandbox is the running stand-in of S3 and Redshift.
type Sandbox struct {
	Env    []string // for programs that use it
	binary string
	file   string // its environment, as a shell reads it
	stdin  io.Closer
	done   chan error
	log    bytes.Buffer
}

const sandboxStart = 60 * time.Second

// StartSandbox serves from an emptied folder until Close, and makes the schema
// bench.
func StartSandbox(ctx context.Context, binary, dir string) (*Sandbox, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	b := &Sandbox{binary: binary, file: filepath.Join(dir, "env"), done: make(chan error, 1)}
	cmd := exec.CommandContext(ctx, binary, "serve", "--dir", filepath.Join(dir, "data"), "--env-file", b.file, "--until-stdin-closes")
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	b.stdin = stdin
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	go func() { b.done <- cmd.Wait() }()
	if err := b.ready(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if b.Env, err = shellEnv(ctx, b.file); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := b.SQL(ctx, "CREATE SCHEMA bench"); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// ready waits for the environment file, which is written when all answers.
func (b *Sandbox) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sandboxStart)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(b.file); err == nil {
			return nil
		}
		select {
		case err := <-b.done:
			b.done <- err
			return fmt.Errorf("the sandbox ended: %w: %s", err, b.log.String())
		case <-ctx.Done():
			return fmt.Errorf("the sandbox did not start within %s", sandboxStart)
		case <-tick.C:
		}
	}
}

// shellEnv is this process's environment with what the file exports.
func shellEnv(ctx context.Context, file string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "sh", "-c", `. "$1" && env -0`, "sh", file).Output()
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's environment: %w", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00"), nil
}

// SQL runs statements in the warehouse.
func (b *Sandbox) SQL(ctx context.Context, statements ...string) error {
	_, err := say(ctx, b.binary, append([]string{"sql", "--env-file", b.file}, statements...)...)
	return err
}

// Close ends the sandbox and waits for it.
func (b *Sandbox) Close() error {
	if err := b.stdin.Close(); err != nil {
		return fmt.Errorf("ending the sandbox: %w", err)
	}
	if err := <-b.done; err != nil {
		return fmt.Errorf("the sandbox ended: %w: %s", err, b.log.String())
	}
	return nil
}
