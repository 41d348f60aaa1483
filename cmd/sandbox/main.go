// Command sandbox shows and tests the backfill without an AWS account. It serves an S3 API and a Redshift stand-in on
// loopback, runs SQL against the stand-in, and generates archives of Kafka events with planted faults and the truth
// about them. The worker runs against it unchanged: it only sees other addresses in its environment.
//
// This package maps flags and the environment onto the stand-ins below internal/sandbox and prints what they answer.
// It must not import anything of the product. People and test harnesses call it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal ends a command in good order; a second one finds the default again and ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, pid: os.Getpid()}
	code := run(ctx, p, os.Args[1:])
	stop()
	os.Exit(code)
}

// process is what a command may touch of the process it runs in.
type process struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	pid    int
}
