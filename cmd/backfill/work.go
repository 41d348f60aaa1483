package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"backfill/internal/fail"
	"backfill/internal/runstore"
	"backfill/internal/timing"
	"backfill/jobs/workspace"
)

// soon is how long a command may take before a person asks where its time went.
const soon = 10 * time.Second

// account says where the time of a command that works went: in the result, in
// the log, and in staging beside the run's receipts. It never fails a command:
// what can't be kept is said.
func (p *program) account(ctx context.Context, cmd command, exit fail.Exit) {
	if !cmd.works {
		return
	}
	spent := p.times.Snapshot()
	spent.Process = timing.ReadProcess()
	p.result.Timing = &spent
	say := p.log.Info
	if spent.Wall < soon.Seconds() {
		say = p.log.Debug
	}
	defer say("where the time went: " + spent.String())
	if p.space == nil || p.space.Run == "" {
		if p.profiler != nil {
			p.log.Warn("no profiles are kept: the command ended before it had a run to keep them beside")
		}
		return
	}
	// A fifth of the grace period: the outcome must be reported within it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.flags.graceTime/5)
	defer cancel()
	if err := p.keepWork(ctx, cmd, exit, spent); err != nil {
		p.log.Warn(fmt.Sprintf("where the time went is not kept in staging: %v", err))
	}
}

func (p *program) keepWork(ctx context.Context, cmd command, exit fail.Exit, spent timing.Snapshot) error {
	w := p.space
	folder := runstore.NewWork(w.TargetName(), w.Run, p.started, cmd.name)
	profiles, err := p.keepProfiles(ctx, folder)
	if err != nil {
		p.log.Warn(fmt.Sprintf("profiles are not kept in staging: %v", err))
	}
	p.result.Profiles = profiles
	body, err := json.MarshalIndent(timing.Work{Command: cmd.name, Version: version, Began: p.started.UTC(), Exit: int(exit), Timing: spent, Profiles: profiles}, "", " ")
	if err != nil {
		return fail.Wrap(err, fail.Internal, "encoding where the time went")
	}
	_, err = w.Runs.PutWork(ctx, folder, runstore.WorkName, body)
	return err
}

// opened remembers the workspace, whose run the process's work belongs to.
func (p *program) opened(w *workspace.Workspace, err error) (*workspace.Workspace, error) {
	if err == nil {
		p.space = w
		p.labels.Store(&labels{dataset: w.Dataset.Name, table: w.TargetName()})
	}
	return w, err
}
