package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"backfill/internal/fail"
)

// stopped is why the process ends before its work is done.
type stopped struct {
	why  string
	exit fail.Exit
}

func (s stopped) Error() string { return "stopped by " + s.why }

func bySignal(s os.Signal) stopped {
	if s == os.Interrupt {
		return stopped{"signal: " + s.String(), fail.ExitInterrupted}
	}
	return stopped{"signal: " + s.String(), fail.ExitTerminated}
}

// exitOf maps an error to the process exit code. A signal gives 128 plus its
// number; the deadline counts as a SIGTERM that was sent in time. An error of
// another kind that came up within the grace period keeps its code.
func exitOf(ctx context.Context, err error) fail.Exit {
	if s, ok := stopOf(ctx, err); ok {
		return s.exit
	}
	return fail.ExitOf(err)
}

// stopOf returns what stopped the command: the halt that a job returned, or
// what cancelled the work under way.
func stopOf(ctx context.Context, err error) (s stopped, ok bool) {
	if err == nil {
		return s, false
	}
	return s, errors.As(err, &s) || errors.As(context.Cause(ctx), &s)
}

// heed lets a signal or the deadline end the command in steps, so that what was
// begun is finished where time allows:
//
//	signal or deadline − grace   nothing new is begun
//	4/5 of the grace period      work under way is cancelled, uploads are given up;
//	                             commands that only read are cancelled at once
//	the end of it                the outcome is reported and the process ends
//
// A second signal ends the process at once. Nothing is lost at any step: output
// counts once it is published, and is published whole. The returned function
// ends the watching.
func (p *program) heed(ctx context.Context, cmd command) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	grace := p.flags.graceTime
	var deadline <-chan time.Time
	if !p.flags.deadlineAt.IsZero() {
		timer := time.NewTimer(p.flags.deadlineAt.Sub(now()) - grace)
		context.AfterFunc(ctx, func() { timer.Stop() })
		deadline = timer.C
	}
	go func() {
		var cause stopped
		select {
		case <-ctx.Done():
			return
		case s := <-p.signals:
			cause = bySignal(s)
		case <-deadline:
			cause = stopped{fmt.Sprintf("the deadline: %s is %s from now", p.flags.deadlineAt.UTC().Format(time.RFC3339), grace), fail.ExitTerminated}
		}
		finish := grace * 4 / 5
		if !cmd.finishes {
			finish = 0
		}
		p.log.Warn(fmt.Sprintf("%s: nothing new is begun, work under way has %s to finish", cause, finish))
		p.halt.Ask(cause)
		p.wind(ctx, cmd, cause, finish, cancel)
	}()
	return ctx, func() { cancel(nil) }
}

// wind goes through the steps: it cancels after finish, and ends the process
// after the grace period.
func (p *program) wind(ctx context.Context, cmd command, cause stopped, finish time.Duration, cancel context.CancelCauseFunc) {
	end := time.NewTimer(p.flags.graceTime)
	defer end.Stop()
	finished := time.NewTimer(finish)
	defer finished.Stop()
	for {
		select {
		case <-finished.C:
			cancel(cause)
		case <-end.C:
			if measured := p.measured.Load(); measured != nil {
				(*measured)(cause.exit, &result{}) // what the work under way found may still change
			}
			p.exit(int(p.finish(ctx, cmd, cause, result{})))
		case <-p.signals:
			p.exit(int(cause.exit))
		case <-p.ended:
			return
		}
	}
}
