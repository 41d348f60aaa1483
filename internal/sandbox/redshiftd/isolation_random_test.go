package redshiftd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// history is what the committed transactions of a run have read and written. It knows nothing of how the server decides.
type history struct {
	done  []*played // in the order of their commits
	final state
}

// state is the content of each table: the number in it, or of the table "l" the numbers in their order.
type state map[string]string

// played is one transaction. Snapshots are counted in commits of the history.
type played struct {
	name     string
	ops      []op
	from, to int // the snapshot is not older than from and not newer than to; -1: it has none yet
}

// op reads a table, or writes one. A read gives value; a write puts it there, into l beside what is there.
type op struct {
	table, value string
	write        bool
}

var cells = []string{"t", "u", "v"}

// actor is a session that plays transactions.
type actor struct {
	conn    clientSession
	id      int
	tx      *played
	left    int
	waits   bool // its statement is on its way
	pending op
}

// TestRandomHistories lets 8 sessions run random transactions, one statement at a time in an order that the seed says, and
// looks for a serial order of what has committed. SERIALIZABLE always has one; SNAPSHOT has one snapshot per transaction,
// and no two that overlap have changed one row.
func TestRandomHistories(t *testing.T) {
	for _, p := range []Profile{Provisioned, Serverless} {
		t.Run(string(p), func(t *testing.T) {
			s := startServer(t, func(c *Config) { c.Profile = p })
			serial, refused, committed := 0, 0, 0
			const seeds = 12
			for seed := range uint64(seeds) {
				h, failed := playRandom(t, s, rand.New(rand.NewPCG(seed, 7)))
				refused, committed = refused+failed, committed+len(h.done)
				ok := h.serial()
				if ok {
					serial++
				}
				if p == Provisioned && !ok {
					t.Errorf("seed %d: no serial order gives this:\n%s", seed, h)
				}
				if err := h.snapshots(); err != nil {
					t.Errorf("seed %d: %v:\n%s", seed, err, h)
				}
			}
			t.Logf("%d transactions committed, %d refused; %d of %d histories have a serial order", committed, refused, serial, seeds)
			if refused == 0 || committed < seeds*8 {
				t.Errorf("%d transactions were refused and %d committed: the runs prove little", refused, committed)
			}
			if p == Serverless && serial == seeds {
				t.Error("no history shows a write skew: the search finds an order for anything, or the runs are too tame")
			}
		})
	}
}

// playRandom runs the transactions of one seed. Only one statement runs at a time, but for those that a lock was given to.
func playRandom(t *testing.T, s *Server, r *rand.Rand) (h *history, failed int) {
	setup := openPgx(t, s)
	defer setup.close()
	ask := func(sql string) string {
		setup.start(sql)
		got := setup.finish()
		if got.code != "" {
			t.Fatalf("%s: %s", sql, got)
		}
		return got.text
	}
	for _, c := range cells {
		ask("DROP TABLE IF EXISTS " + c)
		ask("CREATE TABLE " + c + " AS SELECT 0 AS n")
	}
	ask("DROP TABLE IF EXISTS l")
	ask("CREATE TABLE l (n INT)")
	h = &history{final: state{}}
	g := &game{t: t, s: s, h: h, r: r}
	for i := range 8 {
		a := &actor{conn: openPgx(t, s), id: i, left: 2}
		defer a.conn.close()
		g.actors = append(g.actors, a)
	}
	for {
		var free []*actor
		for _, a := range g.actors {
			if !a.waits && (a.left > 0 || a.tx != nil) {
				free = append(free, a)
			}
		}
		if len(free) == 0 {
			break
		}
		g.step(free[r.IntN(len(free))])
	}
	for _, c := range append(cells, "l") {
		h.final[c] = ask(readSQL(c))
	}
	return h, g.failed
}

type game struct {
	t       *testing.T
	s       *Server
	h       *history
	r       *rand.Rand
	actors  []*actor
	counter int
	failed  int
}

func readSQL(table string) string {
	if table == "l" {
		return "SELECT LISTAGG(n, ',') WITHIN GROUP (ORDER BY n) FROM l"
	}
	return "SELECT n FROM " + table
}

// step lets an actor begin a transaction, send one statement of it, or commit.
func (g *game) step(a *actor) {
	switch {
	case a.tx == nil:
		a.left--
		a.tx = &played{name: fmt.Sprintf("session %d", a.id), from: -1}
		a.conn.start("BEGIN")
		if got := a.conn.finish(); got.code != "" {
			g.t.Fatal(got)
		}
		return
	case len(a.tx.ops) >= 2 && g.r.IntN(3) == 0:
		a.conn.start("COMMIT")
		if got := a.conn.finish(); got.code != "" {
			g.abandon(a, got)
		} else {
			g.h.done = append(g.h.done, a.tx)
			a.tx = nil
		}
		g.settle()
		return
	}
	tables := append(slices.Clone(cells), "l")
	a.pending = op{table: tables[g.r.IntN(len(tables))], write: g.r.IntN(2) == 0}
	sql := readSQL(a.pending.table)
	if a.pending.write {
		g.counter++
		a.pending.value = strconv.Itoa(g.counter + 100)
		sql = "UPDATE " + a.pending.table + " SET n = " + a.pending.value
		if a.pending.table == "l" {
			sql = "INSERT INTO l VALUES (" + a.pending.value + ")"
		}
	}
	if a.tx.from < 0 {
		a.tx.from = len(g.h.done)
	}
	a.conn.start(sql)
	a.waits = true
	g.settle()
}

