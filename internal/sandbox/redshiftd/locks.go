package redshiftd

import (
	"context"
	"sync"
)

// lockMode orders the table locks: readers share, those who append share, writers exclude both, exclusive excludes all.
type lockMode uint8

const (
	lockRead   lockMode = iota + 1
	lockAppend          // INSERT and COPY under SNAPSHOT
	lockWrite
	lockExclusive
)

func conflicts(a, b lockMode) bool {
	return max(a, b) == lockExclusive || max(a, b) == lockWrite && min(a, b) > lockRead
}

// lockManager gives out table locks that are held to the end of a transaction. Waiters are served in order of arrival.
type lockManager struct {
	mu     sync.Mutex
	tables map[string]*tableLock
}

type tableLock struct {
	held    map[*lockOwner]lockMode
	waiting []*lockRequest
}

type lockRequest struct {
	owner   *lockOwner
	mode    lockMode
	granted chan struct{}
}

// lockOwner is one session. Its fields belong to the manager.
type lockOwner struct {
	held    map[string]lockMode
	waits   *lockRequest
	waitsOn string
}

func newLockManager() *lockManager { return &lockManager{tables: map[string]*tableLock{}} }

// acquire takes a lock or waits for it: until granted, until ctx ends, or until waiting would close a circle.
func (m *lockManager) acquire(ctx context.Context, o *lockOwner, table string, mode lockMode) error {
	m.mu.Lock()
	if o.held[table] >= mode {
		m.mu.Unlock()
		return nil
	}
	l := m.tables[table]
	if l == nil {
		l = &tableLock{held: map[*lockOwner]lockMode{}}
		m.tables[table] = l
	}
	req := &lockRequest{owner: o, mode: mode, granted: make(chan struct{})}
	if l.held[o] != 0 { // a stronger lock goes before those who wait: they wait for this owner anyway
		l.waiting = append([]*lockRequest{req}, l.waiting...)
	} else {
		l.waiting = append(l.waiting, req)
	}
	m.serve(table, l)
	if l.held[o] >= mode {
		m.mu.Unlock()
		return nil
	}
	o.waits, o.waitsOn = req, table
	if m.circle(o, o, map[*lockOwner]bool{}) {
		m.drop(o)
		m.mu.Unlock()
		return errDeadlock
	}
	m.mu.Unlock()
	select {
	case <-req.granted:
		return nil
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		if l.held[o] >= mode {
			return nil
		}
		m.drop(o)
		return ctx.Err()
	}
}

// serve grants what can be granted, in order.
func (m *lockManager) serve(table string, l *tableLock) {
	for len(l.waiting) > 0 {
		req := l.waiting[0]
		for other, mode := range l.held {
			if other != req.owner && conflicts(req.mode, mode) {
				return
			}
		}
		l.waiting = l.waiting[1:]
		l.held[req.owner] = max(l.held[req.owner], req.mode)
		if req.owner.held == nil {
			req.owner.held = map[string]lockMode{}
		}
		req.owner.held[table] = l.held[req.owner]
		req.owner.waits = nil
		close(req.granted)
	}
}

// circle says whether start is reachable from o along "waits for".
func (m *lockManager) circle(o, start *lockOwner, seen map[*lockOwner]bool) bool {
	if o.waits == nil || seen[o] {
		return false
	}
	seen[o] = true
	l := m.tables[o.waitsOn]
	blocks := func(other *lockOwner, mode lockMode) bool {
		return other != o && conflicts(o.waits.mode, mode) && (other == start || m.circle(other, start, seen))
	}
	for other, mode := range l.held {
		if blocks(other, mode) {
			return true
		}
	}
	for _, req := range l.waiting {
		if req == o.waits {
			return false
		}
		if req.owner != o && (req.owner == start || m.circle(req.owner, start, seen)) { // served before o
			return true
		}
	}
	return false
}

// drop takes back a request.
func (m *lockManager) drop(o *lockOwner) {
	if o.waits == nil {
		return
	}
	l := m.tables[o.waitsOn]
	for i, req := range l.waiting {
		if req == o.waits {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			break
		}
	}
	table := o.waitsOn
	o.waits = nil
	m.serve(table, l)
}

// release gives back all locks of an owner.
func (m *lockManager) release(o *lockOwner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for table := range o.held {
		l := m.tables[table]
		delete(l.held, o)
		m.serve(table, l)
		if len(l.held) == 0 && len(l.waiting) == 0 {
			delete(m.tables, table)
		}
	}
	o.held = nil
}
