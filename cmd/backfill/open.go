package main

import (
	"context"
	"os"
	"strings"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/mask"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// openDataset compiles --dataset with --set and opens the workspace.
func (p *program) openDataset(ctx context.Context) (*workspace.Workspace, error) {
	name, text, err := p.datasetText()
	if err != nil {
		return nil, err
	}
	key, err := mask.ReadKey(p.env)
	if err != nil {
		return nil, err
	}
	ds, err := dataset.Compile(name, text, p.flags.set, key.Environment(p.env))
	if err != nil {
		return nil, err
	}
	return p.open(ctx, ds, key)
}

// datasetText returns the dataset's bytes and their name in messages. A pod gets
// the bytes themselves, so that whoever asked for the run and the pod can't disagree.
func (p *program) datasetText() (name string, text []byte, err error) {
	switch file := p.flags.dataset; {
	case p.flags.datasetText != "":
		return orDefault(file, "dataset text"), []byte(p.flags.datasetText), nil
	case file == "":
		return "", nil, fail.New(fail.Usage, "--dataset is missing").Try("name the dataset file, or set BACKFILL_DATASET")
	default:
		text, err = os.ReadFile(file)
		if err != nil {
			return "", nil, fail.Wrap(err, fail.NotFoundInput, "the dataset file can't be read").Try("check --dataset, or BACKFILL_DATASET; in a pod, that the file is mounted")
		}
		return file, text, nil
	}
}

func (p *program) open(ctx context.Context, ds *dataset.Dataset, key *mask.Key) (*workspace.Workspace, error) {
	timeout, err := time.ParseDuration(p.flags.timeout)
	if err != nil || timeout <= 0 {
		return nil, fail.New(fail.Usage, "--statement-timeout %q is no duration", p.flags.timeout).Try("give one such as 4h or 30m")
	}
	lock, err := time.ParseDuration(p.flags.lockTimeout)
	if err != nil || lock <= 0 {
		return nil, fail.New(fail.Usage, "--lock-timeout %q is no duration", p.flags.lockTimeout).Try("give one such as 10m")
	}
	return p.opened(workspace.Open(ctx, ds, workspace.Options{
		Env: p.env, Log: p.log, Now: now, Version: version, By: p.by(), Image: p.env("BACKFILL_IMAGE"), Airflow: p.airflow(), Timeout: timeout, Lock: lock,
		Halt: p.halt, Pulse: p.pulse, Times: p.times, MaskKey: key, Works: p.worksOn,
	}))
}

// openPlan opens the workspace from a plan: the dataset is the plan's, so that
// every pod of a run agrees.
func (p *program) openPlan(ctx context.Context) (*workspace.Workspace, *runplan.Head, []runplan.Chunk, error) {
	staging, _, ok := strings.Cut(p.flags.plan, "/targets/")
	if !ok {
		return nil, nil, nil, fail.New(fail.Usage, "--plan %q is no plan's URI", p.flags.plan).Try("give the URI that `backfill plan` printed")
	}
	head, err := runstore.ReadPlan(ctx, staging, p.flags.plan)
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := mask.ReadKey(p.env)
	if err != nil {
		return nil, nil, nil, err
	}
	ds, err := dataset.Compile("dataset of plan "+p.flags.plan, []byte(head.Dataset.Text), nil, key.Environment(p.planEnv(head, staging)))
	if err != nil {
		return nil, nil, nil, err
	}
	if ds.Digest != head.Dataset.Digest {
		return nil, nil, nil, fail.New(fail.Corrupt, "the plan's dataset does not have the digest it was sealed with").At("%s", p.flags.plan).Try("seal a new plan: `backfill plan` with the same dataset and window, and --replan")
	}
	w, err := p.open(ctx, ds, key)
	if err != nil {
		return nil, nil, nil, err
	}
	w.WorkOn(head.Run, head.Seq)
	chunks, err := w.Runs.Chunks(ctx, head)
	return w, head, chunks, err
}

// planEnv answers from the environment first, then from the plan. The plan's
// way to sign in holds unless the environment chooses another one; a password
// beside a planned one without password chooses nothing.
func (p *program) planEnv(head *runplan.Head, staging string) func(string) string {
	const password, passwordFile, signIn = "BACKFILL_WAREHOUSE_PASSWORD", "BACKFILL_WAREHOUSE_PASSWORD_FILE", "BACKFILL_WAREHOUSE_SIGN_IN"
	wh := head.Warehouse
	tls := wh.TLSOptions
	switch {
	case tls != "":
	case wh.TLS:
		tls = "on"
	default:
		tls = "off"
	}
	planned := map[string]string{
		"BACKFILL_WAREHOUSE_URL": wh.URL, "BACKFILL_WAREHOUSE_IAM_ROLE": wh.IAMRole, "BACKFILL_WAREHOUSE_TLS": tls,
		"BACKFILL_STAGING_KMS_KEY": head.KMSKey,
	}
	if unset(p.env(passwordFile)) && unset(p.env(signIn)) {
		planned[signIn] = wh.SignIn
	}
	return func(name string) string {
		switch {
		case name == "BACKFILL_STAGING_URI":
			return staging
		case name == password && planned[signIn] != "":
			return ""
		case !unset(p.env(name)):
			return p.env(name)
		}
		return planned[name]
	}
}
