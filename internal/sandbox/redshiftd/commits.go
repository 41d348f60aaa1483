package redshiftd

import "sync"

// Profile is the kind of warehouse: what isolation its transactions have and which system tables show.
type Profile string

const (
	// Serverless has SNAPSHOT isolation, and stl_* and stv_* tables are refused with 42501.
	Serverless Profile = "serverless"
	// Provisioned has SERIALIZABLE isolation, and stl_load_errors and stl_load_commits can be read.
	Provisioned Profile = "provisioned"
)

// commitLog remembers what committed transactions have read and written, to tell serialization conflicts. Tables are its
// smallest unit, so that it may see a conflict where rows would show none.
type commitLog struct {
	mu        sync.Mutex
	seq       int64
	last      map[string]commit // of each table
	recent    []commit
	forgotten int64 // the last commit that is no longer in recent
}

type commit struct {
	seq, xid      int64
	pid           int
	reads, writes map[string]bool
}

// maxRecent is how many commits are kept; an open transaction older than all of them counts as in conflict.
const maxRecent = 10_000

func newCommitLog() *commitLog { return &commitLog{last: map[string]commit{}} }

// begin runs fn, which fixes a snapshot, and gives the number of the last commit that the snapshot sees.
func (l *commitLog) begin(fn func() error) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq, fn()
}

// commit runs fn, which commits, and records it. The tables are still locked. With serializable it refuses, before fn, a
// transaction that has read what a concurrent one wrote, while that one has read what this one writes.
func (l *commitLog) commit(fn func() error, c commit, snapshot int64, serializable bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if serializable && len(c.writes) > 0 {
		if table, other, ok := l.skew(c, snapshot); ok {
			return &skewError{table, other}
		}
	}
	if err := fn(); err != nil {
		return err
	}
	l.seq++
	c.seq = l.seq
	for t := range c.writes {
		l.last[t] = c
	}
	if len(c.writes) > 0 {
		l.recent = append(l.recent, c)
	}
	if len(l.recent) > maxRecent {
		l.forgotten = l.recent[0].seq
		l.recent = l.recent[1:]
	}
	return nil
}

// skew finds a commit since the snapshot that closes a circle of two with c.
func (l *commitLog) skew(c commit, snapshot int64) (table string, other commit, ok bool) {
	for _, old := range l.recent {
		if old.seq <= snapshot || !meet(old.reads, c.writes) {
			continue
		}
		for t := range old.writes {
			if c.reads[t] {
				return t, old, true
			}
		}
	}
	if snapshot < l.forgotten {
		for t := range c.reads {
			return t, commit{}, true
		}
	}
	return "", commit{}, false
}

func meet(a, b map[string]bool) bool {
	for t := range a {
		if b[t] {
			return true
		}
	}
	return false
}

// skewError is a circle of reads and writes; the session puts it into Redshift's words.
type skewError struct {
	table string
	other commit
}

func (e *skewError) Error() string { return "serializable isolation violation on table " + e.table }

func (l *commitLog) of(table string) commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[table]
}
