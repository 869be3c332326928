package main

import (
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// receivedOnly are two standbys of a primary that is gone: a was cut off from it,
// and b has received log past that place and was stopped before it replayed any.
func receivedOnly(t *testing.T, major int) (a, b *pgtest.Server) {
	t.Helper()
	primary, a, b := twoStandbys(t, major)
	cut(a)
	b.Exec("SELECT pg_wal_replay_pause()")
	primary.Exec("UPDATE t SET v = 'lost' WHERE i % 2 = 0", "CHECKPOINT", "UPDATE t SET v = 'lost too' WHERE i % 3 = 0")
	end := primary.CurrentLSN()
	b.Await("receipt of "+end.String(), func() (bool, error) {
		rows, err := b.TryQueryIn("postgres", "SELECT pg_last_wal_receive_lsn() >= $1::pg_lsn", end.String())
		return err == nil && rows[0][0] == "t", err
	})
	b.Stop(pgtest.Fast)
	primary.Stop(pgtest.Immediate)
	return a, b
}

// TestRewindUnreplayed: the target is a standby that has received log past the
// fork and was stopped before it replayed any. None of its pages is wrong, but
// its next start would go on with that log, past the fork.
func TestRewindUnreplayed(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		a, b := receivedOnly(t, major)
		a.Promote()
		own(a, "a")
		name := bothNames[major%2]
		if out := rejoin(t, name, b, a, major%3 > 0); !strings.Contains(strings.Join(strings.Fields(out), " "), "has received more, past the fork") {
			t.Errorf("no word of it: %s", out)
		}
		// Behind the fork there is nothing to do.
		b.Stop(pgtest.Fast)
		a.Exec("CREATE TABLE more AS SELECT 1 AS n")
		if out := name.run(t, 0, b, "--source-server", a.ConnString()); strings.Contains(out, "has received more") {
			t.Errorf("it follows already: %s", out)
		}
	})
}
