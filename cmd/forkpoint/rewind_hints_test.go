package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// hintTrap is three nodes of which the target ran ahead of the source: it
// replayed the end of transactions that were open at the fork, was read, and
// wrote the hints of that end to pages that no later log mentions.
type hintTrap struct {
	primary, source, target *pgtest.Server
}

// spring brings the trap about. before changes rows and leaves transactions
// open or prepared; after ends them.
func spring(t *testing.T, major int, before func(p *pgtest.Server) (after func()), opts ...pgtest.Option) *hintTrap {
	t.Helper()
	h := &hintTrap{primary: pgtest.Run(t, trapOptions(major, append(opts, pgtest.Conf("bgwriter_lru_maxpages", "0"), pgtest.Conf("wal_log_hints", "on"))...)...)}
	p := h.primary
	p.Exec("CREATE TABLE t (id int, v text)", "INSERT INTO t SELECT i, 'old' FROM generate_series(1, 50) i",
		"CREATE TABLE locked (id int, v text)", "INSERT INTO locked SELECT i, 'old' FROM generate_series(1, 50) i")
	h.source, h.target = p.NewStandby(), p.NewStandby()
	h.source.Start()
	h.target.Start()
	p.Checkpoint()
	p.WaitCaughtUp(h.source)
	p.WaitCaughtUp(h.target)
	h.target.Checkpoint()
	after := before(p)
	p.Checkpoint() // the pages are not in a map that begins here
	p.WaitCaughtUp(h.source)
	p.WaitCaughtUp(h.target)
	h.source.Stop(pgtest.Fast) // the fork
	after()
	p.Exec("CREATE TABLE z (a int)", "DROP TABLE z") // moves the minimum recovery point past the end
	p.WaitCaughtUp(h.target)
	h.target.Exec("SELECT count(*) FROM t", "SELECT count(*) FROM locked") // hints
	h.target.Stop(pgtest.Fast)
	p.Stop(pgtest.Immediate)
	h.source.Start()
	h.source.Promote()
	return h
}

// same compares the standby with the source, the standby first: reading the
// source would log images that hide the damage.
func (h *hintTrap) same(t *testing.T, c hintCase) {
	t.Helper()
	got, want := h.rows(c)
	if got != want {
		t.Errorf("rewound standby has\n%s\nsource has\n%s", got, want)
	}
	// Promoted it would have made it permanent.
	h.source.Stop(pgtest.Fast)
	h.target.Promote()
	if again := h.target.Value(hintRows); again != got {
		t.Errorf("after promotion it has\n%s\nbefore\n%s", again, got)
	}
}

const hintRows = "SELECT (SELECT count(*) || ' ' || string_agg(id || v, ',' ORDER BY id, v) FROM t) || ' ' || (SELECT count(*) || ' ' || string_agg(id || v, ',' ORDER BY id, v) FROM locked)"

// rows are what the target shows, which is started, and what the source does.
func (h *hintTrap) rows(c hintCase) (target, source string) {
	if c.source != "" {
		h.source.Exec(c.source)
	}
	h.target.Start()
	h.source.WaitCaughtUp(h.target)
	target = h.target.Value(hintRows)
	return target, h.source.Value(hintRows)
}

func (h *hintTrap) args() []string {
	return []string{"--source-server", h.source.ConnString(), "-R"}
}

