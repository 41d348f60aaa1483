package fail

// Meaning explains a code to a person who met it, without the case at hand:
// the error itself says what happened and where.
type Meaning struct {
	Means string // what it says about archive, table and run
	Cause string // what usually lies behind it
	Do    string // what to do, the likeliest first
}

// Meaning returns the code's explanation; ok is false for an unregistered code.
func (c Code) Meaning() (m Meaning, ok bool) {
	m, ok = meanings[c]
	return m, ok
}

var meanings = map[Code]Meaning{
	Internal: {
		"The program has a defect, or met an error that it can't name. What was committed is whole: the ledger knows it.",
		"A case that nobody thought of; rarely, memory that the machine corrupts.",
		"Report the ERROR line with the version. Running the same command again is safe, but will likely end the same way.",
	},
	Usage: {
		"A flag, an argument or an environment twin is wrong. Nothing was done.",
		"A typing error, a flag of another command, two flags that exclude each other, or a BACKFILL_ variable left over in the environment.",
		"Read `backfill COMMAND --help`; look at `env | grep BACKFILL_`.",
	},
	BadWindow: {
		"--from and --to don't make a window. Nothing was done.",
		"--from is not before --to, one is missing, or a text is neither a date nor an RFC 3339 time. In Airflow: a data interval without length.",
		"Give both; --from is inclusive, --to exclusive; a date is midnight in the dataset's calendar zone.",
	},
	BadDataset: {
		"The dataset file is refused, at file:line:column. Nothing was done.",
		"An unknown key, a wrong type, a mode without what it needs, money without a currency, a variable that is not set.",
		"Mend the line that is named; the hint says how. `--set path=value` overrides one value.",
	},
	NotFoundInput: {
		"Something that you named is not there: a file, a plan, a report, a bucket.",
		"A typing error, the wrong account or region, a folder that is not mounted into the pod.",
		"Check the name; for a URI list it with the same credentials.",
	},
	Memory: {
		"The work can't be done within --memory, whatever is made smaller.",
		"--memory, or the pod's limit, is below what one worker needs for its largest record and its pages; or a report has too many groups.",
		"Give what the message names, or take a shorter window.",
	},
	DiskSetting: {
		"The rows to compare fit neither in --memory nor in --disk.",
		"--disk, or the pod's ephemeral-storage limit, is too small for the window.",
		"Give more of either, or reconcile a shorter window.",
	},
	Credentials: {
		"A login was refused, or a secret is missing.",
		"An expired token, a password that was rotated, a service account without its role, a variable that is not set in the pod.",
		"Renew it, then run the same command again. Airflow retries this by itself, since tokens are often renewed meanwhile.",
	},
	Permission: {
		"The login is good, but lacks a right for this action.",
		"A statement is missing in the IAM policy, or a GRANT is missing in the warehouse.",
		"Give the right that the message names; docker/iam lists all with reasons. Then run the same command again.",
	},
	Network: {
		"No connection, or it broke.",
		"A restart on the other side, a security group, DNS, a proxy; in a pod also a network policy.",
		"Run the same command again: it asks what is done and goes on. If it repeats at once, try the address from the same pod.",
	},
	Throttled: {
		"The service asked for slower requests longer than the program waits.",
		"Many jobs on one prefix or cluster at a time.",
		"Run the same command again later; lower the number of pods or --workers.",
	},
	Conflict: {
		"The warehouse gave way to another transaction: a serialization conflict, a deadlock, or a lock not given in time. Our transaction was rolled back.",
		"Another writer on the table, or a session that holds its lock; the log names it.",
		"Run the same command again; if it repeats, end the session that is named, or raise --lock-timeout.",
	},
	Lost: {
		"The connection broke at COMMIT, so that nobody knows yet whether it took place.",
		"A restart of the cluster or of the network at the worst moment.",
		"Run the same command again: it asks the ledger first, and loads nothing twice.",
	},
	Service: {
		"S3 or the warehouse failed on its own side.",
		"An outage, or maintenance.",
		"Run the same command again; look at the provider's status page if it repeats.",
	},
	Disk: {
		"No space is left where files are written.",
		"TMPDIR is too small, or shared.",
		"Give the pod more ephemeral storage and --disk its limit, or point TMPDIR at a larger volume.",
	},
	TableMissing: {
		"The target table does not exist, or the login can't see it.",
		"Another database or schema, a missing USAGE right, or a first run.",
		"`--create-table` makes it from the dataset and prints the statement.",
	},
	TableDiffers: {
		"The table's columns are not those that the dataset describes. Nothing was changed.",
		"A column was added, dropped, retyped or made NOT NULL on one side only.",
		"Run the statements that the message prints, or correct the dataset. A column that the load should leave alone goes to table.not_loaded.",
	},
	Stale: {
		"A newer plan has changed the same rows. This plan changes nothing any more.",
		"Two runs of one window, or a retry of an old task after a new run.",
		"Nothing, if the newer plan is the one that you want: `backfill status` shows both. Otherwise run the window again: that seals a still newer plan.",
	},
	Stopped: {
		"A person aborted or undid this plan, so no pod goes on with it.",
		"`backfill abort` or `load --undo`; the ledger says who and why.",
		"Ask that person; then `backfill run` seals a new plan.",
	},
	NoUndo: {
		"The load can't be taken back. Nothing was changed.",
		"The replaced rows were not kept, were forgotten since, or the rows changed after the load.",
		"Run the window again from the archive, or restore a snapshot of the warehouse.",
	},
	Damaged: {
		"An archived object can't be read to its end. Nothing was loaded from it.",
		"A cut upload, a broken compressed stream, bytes behind its end.",
		"Restore the object from its bucket's versions or a replica, and run again. To go on without it: `--accept-damaged OBJECT`; its records are then unknown and the verdict is INCOMPLETE.",
	},
	ArchiveChanged: {
		"An object that was planned, or that a report rests on, has other bytes now or is gone.",
		"The archiver wrote it again, or a lifecycle rule deleted it.",
		"See the difference in the message. `--replan` reads what is there now; a report is made anew by `backfill reconcile`.",
	},
	BadLayout: {
		"A key in the archive fits no layout, or more than one.",
		"Another archiver's objects under the same prefix, or a layout that guesses wrongly.",
		"Name the archiver or a key pattern in archive.layout, or list what is not ours in archive.ignore.",
	},
	Cold: {
		"Objects of the plan are in an archive storage class (Glacier, Deep Archive, an archive tier of Intelligent-Tiering) and can't be read. Nothing was sealed or loaded.",
		"A lifecycle rule moved them there.",
		"`backfill plan --restore` with the same dataset and window asks S3 for copies; the message says what that costs. Then run again when they are there.",
	},
	Restoring: {
		"S3 restores objects of the plan, which takes minutes to days. Nothing was sealed or loaded.",
		"`backfill plan --restore`, or somebody else's restore.",
		"Run the same command again later. Airflow retries this by itself: give the task enough retries for the tier's time.",
	},
	Rejects: {
		"More records are in quarantine than the dataset allows. Nothing was loaded.",
		"Producers changed a field, or the dataset describes one wrongly; the message counts the reasons.",
		"Look at the reasons and first examples; mend the dataset, or raise quarantine.max_records and max_rate if the records are really lost.",
	},
	Vanish: {
		"The load would delete rows that no archived record explains. Nothing was changed.",
		"Another writer's rows in the window, an incomplete archive, or a scope or key that says too much.",
		"Read number, money and days in the message. If the rows belong to others, narrow table.scope; if they should go, `--allow-vanish N --reason TEXT`.",
	},
	EmptyWindow: {
		"The archive holds nothing for the window.",
		"The wrong prefix, topic or zone, or an archiver that stood still.",
		"`backfill plan` shows what was looked at. If nothing is right: `--allow-empty`.",
	},
	LoadRefused: {
		"The warehouse refused the files or a statement. Nothing was changed.",
		"A value that the table's column does not take, a COPY role without a right, a view or a constraint.",
		"The message has the warehouse's own words, with file, row and column.",
	},
	Corrupt: {
		"A plan, a receipt or a report is not as it was written.",
		"Somebody edited, copied over or deleted files in staging.",
		"Plan again (`--replan`). For a report: its seal no longer holds; reconcile anew and find out who writes there.",
	},
	Break: {
		"NOT RECONCILED: archive, Parquet or table differ. If the message says that it was found before the commit, nothing was changed.",
		"Rows changed, deleted or added by others; a pipeline that lost or doubled records.",
		"Open the report: it names rows, columns and amounts. `backfill repair --report URI` shows what would mend them.",
	},
	Incomplete: {
		"Something could not be compared, so it is not called verified.",
		"A gap in the offsets, a damaged object, two versions that nothing tells apart.",
		"The report names each unknown with what would settle it. A gap that has a reason belongs into archive.gaps.",
	},
	Unsettled: {
		"The window may still receive records, so it can't be closed.",
		"It is sooner than the window's end plus archive.lateness, or a partition has archived nothing later than the end.",
		"Wait; or load it with --preliminary. A partition that is often silent gets archive.idle.",
	},
	Nothing: {
		"Archive and table hold nothing for the window, and --allow-empty was given. Nothing was done.",
		"A day without events.",
		"Nothing. Airflow shows the task as skipped.",
	},
}

// Meaning explains the exit code in one sentence.
func (e Exit) Meaning() string {
	switch e {
	case ExitDone:
		return "done: RECONCILED, or RECONCILED WITH EXCEPTIONS"
	case ExitInternal:
		return "internal error"
	case ExitUsage:
		return "bad usage or dataset"
	case ExitEnvironment:
		return "the environment failed: network, throttling, login, lost connection"
	case ExitData:
		return "the data is at fault: damaged or changed archive, table differs, too many rejects, rows would vanish, empty window"
	case ExitBreak:
		return "NOT RECONCILED: breaks found; if found before the commit, nothing was changed"
	case ExitIncomplete:
		return "INCOMPLETE: something is unknown, or the window is not settled"
	case ExitNothing:
		return "nothing to do: archive and warehouse hold nothing for the window"
	case ExitInterrupted, ExitTerminated:
		return "stopped by a signal; work so far is kept"
	}
	return "not an exit code of this program"
}

// Exits returns all exit codes in ascending order.
func Exits() []Exit {
	return []Exit{ExitDone, ExitInternal, ExitUsage, ExitEnvironment, ExitData, ExitBreak, ExitIncomplete, ExitNothing, ExitInterrupted, ExitTerminated}
}
