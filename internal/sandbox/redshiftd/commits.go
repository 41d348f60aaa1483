package redshiftd

import (
	"slices"
	"sync"
)

// Profile is the kind of warehouse: what isolation its transactions have and which system tables show.
type Profile string

const (
	// Serverless has SNAPSHOT isolation, and stl_* and stv_* tables are refused with 42501.
	Serverless Profile = "serverless"
	// Provisioned has SERIALIZABLE isolation, and stl_load_errors, stl_load_commits and some stv_* can be read.
	Provisioned Profile = "provisioned"
)

// commitLog remembers what committed transactions have read and written. Tables are its smallest unit, so that it may see
// a conflict where rows would show none. Under SERIALIZABLE the commits are a graph: an arrow goes from a transaction to
// one that must come after it in every serial order, and no commit may close a circle.
type commitLog struct {
	mu        sync.Mutex
	seq       int64
	catalog   int64              // grows with every commit that changed the catalog
	last      map[string]*commit // of each table, the last that wrote it
	recent    []*commit          // the graph, by seq
	forgotten int64              // up to here commits were dropped for want of room
	active    map[int64]int      // open transactions by snapshot
}

// commit is a transaction that has committed, or is about to.
type commit struct {
	seq, snapshot, xid int64
	pid                int
	reads, writes      map[string]bool
	ddl                bool
	after              []*commit // those that must come after it
}

// maxRecent is how many commits are kept while transactions that were open beside them may still meet them. One that
// meets what was dropped counts as in conflict.
const maxRecent = 4_000

func newCommitLog() *commitLog {
	return &commitLog{last: map[string]*commit{}, active: map[int64]int{}}
}

// begin runs fn, which fixes a snapshot, and gives the number of the last commit that the snapshot sees, and of the
// catalog's last change. Every begin without an error has an end.
func (l *commitLog) begin(fn func() error) (snapshot, catalog int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := fn(); err != nil {
		return 0, 0, err
	}
	l.active[l.seq]++
	return l.seq, l.catalog, nil
}

// catalogNow numbers the last committed change of the catalog.
func (l *commitLog) catalogNow() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.catalog
}

// end tells that a transaction with this snapshot is over.
func (l *commitLog) end(snapshot int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active[snapshot]--; l.active[snapshot] <= 0 {
		delete(l.active, snapshot)
	}
	l.prune()
}

// commit runs fn, which commits, and records it. The tables are still locked. With serializable it refuses, before fn, a
// transaction that has no place in a serial order of those that have committed.
func (l *commitLog) commit(fn func() error, c *commit, serializable bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var before []*commit
	if serializable {
		var err error
		if before, err = l.place(c); err != nil {
			return err
		}
	}
	if err := fn(); err != nil {
		return err
	}
	l.seq++
	c.seq = l.seq
	if c.ddl {
		l.catalog++
	}
	for t := range c.writes {
		l.last[t] = c
	}
	if serializable && len(c.reads)+len(c.writes) > 0 {
		for _, old := range before {
			old.after = append(old.after, c)
		}
		l.recent = append(l.recent, c)
		l.prune()
	}
	return nil
}

// place finds who comes after c, which it notes, and who before, and refuses a circle. Of the writers of a table the
// nearest is enough: the others are before or behind it.
func (l *commitLog) place(c *commit) (before []*commit, err error) {
	if c.snapshot < l.forgotten && len(c.reads) > 0 {
		return nil, &skewError{table: firstOf(c.reads), xids: []int64{c.xid}}
	}
	c.after = nil
	for t := range c.writes {
		for _, old := range slices.Backward(l.recent) {
			if old.reads[t] || old.writes[t] {
				before = append(before, old)
			}
			if old.writes[t] {
				break
			}
		}
	}
	for t := range c.reads {
		var next *commit // the first that changed what c has read
		for _, old := range slices.Backward(l.recent) {
			if !old.writes[t] {
				continue
			}
			if old.seq <= c.snapshot {
				before = append(before, old)
				break
			}
			next = old
		}
		if next != nil {
			c.after = append(c.after, next)
		}
	}
	if path := l.path(c, before); path != nil {
		e := &skewError{table: meeting(path[0].writes, c.reads), pid: path[0].pid, xids: []int64{c.xid}}
		for _, p := range path {
			e.xids = append(e.xids, p.xid)
		}
		return nil, e
	}
	return before, nil
}

// path leads along arrows from c to one of the goals; nil if there is no way. What lies before the memory of the log
// counts as a goal.
func (l *commitLog) path(c *commit, goals []*commit) []*commit {
	isGoal := make(map[*commit]bool, len(goals))
	for _, g := range goals {
		isGoal[g] = true
	}
	from := make(map[*commit]*commit, len(c.after))
	for _, n := range c.after {
		from[n] = nil
	}
	for queue := slices.Clone(c.after); len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n.seq <= l.forgotten || isGoal[n] {
			var path []*commit
			for ; n != nil; n = from[n] {
				path = append(path, n)
			}
			slices.Reverse(path)
			return path
		}
		for _, next := range n.after {
			if _, seen := from[next]; !seen {
				from[next] = n
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// prune drops the commits that no open or later transaction can meet: an arrow from one that reads leads to what was
// committed since its snapshot, and from there to what was committed since that one's.
func (l *commitLog) prune() {
	low := l.seq
	for snapshot := range l.active {
		low = min(low, snapshot)
	}
	keep := len(l.recent)
	for ; keep > 0 && l.recent[keep-1].seq > low; keep-- {
		low = min(low, l.recent[keep-1].snapshot)
	}
	if excess := len(l.recent) - maxRecent; excess > keep {
		keep = excess
		l.forgotten = l.recent[keep-1].seq
	}
	for _, c := range l.recent[:keep] {
		c.after = nil
	}
	l.recent = slices.Delete(l.recent, 0, keep)
}

// meeting is a table that is in both sets, the first by name; empty if none is.
func meeting(a, b map[string]bool) (first string) {
	for t := range a {
		if b[t] && (first == "" || t < first) {
			first = t
		}
	}
	return first
}

func firstOf(tables map[string]bool) string { return meeting(tables, tables) }

// skewError is a circle of reads and writes; the session puts it into Redshift's words.
type skewError struct {
	table string
	xids  []int64
	pid   int // of another transaction in the circle
}

func (e *skewError) Error() string { return "serializable isolation violation on table " + e.table }

// of gives the last commit that wrote a table.
func (l *commitLog) of(table string) commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.last[table]; c != nil {
		return commit{seq: c.seq, xid: c.xid, pid: c.pid}
	}
	return commit{}
}
