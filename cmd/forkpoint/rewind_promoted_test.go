package main

import (
	"testing"

	"forkpoint/walinspect/pgtest"
)

// promoteByAccident promotes a standby whose pages of table t are dirty since
// before the last checkpoint, and leaves the old primary in charge. before
// writes on the primary; after what it returns has run there, the standby is a
// server of its own, on which then runs.
func promoteByAccident(t *testing.T, major int, before func(p *pgtest.Server) (after func()), then func(s *pgtest.Server)) *pgtest.Pair {
	t.Helper()
	// A checkpoint after a promotion takes its time.
	pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("bgwriter_lru_maxpages", "0"), pgtest.Conf("wal_log_hints", "on"),
		pgtest.Conf("checkpoint_completion_target", "0.9"), pgtest.Conf("autovacuum", "off"))...)
	p := pair.Primary
	p.Exec("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 300) i")
	p.Checkpoint()
	p.WaitCaughtUp(pair.Standby)
	pair.Standby.Checkpoint()
	after := before(p)
	p.Checkpoint() // the pages are not in a map that begins here
	p.WaitCaughtUp(pair.Standby)
	pair.Cut()
	pair.Standby.Promote()
	then(pair.Standby)
	pair.Standby.Stop(pgtest.Fast)
	after()
	return pair
}

// comeBack rewinds the standby onto the primary and lets it follow; then it is
// promoted, for good this time, for a standby does not heed dead index entries.
func comeBack(t *testing.T, pair *pgtest.Pair, n int, query string) {
	t.Helper()
	p, s := pair.Primary, pair.Standby
	bothNames[n%2].run(t, 0, s, "--source-server", p.ConnString(), "-R")
	s.Start()
	p.WaitCaughtUp(s)
	got, want := s.Value(query), p.Value(query) // reading the source first would log images that hide the damage
	if got != want {
		t.Errorf("rewound standby has %s, the source %s", got, want)
	}
	p.Stop(pgtest.Fast)
	s.Promote()
	if got := s.Value(query); got != want {
		t.Errorf("after promotion it has %s, the source had %s", got, want)
	}
	pgtest.Amcheck(s)
}

// promotedTrap is something that a promoted standby notes on dirty pages.
type promotedTrap struct {
	name   string
	before func(t *testing.T, p *pgtest.Server) (after func())
	then   func(s *pgtest.Server)
	query  string
}

const lookUp = "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(v) FROM t WHERE id BETWEEN 1001 AND 1100"

var promotedTraps = []promotedTrap{
	{"transaction that fails by the promotion", func(t *testing.T, p *pgtest.Server) func() {
		return open(t, p, "COMMIT", []string{"INSERT INTO t SELECT i, 'kept' FROM generate_series(1001, 2000) i", "UPDATE t SET v = 'kept' WHERE id <= 5"})
	}, func(s *pgtest.Server) {
		s.Exec("SELECT count(*) FROM t", "CREATE TABLE z (a int)")
	}, "SELECT count(*) || ' ' || count(*) FILTER (WHERE v = 'kept') FROM t"},
	{"dead index entries", func(t *testing.T, p *pgtest.Server) func() {
		p.Exec("INSERT INTO t SELECT i, 'indexed' FROM generate_series(1001, 1100) i")
		return func() {}
	}, func(s *pgtest.Server) {
		s.Exec("DELETE FROM t WHERE id > 1000", lookUp, lookUp)
	}, "SELECT (SELECT count(v) FROM t WHERE id BETWEEN 1001 AND 1100) || ' ' || (SELECT v FROM t WHERE id = 1050)"},
}

// TestRewindPromotedByAccident: what a promoted standby noted on pages that
// were dirty when it was promoted, and logged nowhere, does not come back with
// it.
func TestRewindPromotedByAccident(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 15, 18}, func(t *testing.T, major int) {
		for i, c := range promotedTraps {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				pair := promoteByAccident(t, major, func(p *pgtest.Server) func() { return c.before(t, p) }, c.then)
				comeBack(t, pair, major+i, c.query)
			})
		}
	})
}
