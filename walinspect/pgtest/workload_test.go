package pgtest_test

import (
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestWorkload runs the workload twice on a primary and, after a fail-over,
// once on either side, while a standby replays it.
func TestWorkload(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		start := pair.Primary.CurrentLSN()
		pair.Primary.Workload("w1", 300)
		pair.Primary.WaitCaughtUp(pair.Standby)
		t.Logf("%d kB of WAL", (pair.Primary.CurrentLSN()-start)/1024)
	})
}
