package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test's own program be the measured process.
func TestMain(m *testing.M) {
	switch os.Getenv("MEASURED") {
	case "":
		os.Exit(m.Run())
	case "large":
		b := make([]byte, 200<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		for began := time.Now(); time.Since(began) < 200*time.Millisecond; {
		}
		fmt.Println("done")
	case "cores":
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			fmt.Println(err)
		}
		_ = make([]byte, 64<<20)
		fmt.Println("cores", set.Count())
		fmt.Println("peak_bytes=987654321000")
	case "fails":
		fmt.Println("what went wrong")
		os.Exit(3)
	}
}

func command(t *testing.T, kind string) Command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Path: self, Env: append(os.Environ(), "MEASURED="+kind)}
}

func TestRunCountsWhatTheProcessTook(t *testing.T) {
	u, out, err := Run(context.Background(), command(t, "large"))
	if err != nil {
		t.Fatal(err)
	}
	if out != "done\n" {
		t.Errorf("output %q", out)
	}
	if u.Peak < 200<<20 || u.Peak > 400<<20 {
		t.Errorf("peak %d MiB of a process that held 200", u.Peak>>20)
	}
	if u.CPU < 20*time.Millisecond || u.Wall < 200*time.Millisecond {
		t.Errorf("a busy loop of 200 ms took %s CPU, %s", u.CPU, u.Wall)
	}
}

func TestRunTellsAFailure(t *testing.T) {
	_, _, err := Run(context.Background(), command(t, "fails"))
	var f *Failure
	if !errors.As(err, &f) || f.Code != 3 || !strings.Contains(err.Error(), "ended with code 3: what went wrong") {
		t.Errorf("got %v", err)
	}
	if _, _, err := Run(context.Background(), Command{Path: "/nonexistent"}); err == nil || errors.As(err, &f) && f.Code != 3 {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestCoresAndToldPeak(t *testing.T) {
	c := command(t, "cores")
	c.Cores = 1
	u, out, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, "cores 1\n") {
		t.Errorf("on one core: %q", out)
	}
	if u.Peak != 987654321000 {
		t.Errorf("the peak that the process told is %d", u.Peak)
	}
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || before != after {
		t.Errorf("the cores of this process changed (%v)", err)
	}
	c.Cores = 4096
	if _, _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "cores, not 4096") {
		t.Errorf("more cores than there are: %v", err)
	}
}

func TestPeakBelowOwnIsRefused(t *testing.T) {
	if err := (Usage{Peak: 4096}).CheckPeak(); err == nil || !strings.Contains(err.Error(), "can't be measured") {
		t.Errorf("got %v", err)
	}
	if err := (Usage{Peak: 1 << 50}).CheckPeak(); err != nil {
		t.Error(err)
	}
}

func TestPairs(t *testing.T) {
	s := func(cpu, wall int, peak int64) Usage {
		return Usage{CPU: time.Duration(cpu) * time.Second, Wall: time.Duration(wall) * time.Second, Peak: peak}
	}
	p := Pairs{
		{s(1, 10, 100), s(2, 10, 400)},
		{s(9, 30, 300), s(3, 10, 300)}, // something else ran beside it
		{s(2, 20, 200), s(8, 40, 100)},
	}
	if got := p.CPU(); got != 0.5 {
		t.Errorf("CPU ratio %v", got)
	}
	if got := p.Wall(); got != 1 {
		t.Errorf("wall ratio %v", got)
	}
	if got := p.Peak(); got != 1 {
		t.Errorf("memory ratio %v", got)
	}
	if got := p.Ours(); got != s(2, 20, 200) {
		t.Errorf("our medians %+v", got)
	}
	if got := p.Peer(); got != s(3, 10, 300) {
		t.Errorf("the peer's medians %+v", got)
	}
	if got := (Pairs{{s(1, 1, 1), s(2, 1, 1)}, {s(3, 1, 1), s(4, 1, 1)}}).CPU(); got != 0.5 {
		t.Errorf("of two pairs: %v", got)
	}
}