// open starts transactions, each in a session of its own, and returns what ends
// them with a statement.
func open(t *testing.T, p *pgtest.Server, end string, sessions ...[]string) func() {
	t.Helper()
	var conns []*pgx.Conn
	exec := func(c *pgx.Conn, sql string) {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	for _, statements := range sessions {
		c := p.Conn("postgres")
		for _, sql := range append([]string{"BEGIN"}, statements...) {
			exec(c, sql)
		}
		conns = append(conns, c)
	}
	return func() {
		for _, c := range conns {
			exec(c, end)
			c.Close(context.Background())
		}
	}
}

type hintCase struct {
	name   string
	before func(t *testing.T, p *pgtest.Server) func()
	source string // run at the source after the rewind, if anything
}

var hintTraps = []hintCase{
	{"committed after the fork", func(t *testing.T, p *pgtest.Server) func() {
		return open(t, p, "COMMIT", []string{"INSERT INTO t SELECT i, 'lost' FROM generate_series(1001, 1010) i", "UPDATE t SET v = 'lost' WHERE id <= 5"})
	}, ""},
	{"rolled back after the fork, prepared at the source", func(t *testing.T, p *pgtest.Server) func() {
		p.Exec("BEGIN", "INSERT INTO t SELECT i, 'kept' FROM generate_series(1001, 1010) i", "UPDATE t SET v = 'kept' WHERE id <= 5", "PREPARE TRANSACTION 'two'")
		return func() { p.Exec("ROLLBACK PREPARED 'two'") }
	}, "COMMIT PREPARED 'two'"},
	{"subtransactions", func(t *testing.T, p *pgtest.Server) func() {
		var s []string
		for i := range 40 { // more than 64 would keep a restarted standby closed until their end
			s = append(s, fmt.Sprintf("SAVEPOINT s%d", i), fmt.Sprintf("INSERT INTO t VALUES (%d, 'lost')", 1000+i))
		}
		return open(t, p, "COMMIT", s)
	}, ""},
	{"multixacts", func(t *testing.T, p *pgtest.Server) func() {
		return open(t, p, "COMMIT",
			[]string{"SELECT * FROM locked WHERE id <= 10 FOR KEY SHARE"},
			[]string{"SELECT * FROM locked WHERE id <= 10 FOR KEY SHARE", "UPDATE locked SET v = 'lost' WHERE id <= 10"})
	}, ""},
	{"prepared with subtransactions, committed after the fork", func(t *testing.T, p *pgtest.Server) func() {
		p.Exec("BEGIN", "UPDATE t SET v = 'lost' WHERE id <= 5", "SAVEPOINT a", "INSERT INTO t SELECT i, 'lost' FROM generate_series(1001, 1010) i", "PREPARE TRANSACTION 'two'")
		return func() { p.Exec("COMMIT PREPARED 'two'") }
	}, "ROLLBACK PREPARED 'two'"},
}

// hintTrapsOf are those for a version: two of them get all, the others one, in
// turn, and make torture gives all to all.
func hintTrapsOf(major int) []hintCase {
	if major == 15 || major == 18 || torture() {
		return hintTraps
	}
	n := major % len(hintTraps)
	return hintTraps[n : n+1]
}

// TestRewindUnloggedHints: no row of a transaction that the source's history
// ended otherwise is to be seen on the rewound standby.
func TestRewindUnloggedHints(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		for i, trap := range hintTrapsOf(major) {
			t.Run(trap.name, func(t *testing.T) {
				t.Parallel()
				h := spring(t, major, func(p *pgtest.Server) func() { return trap.before(t, p) })
				bothNames[i%2].run(t, 0, h.target, h.args()...)
				h.same(t, trap)
			})
		}
	})
}

// TestRewindUnloggedHintsWithoutWAL: the log since those transactions began is
// nowhere any more, so the target's pages themselves have to tell.
func TestRewindUnloggedHintsWithoutWAL(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		for _, trap := range hintTrapsOf(major) {
			t.Run(trap.name, func(t *testing.T) {
				t.Parallel()
				var began pg.LSN
				h := spring(t, major, func(p *pgtest.Server) func() {
					after := trap.before(t, p)
					began = p.SwitchWAL()
					p.Checkpoint()
					return after
				})
				// It is gone on both sides.
				size := h.target.SegmentSize()
				for _, s := range []*pgtest.Server{h.target, h.source} {
					names, err := filepath.Glob(filepath.Join(s.Dir(), "pg_wal", "0000000?????????????????"))
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range names {
						n, err := pg.ParseSegmentName(filepath.Base(name), size)
						if err == nil && size.Span(n.Number).To <= (began+pg.LSN(size)-1)/pg.LSN(size)*pg.LSN(size) {
							removeFile(t, name)
						}
					}
				}
				bothNames[0].run(t, 0, h.target, h.args()...)
				h.same(t, trap)
			})
		}
	})
}
