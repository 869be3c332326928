package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindHistories swaps the roles of two servers over many rounds of random
// work: before each fail-over, on the side that loses, and on the side that
// wins. After each the loser is rewound and must not differ from the winner in
// anything. "make torture" does a hundred rounds over all versions.
func TestRewindHistories(t *testing.T) {
	seed := chosenSeed(t)
	run := func(t *testing.T, major, rounds int) {
		h := newHistory(t, major, rand.New(rand.NewPCG(seed, uint64(major))))
		for round := range rounds {
			if h.round(round); t.Failed() {
				t.Fatalf("round %d\n%s", round, strings.Join(h.log, "\n"))
			}
		}
	}
	if torture() {
		pgtest.EachMajor(t, func(t *testing.T, major int) { run(t, major, 17) })
		return
	}
	pgtest.TheseMajors(t, []int{14, 17}, func(t *testing.T, major int) {
		t.Parallel()
		run(t, major, 2)
	})
}

// history is the life of a pair.
type history struct {
	t      *testing.T
	pair   *pgtest.Pair
	chance *rand.Rand
	serial int
	log    []string // what was done in this round
}

func newHistory(t *testing.T, major int, chance *rand.Rand) *history {
	pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("wal_keep_size", "1GB"), pgtest.Conf("lock_timeout", "200ms"))...)
	h := &history{t: t, pair: pair, chance: chance}
	for range 3 {
		h.step(pair.Primary, "create")
	}
	return h
}

func (h *history) one(of ...string) string { return of[h.chance.IntN(len(of))] }

func (h *history) round(round int) {
	h.log = nil
	p := h.pair
	h.work(p.Primary, 6)
	if h.chance.IntN(2) == 0 {
		p.Primary.WaitCaughtUp(p.Standby)
		h.do(p.Standby, "CHECKPOINT") // a restartpoint
	}
	h.work(p.Primary, 3)
	late := h.open(p.Primary)
	how := pgtest.StopMode(h.chance.IntN(3))
	if h.chance.IntN(3) == 0 {
		h.note("cut off, then %v", how)
		p.Cut()
		h.work(p.Primary, 6)
		late()
		p.FailOver(how)
		h.work(p.Primary, 6)
	} else {
		h.note("both go on, then %v", how)
		p.Diverge(how, func(s *pgtest.Server, side string) {
			h.work(s, 6)
			if side == "old" {
				late()
			}
		})
	}
	h.rewind()
	pgtest.SameData(p.Primary, p.Standby)
	amcheckStandby(p.Primary, p.Standby)
	if round%2 == 1 {
		p.Standby.Stop(pgtest.Fast)
		checkPages(h.t, p.Standby)
		p.Standby.Start()
	}
}

// amcheckStandby checks a standby once it has been told which transactions are in
// progress. Until then it takes those for it that were when its primary was
// promoted, and the check of update chains, of 16 and later, finds fault with
// tuples that they left and that were updated again since, on any standby.
func amcheckStandby(primary, standby *pgtest.Server) {
	if primary.Major() >= 16 {
		primary.Exec("SELECT pg_log_standby_snapshot()")
		if len(primary.Query("SELECT 1 FROM pg_prepared_xacts")) > 0 {
			// What is younger than the oldest in progress a standby does not drop
			// for being told (ExpireOldKnownAssignedTransactionIds). One that starts
			// from a checkpoint after the promotion has never heard of it.
			primary.Exec("CHECKPOINT")
			primary.WaitCaughtUp(standby)
			standby.Exec("CHECKPOINT")
			standby.Stop(pgtest.Fast)
			standby.Start()
		}
		primary.WaitCaughtUp(standby)
	}
	pgtest.Amcheck(standby)
}

// rewind rewinds the old primary and lets it follow the new one.
func (h *history) rewind() {
	p := h.pair
	if h.chance.IntN(2) == 0 {
		h.note("rewound from the running server")
		mustForkpoint(h.t, "rewind", "-R", "-D", p.Old.Dir(), "--source-server", p.Primary.ConnString())
		p.Rejoin(false)
		return
	}
	h.note("rewound from the stopped server")
	p.Primary.Stop(pgtest.Fast)
	mustForkpoint(h.t, "rewind", "-D", p.Old.Dir(), "--source-pgdata", p.Primary.Dir())
	p.Primary.Start()
	p.Rejoin(true)
}

// open begins a transaction that changes something and is in progress while the
// standby is promoted. The function that it returns ends it.
func (h *history) open(s *pgtest.Server) (end func()) {
	conn := s.Conn("postgres")
	table := h.table(s)
	h.note("a transaction in progress updates %s", table)
	for _, sql := range []string{"BEGIN", "SAVEPOINT a", "UPDATE " + table + " SET n = n + 1 WHERE i % 3 = 0",
		"INSERT INTO " + table + " SELECT i, 0, 'open' FROM generate_series(1, 200) i"} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			h.note("%v", err) // a prepared transaction has the rows
		}
	}
	last := h.one("COMMIT", "ROLLBACK", "SELECT 1")
	return func() {
		conn.Exec(context.Background(), last) // may have failed above
		conn.Close(context.Background())
		h.note("%s", last)
	}
}

// work does n steps.
func (h *history) work(s *pgtest.Server, n int) {
	for range n {
		h.step(s, h.one("create", "create", "insert", "insert", "update", "update", "delete", "read", "truncate", "drop",
			"vacuum", "vacuum full", "freeze", "rewrite", "unlogged", "logged", "reindex", "database", "drop database",
			"checkpoint", "switch", "prepare", "finish", "rollback", "sequence", "object", "grow"))
	}
}

