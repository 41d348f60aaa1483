// Command backfill rebuilds a window of a Redshift table from archived Kafka
// events and proves the result. This package turns flags into options of a
// job, and the job's result into output and an exit code; nothing else.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones, for images without a file system

	_ "golang.org/x/crypto/x509roots/fallback" // certificates, likewise
)

// version is set by the linker.
var version = "dev"

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	p := &program{env: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, signals: signals, exit: os.Exit, started: now()}
	os.Exit(int(p.main(context.Background(), os.Args[1:])))
}
