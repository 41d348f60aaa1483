package main

import (
	"context"

	"github.com/spf13/pflag"

	"backfill/internal/runplan"
)

func both(fs ...func(*flags, *pflag.FlagSet)) func(*flags, *pflag.FlagSet) {
	return func(f *flags, s *pflag.FlagSet) {
		for _, add := range fs {
			add(f, s)
		}
	}
}

func commands() []command {
	return []command{
		{name: "doctor", does: "try everything that a run needs, and say how to mend what is missing", flags: doctorFlags, run: runDoctor,
			examples: []string{"backfill doctor --dataset payroll.yaml", "backfill doctor --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01 --create-table"}},
		{name: "infer", does: "look at an archive and print a dataset file to start from", flags: inferFlags, run: runInfer, arg: "ARCHIVE_URI",
			examples: []string{"backfill infer s3://acme-kafka-archive/topics/payroll.events --table payroll.events >payroll.yaml"}},
		{name: "plan", does: "list the archive, cut it into chunks and slices, seal the plan", flags: both(planFlags, preliminaryFlag, reasonFlag, createTableFlag, restoreFlags, previewFlags), run: planOrPreview, works: true,
			examples: []string{"backfill plan --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01", "backfill plan --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01 --preview   # size, gaps, money, cost and time; seals nothing",
				"backfill plan --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01 --replan --output json   # what the archive holds now",
				"backfill plan --dataset payroll.yaml --from 2023-03-01 --to 2023-04-01 --restore --restore-tier standard   # from Glacier; again when the copies are there"}},
		{name: "convert", does: "turn a plan's chunks into Parquet and receipts; resumes by itself", flags: both(planURIFlag, shardFlag, convertFlags, onlyFlag("convert only the chunks of a partition, as number or topic/number; may be given several times")), run: runConvert, works: true, finishes: true, spools: true,
			examples: []string{"backfill convert --plan s3://…/plans/000000000001.json", "backfill convert --plan s3://…/plans/000000000001.json --shard 3/16   # one of 16 pods"}},
		{name: "load", does: "COPY a converted plan and change the table, slice by slice", flags: both(planURIFlag, loadFlags, createTableFlag, datasetFlags, undoFlags, onlyFlag("change only the slices that hold this day; may be given several times"), func(f *flags, s *pflag.FlagSet) {
			s.BoolVar(&f.allowEmpty, "allow-empty", false, "a window without rows is no error")
		}), run: runLoad, works: true, finishes: true, examples: []string{"backfill load --plan s3://…/plans/000000000001.json", "backfill load --plan s3://…/plans/000000000001.json --keep-replaced   # so that it can be undone",
			"backfill load --plan s3://…/plans/000000000001.json --allow-vanish 12 --reason 'test rows'", "backfill load --undo 1 --dataset payroll.yaml --reason 'wrong file'"}},
		{name: "reconcile", does: "tie archive, Parquet and table out, and write the report", flags: both(windowFlags, planURIFlag, rowsFlags, reconcileFlags), run: runReconcile, works: true, spools: true,
			examples: []string{"backfill reconcile --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01", "backfill reconcile --plan s3://…/plans/000000000001.json",
				"backfill reconcile --dataset payroll.yaml --verify s3://…/report.json", "backfill reconcile --dataset payroll.yaml --history"}},
		{name: "repair", does: "mend the rows that a report names, then reconcile again; a dry run unless --apply", flags: both(datasetFlags, repairFlags, diskFlag, reasonFlag), run: runRepair, works: true, spools: true,
			examples: []string{"backfill repair --dataset payroll.yaml --report s3://…/report.json", "backfill repair --dataset payroll.yaml --report s3://…/report.json --apply --approved-by 'A. Controller'"}},
		{name: "run", does: "plan, convert, load and reconcile in one process: the main job", flags: both(planFlags, convertFlags, loadFlags, createTableFlag, signFlags), run: runAll, works: true, finishes: true, spools: true,
			examples: []string{"backfill run --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01 --memory 512MiB"}},
		{name: "status", does: "what stands where, and the command that goes on", flags: statusFlags, run: runStatus, arg: "RUN",
			examples: []string{"backfill status --dataset payroll.yaml", "backfill status --dataset payroll.yaml --ledger --output json"}},
		{name: "abort", does: "stop an unfinished plan: no pod goes on with it", flags: both(datasetFlags, reasonFlag), run: runAbort, arg: "RUN",
			examples: []string{"backfill abort 3 --dataset payroll.yaml --reason 'wrong month'"}},
		{name: "quarantine ls", does: "count a plan's rejected records by reason, with first examples", flags: datasetFlags, run: runQuarantineLs, arg: "RUN",
			examples: []string{"backfill quarantine ls 3 --dataset payroll.yaml"}},
		{name: "quarantine show", does: "show rejected records, values hidden but for those that reports may show", flags: showFlags, run: runQuarantineShow, arg: "RUN",
			examples: []string{"backfill quarantine show 3 --dataset payroll.yaml --with-reason out_of_range --limit 5"}},
		{name: "quarantine replay", does: "say what a mended dataset does with rejected records; run their window again with --apply", flags: replayFlags, run: runQuarantineReplay, works: true, arg: "RUN", finishes: true,
			examples: []string{"backfill quarantine replay 3 --dataset payroll.yaml", "backfill quarantine replay 3 --dataset payroll.yaml --apply --reason 'scale is 3 now'"}},
		{name: "gc", does: "remove from staging what finished runs no longer need; a dry run unless --apply", flags: gcFlags, run: runGC,
			examples: []string{"backfill gc --dataset payroll.yaml", "backfill gc --dataset payroll.yaml --apply"}},
		{name: "explain", does: "what an error code, an exit code or a reason of quarantine means, and what to do", arg: "CODE", run: runExplain, talks: true,
			examples: []string{"backfill explain rows_would_vanish", "backfill explain 3"}},
		{name: "completion", does: "print a script that completes commands and flags in bash, zsh or fish", arg: "SHELL", run: runCompletion, talks: true,
			examples: []string{"backfill completion bash >/etc/bash_completion.d/backfill"}},
		{name: "version", talks: true, does: "print the version", run: func(_ context.Context, p *program) error {
			p.print("backfill %s, formats %d, converter %d\n", version, runplan.Format, runplan.Converter)
			return nil
		}},
	}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}
