// Command backfill rebuilds a window of a Redshift table from archived Kafka
// events and proves the result. This package turns flags into options of a
// job, and the job's result into output and an exit code; nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones, for images without a file system

	_ "golang.org/x/crypto/x509roots/fallback" // certificates, likewise

	"backfill/internal/fail"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		stop(stopped{<-signals})
		<-signals // the second one leaves at once
		os.Exit(int(fail.ExitTerminated))
	}()
	p := &program{env: os.Getenv, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(int(p.main(ctx, os.Args[1:])))
}

// stopped is the cause of a context that a signal cancelled.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return fmt.Sprintf("stopped by signal: %s", s.signal) }

// exitOf maps an error to the process exit code; a signal gives 128 plus its number.
func exitOf(ctx context.Context, err error) fail.Exit {
	if err == nil {
		return fail.ExitDone
	}
	var s stopped
	if errors.As(context.Cause(ctx), &s) {
		if s.signal == os.Interrupt {
			return fail.ExitInterrupted
		}
		return fail.ExitTerminated
	}
	return fail.ExitOf(err)
}
