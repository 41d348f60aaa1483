// Command image writes the worker's container image: one static binary on an
// empty root, and nothing else. It needs no container engine, and the same
// binary, labels and time give the same bytes everywhere; the last line that it
// prints is the digest that the image has in any registry.
//
//	image --binary bin/backfill --output bin/backfill-image.tar --name backfill:1.0.0
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// maxBytes bounds the image as registries store it. A pod starts when its node
// has pulled that much.
const maxBytes = 40 << 20

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var binary, output string
	var i image
	var created int64
	set := flag.NewFlagSet("image", flag.ContinueOnError)
	set.StringVar(&binary, "binary", "bin/backfill", "static binary of the worker")
	set.StringVar(&output, "output", "bin/backfill-image.tar", "archive to write, as an OCI layout that docker, podman, buildah and ctr load")
	set.StringVar(&i.name, "name", "backfill:dev", "name and tag of the image")
	set.StringVar(&i.version, "version", "dev", "version, for the label")
	set.StringVar(&i.revision, "revision", "", "commit, for the label")
	set.StringVar(&i.architecture, "architecture", "amd64", "processor that the binary is for")
	set.Int64Var(&created, "created", 0, "time of the image in seconds since 1970: the commit's, so that it can be built again")
	if err := set.Parse(args); err != nil {
		return err
	}
	i.created = time.Unix(created, 0).UTC()
	body, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	if err := checkStatic(body); err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	built, err := i.build(body)
	if err != nil {
		return err
	}
	if built.size > maxBytes {
		return fmt.Errorf("the image has %d bytes, at most %d are wanted", built.size, maxBytes)
	}
	if err := os.WriteFile(output, built.archive, 0o644); err != nil {
		return fmt.Errorf("writing the image: %w", err)
	}
	fmt.Printf("%s: %s, %.1f MiB compressed\n%s\n", output, i.name, float64(built.size)/(1<<20), built.digest)
	return nil
}