// settle waits until every statement on its way has ended or waits for a lock.
func (g *game) settle() {
	deadline := time.Now().Add(30 * time.Second)
	for _, a := range g.actors {
		for a.waits {
			select {
			case got := <-a.conn.(*pgxSession).answer:
				a.waits = false
				g.took(a, got)
				g.settle() // it may have given back its locks
				return
			case <-time.After(time.Millisecond):
			}
			if g.blocked(a) {
				break
			}
			if time.Now().After(deadline) {
				g.t.Fatal("a statement neither ends nor waits for a lock")
			}
		}
	}
}

// blocked says whether the actor's session waits for a lock.
func (g *game) blocked(a *actor) bool {
	pid := int(a.conn.(*pgxSession).conn.PgConn().PID())
	g.s.mu.Lock()
	sess := g.s.sessions[pid]
	g.s.mu.Unlock()
	g.s.locks.mu.Lock()
	defer g.s.locks.mu.Unlock()
	return sess != nil && sess.locks.waits != nil
}

func (g *game) took(a *actor, got reply) {
	if got.code != "" {
		g.abandon(a, got)
		return
	}
	if a.tx.to == 0 && len(a.tx.ops) == 0 {
		a.tx.to = len(g.h.done)
	}
	if !a.pending.write {
		a.pending.value = got.text
	}
	a.tx.ops = append(a.tx.ops, a.pending)
}

// abandon rolls a refused transaction back. Only refusals that isolation explains may come.
func (g *game) abandon(a *actor, got reply) {
	first, _, _ := strings.Cut(got.text, "\n")
	if first != "1023" && got.code != "40P01" {
		g.t.Fatalf("%s: %s", a.tx.name, got)
	}
	g.failed++
	a.tx = nil
	a.conn.start("ROLLBACK")
	if got := a.conn.finish(); got.code != "" {
		g.t.Fatal(got)
	}
}

func (s state) apply(o op) {
	if o.table == "l" && s["l"] != "" {
		all := append(strings.Split(s["l"], ","), o.value)
		slices.Sort(all) // of three digits each
		s["l"] = strings.Join(all, ",")
		return
	}
	s[o.table] = o.value
}

// run plays a transaction over a state; ok is false if it would have read something else.
func (p *played) run(s state) (after state, ok bool) {
	after = maps.Clone(s)
	for _, o := range p.ops {
		if o.write {
			after.apply(o)
		} else if after[o.table] != o.value {
			return nil, false
		}
	}
	return after, true
}

func start() state { return state{"t": "0", "u": "0", "v": "0", "l": ""} }

// serial says whether the transactions, one after the other in some order, read what they read and end where they ended.
func (h *history) serial() bool {
	dead := map[string]bool{} // sets that have been placed, with the state they lead to, without success
	var place func(placed uint64, s state) bool
	place = func(placed uint64, s state) bool {
		if placed == 1<<len(h.done)-1 {
			return maps.Equal(s, h.final)
		}
		key := fmt.Sprint(placed, s)
		if dead[key] {
			return false
		}
		for i, p := range h.done {
			if placed>>i&1 == 1 {
				continue
			}
			if after, ok := p.run(s); ok && place(placed|1<<i, after) {
				return true
			}
		}
		dead[key] = true
		return false
	}
	return place(0, start())
}

// snapshots checks that each transaction has read one snapshot, which holds every earlier change of a row that it changed.
func (h *history) snapshots() error {
	states := []state{start()}
	changed := []map[string]int{{}} // of each cell, the last commit that changed it
	for i, p := range h.done {
		s, c := maps.Clone(states[i]), maps.Clone(changed[i])
		for _, o := range p.ops {
			if o.write {
				s.apply(o)
				c[o.table] = i + 1
			}
		}
		states, changed = append(states, s), append(changed, c)
	}
	for i, p := range h.done {
		found := false
		for k := p.from; k <= p.to && !found; k++ {
			_, found = p.run(states[k])
			for _, o := range p.ops {
				found = found && !(o.write && o.table != "l" && changed[i][o.table] > k)
			}
		}
		if !found {
			return fmt.Errorf("commit %d, %s, has no snapshot between the commits %d and %d that explains it", i+1, p.name, p.from, p.to)
		}
	}
	if !maps.Equal(states[len(h.done)], h.final) {
		return fmt.Errorf("the tables hold %v, the commits lead to %v", h.final, states[len(h.done)])
	}
	return nil
}

func (h *history) String() string {
	var b strings.Builder
	for i, p := range h.done {
		fmt.Fprintf(&b, "commit %d, %s, snapshot %d to %d:", i+1, p.name, p.from, p.to)
		for _, o := range p.ops {
			verb := map[bool]string{true: "writes", false: "reads"}[o.write]
			fmt.Fprintf(&b, " %s %s=%s;", verb, o.table, o.value)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "at the end %v", h.final)
	return b.String()
}