// table is a table that is there, chosen at random.
func (h *history) table(s *pgtest.Server) string {
	rows := s.Query("SELECT relname FROM pg_class WHERE relname LIKE 'h\\_%' AND relkind = 'r' ORDER BY 1")
	if len(rows) == 0 {
		h.step(s, "create")
		return h.table(s)
	}
	return rows[h.chance.IntN(len(rows))][0]
}

func (h *history) step(s *pgtest.Server, what string) {
	h.serial++
	name := fmt.Sprintf("h_%d", h.serial)
	if what == "create" || what == "unlogged" && h.chance.IntN(2) == 0 {
		kind := map[string]string{"create": "TABLE ", "unlogged": "UNLOGGED TABLE "}[what]
		method := h.one("btree (i)", "btree (v, n)", "hash (v)", "gin ((ARRAY[n, i]))", "gist (int4range(n, n + i))", "spgist (v)", "brin (i)")
		h.do(s, "CREATE "+kind+name+" (i int, n int, v text) WITH (fillfactor = 80)", "CREATE INDEX ON "+name+" USING "+method,
			fmt.Sprintf("INSERT INTO %s SELECT i, i %% 50, 'value ' || i FROM generate_series(1, %d) i", name, 200+h.chance.IntN(3000)))
		return
	}
	switch what {
	case "checkpoint":
		h.do(s, "CHECKPOINT")
		return
	case "switch":
		h.do(s, "SELECT pg_switch_wal()")
		return
	case "database":
		strategy := ""
		if s.Major() >= 15 {
			strategy = h.one("", " STRATEGY wal_log", " STRATEGY file_copy")
		}
		if h.do(s, "CREATE DATABASE "+name+strategy) {
			s.ExecIn(name, "CREATE TABLE inside AS SELECT i FROM generate_series(1, 1000) i")
		}
		return
	case "drop database":
		if rows := s.Query("SELECT datname FROM pg_database WHERE datname LIKE 'h\\_%' ORDER BY 1"); len(rows) > 0 {
			h.do(s, "DROP DATABASE "+rows[h.chance.IntN(len(rows))][0])
		}
		return
	case "finish":
		for _, row := range s.Query("SELECT gid FROM pg_prepared_xacts ORDER BY 1") {
			h.do(s, h.one("COMMIT", "ROLLBACK")+" PREPARED '"+row[0]+"'")
		}
		return
	case "sequence":
		h.do(s, "CREATE SEQUENCE IF NOT EXISTS h_seq", "SELECT nextval('h_seq') FROM generate_series(1, 50)")
		return
	case "object":
		h.do(s, "SELECT lo_from_bytea(0, decode(repeat('0102030405', 3000), 'hex'))")
		return
	}
	t := h.table(s)
	k := 2 + h.chance.IntN(9)
	change := fmt.Sprintf("UPDATE %s SET n = n + 1, v = v || '.' WHERE i %% %d = 0", t, k)
	h.do(s, map[string][]string{
		"insert":      {fmt.Sprintf("INSERT INTO %s SELECT i, i %% 50, repeat('x', i %% 200) FROM generate_series(1, %d) i", t, h.chance.IntN(3000))},
		"update":      {change},
		"delete":      {fmt.Sprintf("DELETE FROM %s WHERE i %% %d = 0", t, k)},
		"read":        {"SELECT count(*) FROM " + t},
		"truncate":    {"TRUNCATE " + t, "INSERT INTO " + t + " VALUES (1, 1, 'after')"},
		"drop":        {"DROP TABLE " + t},
		"vacuum":      {fmt.Sprintf("DELETE FROM %s WHERE i > %d", t, h.chance.IntN(3000)), "VACUUM " + t},
		"vacuum full": {"VACUUM FULL " + t},
		"freeze":      {"VACUUM (FREEZE, ANALYZE) " + t},
		"rewrite":     {"ALTER TABLE " + t + " ADD COLUMN " + name + " text DEFAULT md5(random()::text)", "ALTER TABLE " + t + " ALTER v TYPE varchar"},
		"unlogged":    {"ALTER TABLE " + t + " SET UNLOGGED"},
		"logged":      {"ALTER TABLE " + t + " SET LOGGED"},
		"reindex":     {h.one("REINDEX TABLE "+t, "VACUUM FULL pg_class", "REINDEX TABLE pg_attribute")},
		"prepare":     {"BEGIN", change, "PREPARE TRANSACTION '" + name + "'"},
		"rollback":    {"BEGIN", change, "SAVEPOINT a", "DELETE FROM " + t + " WHERE i % 7 = 0", "ROLLBACK TO a", h.one("COMMIT", "ROLLBACK")},
		"grow":        {fmt.Sprintf("INSERT INTO %s SELECT i, i, repeat('y', 300) FROM generate_series(1, 5000) i", t), h.one("SELECT 1", "CHECKPOINT")},
	}[what]...)
}

// do runs statements in one session. One that a lock of an open or prepared
// transaction keeps from running is left out, with those after it; so is a
// prepared transaction too many.
func (h *history) do(s *pgtest.Server, statements ...string) bool {
	h.t.Helper()
	h.note("%s: %s", s, strings.Join(statements, "; "))
	err := s.TryExecIn("postgres", statements...)
	if err == nil {
		return true
	}
	for _, known := range []string{"lock timeout", "maximum number of prepared transactions", "being accessed by other users"} {
		if strings.Contains(err.Error(), known) {
			h.note("  %v", err)
			return false
		}
	}
	h.t.Fatalf("%v\n%s", err, strings.Join(h.log, "\n"))
	return false
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}
