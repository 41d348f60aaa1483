package fail

import "sort"

// Code is the stable name of a kind of failure. Codes are part of the result
// JSON, so they are never renamed.
type Code string

// The codes, grouped by exit code.
const (
	Internal Code = "internal" // a defect of the program

	Usage         Code = "usage"          // a flag or argument is wrong
	BadWindow     Code = "bad_window"     // the window is empty, reversed or not a time
	BadDataset    Code = "bad_dataset"    // the dataset file is wrong, at file:line:column
	NotFoundInput Code = "input_missing"  // a file, plan or bucket named by the user does not exist
	Memory        Code = "memory_setting" // the memory limit can't work
	DiskSetting   Code = "disk_setting"   // the disk limit can't work

	Credentials Code = "credentials"  // a secret is missing or the login was refused
	Permission  Code = "permission"   // a right is missing
	Network     Code = "network"      // no connection, time-out, reset
	Throttled   Code = "throttled"    // the service asked to slow down
	Conflict    Code = "conflict"     // a serialization conflict, deadlock or lock time-out in the warehouse
	Lost        Code = "outcome_lost" // the connection was lost and the outcome is unknown; the next try asks the ledger
	Service     Code = "service"      // the service failed on its side
	Disk        Code = "disk_full"    // no space left
	Restoring   Code = "restoring"    // archived objects are being restored; they can be read later

	TableMissing   Code = "table_missing"     // the target table does not exist
	TableDiffers   Code = "table_differs"     // the target table's columns do not fit the dataset
	Stale          Code = "plan_overtaken"    // a newer plan changed the same rows first
	Stopped        Code = "plan_stopped"      // a person aborted or undid the plan
	NoUndo         Code = "undo_impossible"   // a load can't be taken back
	Damaged        Code = "archive_damaged"   // an object can't be read to its end
	ArchiveChanged Code = "archive_changed"   // a planned object changed or vanished
	BadLayout      Code = "bad_layout"        // a key fits no layout
	Cold           Code = "archive_cold"      // objects must be restored before they can be read
	Rejects        Code = "too_many_rejects"  // more records in quarantine than the dataset allows
	Vanish         Code = "rows_would_vanish" // the load would drop rows that the archive does not explain
	EmptyWindow    Code = "empty_window"      // the archive holds nothing for the window
	LoadRefused    Code = "load_refused"      // the warehouse refused the data
	Corrupt        Code = "staging_corrupt"   // a plan or receipt is not as it was written

	Break      Code = "break"      // legs differ
	Incomplete Code = "incomplete" // something is unknown
	Unsettled  Code = "unsettled"  // the window is not settled yet

	Nothing Code = "nothing_to_do" // archive and warehouse hold nothing for the window
)

// exits is the one table from code to exit code.
var exits = map[Code]Exit{
	Internal: ExitInternal,

	Usage: ExitUsage, BadWindow: ExitUsage, BadDataset: ExitUsage, NotFoundInput: ExitUsage, Memory: ExitUsage, DiskSetting: ExitUsage,

	Credentials: ExitEnvironment, Permission: ExitEnvironment, Network: ExitEnvironment, Throttled: ExitEnvironment,
	Conflict: ExitEnvironment, Lost: ExitEnvironment, Service: ExitEnvironment, Disk: ExitEnvironment, Restoring: ExitEnvironment,

	TableMissing: ExitData, TableDiffers: ExitData, Stale: ExitData, Stopped: ExitData, NoUndo: ExitData, Damaged: ExitData, ArchiveChanged: ExitData,
	BadLayout: ExitData, Cold: ExitData, Rejects: ExitData, Vanish: ExitData, EmptyWindow: ExitData, LoadRefused: ExitData, Corrupt: ExitData,

	Break: ExitBreak, Incomplete: ExitIncomplete, Unsettled: ExitIncomplete,

	Nothing: ExitNothing,
}

// Exit returns the code's exit code; an unregistered code is ExitInternal.
func (c Code) Exit() Exit {
	if e, ok := exits[c]; ok {
		return e
	}
	return ExitInternal
}

// Codes returns all registered codes in alphabetical order.
func Codes() []Code {
	list := make([]Code, 0, len(exits))
	for c := range exits {
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return list
}
