//go:build torture

package main

import (
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestPromotedTrapsAreTraps: both cases of TestRewindPromotedByAccident catch
// pg_rewind itself.
func TestPromotedTrapsAreTraps(t *testing.T) {
	pgtest.TheseMajors(t, pgtest.OracleMajors(t, "pg_rewind"), func(t *testing.T, major int) {
		for _, c := range promotedTraps {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				pair := promoteByAccident(t, major, func(p *pgtest.Server) func() { return c.before(t, p) }, c.then)
				p, s := pair.Primary, pair.Standby
				if out, err := s.PgRewind("--source-server", p.ConnString(), "-R"); err != nil {
					t.Fatal(err, out)
				}
				s.Start()
				p.WaitCaughtUp(s)
				early := s.Value(c.query)
				want := p.Value(c.query)
				p.Stop(pgtest.Fast)
				s.Promote()
				if late := s.Value(c.query); early == want && late == want {
					t.Errorf("pg_rewind %d was not caught: %s", major, want)
				}
			})
		}
	})
}
