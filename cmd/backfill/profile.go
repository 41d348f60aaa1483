package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
)

// The trace holds the last part of the process: what led to its end is what is
// asked for. The other profiles are of the whole process and stay below a few MiB.
const (
	traceAge   = 30 * time.Second
	traceBytes = 8 << 20

	blockRate = int(10 * time.Microsecond) // one sample for so many nanoseconds of waiting
	mutexRate = 100                        // one of so many contentions
)

// instruments are the flags of what lets people see the work.
type instruments struct {
	progress string
	statsd   string
	profile  bool
}

func (i *instruments) add(s *pflag.FlagSet) {
	s.StringVar(&i.progress, "progress", "auto", "where the work stands: view (drawn below the log), lines (in the log, each --heartbeat), or auto: view on a terminal")
	s.StringVar(&i.statsd, "statsd", "", "where a DogStatsD agent listens, udp://host:8125 or unix:///path (default DD_DOGSTATSD_URL, or DD_AGENT_HOST; none: no metrics)")
	s.BoolVar(&i.profile, "profile", false, "keep profiles of CPU, heap, waiting and locks, and a trace of the end, in staging beside the run's work")
}

// profiler takes profiles of the process.
type profiler struct {
	cpu   bytes.Buffer
	trace *trace.FlightRecorder
}

func startProfiles() (*profiler, error) {
	f := &profiler{trace: trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: traceAge, MaxBytes: traceBytes})}
	if err := pprof.StartCPUProfile(&f.cpu); err != nil {
		return nil, err
	}
	runtime.SetBlockProfileRate(blockRate)
	runtime.SetMutexProfileFraction(mutexRate)
	return f, f.trace.Start()
}

// profile is one finished profile.
type profile struct {
	name string
	body []byte
}

// stop ends all profiles and returns them.
func (f *profiler) stop() (list []profile, err error) {
	pprof.StopCPUProfile()
	list = append(list, profile{"cpu.pprof", f.cpu.Bytes()})
	runtime.GC() // so that the heap profile shows what lives now
	for _, name := range []string{"heap", "block", "mutex", "goroutine"} {
		var b bytes.Buffer
		if err := pprof.Lookup(name).WriteTo(&b, 0); err != nil {
			return nil, err
		}
		list = append(list, profile{name + ".pprof", b.Bytes()})
	}
	var b bytes.Buffer
	if _, err := f.trace.WriteTo(&b); err != nil {
		return nil, err
	}
	f.trace.Stop()
	return append(list, profile{"trace.out", b.Bytes()}), nil
}

// profiles starts what --profile asks for; it fails no command.
func (p *program) profiles(cmd command) {
	if !p.flags.profile || !cmd.works {
		return
	}
	var err error
	if p.profiler, err = startProfiles(); err != nil {
		p.log.Warn(fmt.Sprintf("no profiles are taken: %v", err))
	}
}

// keepProfiles writes the profiles into the process's folder and returns their URIs.
func (p *program) keepProfiles(ctx context.Context, folder string) (uris []string, err error) {
	if p.profiler == nil {
		return nil, nil
	}
	list, err := p.profiler.stop()
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "ending the profiles")
	}
	for _, f := range list {
		uri, err := p.space.Runs.PutWork(ctx, folder, f.name, f.body)
		if err != nil {
			return uris, err
		}
		uris = append(uris, uri)
	}
	p.log.Info(fmt.Sprintf("profiles: %s and %d more there; go tool pprof FILE, go tool trace trace.out", uris[0], len(uris)-1))
	return uris, nil
}
