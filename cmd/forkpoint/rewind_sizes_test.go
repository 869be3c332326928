//go:build torture

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// memoryBound is what a rewind may have resident at any size, in bytes.
const memoryBound = 100 << 20

// TestRewindManyFiles rewinds where both sides have a million small files, of
// which a thousand differ, in one folder, from a stopped and from a running
// source.
func TestRewindManyFiles(t *testing.T) {
	const files, differ = 1_000_000, 1000
	pair := divergedPair(t)
	for _, s := range []*pgtest.Server{pair.Old, pair.Primary} {
		makeFiles(t, filepath.Join(s.Dir(), "many"), files, files/differ, s.Dir())
	}
	dry := append([]string{"rewind", "--dry-run", "-D", pair.Old.Dir(), "--format", "json"}, "--source-server", pair.Primary.ConnString())
	run := append([]string{"rewind", "-D", pair.Old.Dir(), "--format", "json"}, "--source-pgdata", pair.Primary.Dir())
	fromServer := measure(t, programPath(t), dry...)
	pair.Primary.Stop(pgtest.Fast)
	fromDirectory := measure(t, programPath(t), run...)
	for name, c := range map[string]cost{"dry run, server": fromServer, "directory": fromDirectory} {
		t.Logf("%s: %v, %.0f MB resident, %d files of the plan, %d left out as the same", name, c.wall, mb(c.memory), c.result.Plan.Totals.Files, c.result.Plan.Totals.SameFiles)
		if c.memory > memoryBound {
			t.Errorf("%s: %d bytes were resident, want %d at most", name, c.memory, memoryBound)
		}
		if n := c.result.Plan.Totals.SameFiles; n < files-differ {
			t.Errorf("%s: only %d files were found the same", name, n)
		}
	}
	for _, n := range []int{0, files / 2, files - files/differ} {
		name := filepath.Join("many", fmt.Sprintf("%07d", n))
		want, err1 := os.ReadFile(filepath.Join(pair.Primary.Dir(), name))
		got, err2 := os.ReadFile(filepath.Join(pair.Old.Dir(), name))
		if err1 != nil || err2 != nil || !bytes.Equal(want, got) {
			t.Errorf("%s: %q, the source has %q (%v, %v)", name, got, want, err2, err1)
		}
	}
}

// TestRewindSparseTerabyte rewinds a cluster with a terabyte of relation files
// that are nearly all hole: those that only the source has must be copied as
// holes, and those of both not be read.
func TestRewindSparseTerabyte(t *testing.T) {
	const both, sourceOnly = 512, 512 // in gigabytes; there need be no room for them
	pair := divergedPair(t)
	for n := range both + sourceOnly {
		// A relation that no catalog knows: a file is a file.
		name := filepath.Join("base/5", "900000")
		if n > 0 {
			name += fmt.Sprintf(".%d", n)
		}
		if n < both {
			stretch(t, filepath.Join(pair.Old.Dir(), name), gigabyte)
		}
		stretch(t, filepath.Join(pair.Primary.Dir(), name), gigabyte)
	}
	pair.Primary.Stop(pgtest.Fast)
	c := measure(t, programPath(t), "rewind", "-D", pair.Old.Dir(), "--format", "json", "--source-pgdata", pair.Primary.Dir())
	t.Logf("%v, %.0f MB resident, %d bytes written, %d left as holes", c.wall, mb(c.memory), c.asked, c.result.Written.Holes)
	if c.memory > memoryBound {
		t.Errorf("%d bytes were resident, want %d at most", c.memory, memoryBound)
	}
	if c.result.Written.Holes < sourceOnly*gigabyte || c.asked > gigabyte {
		t.Errorf("%d bytes were written, %d left as holes", c.asked, c.result.Written.Holes)
	}
	for _, n := range []int{both, both + sourceOnly - 1} {
		info, err := os.Stat(filepath.Join(pair.Old.Dir(), fmt.Sprintf("base/5/900000.%d", n)))
		if err != nil || info.Size() != gigabyte {
			t.Errorf("segment %d: %v, %v", n, info, err)
		}
	}
}

// divergedPair is a pair after a fail-over; the source runs.
func divergedPair(t *testing.T) *pgtest.Pair {
	t.Helper()
	majors := pgtest.Majors(t)
	pair := pgtest.NewPair(t, pgtest.Major(majors[len(majors)-1]), pgtest.Conf("wal_keep_size", "512MB"))
	pair.Primary.Exec("CREATE TABLE t (n int)")
	pair.Primary.Checkpoint()
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec("INSERT INTO t SELECT generate_series(1, 1000)")
	})
	return pair
}

// makeFiles makes a folder of small files, of which each step-th says whose it
// is and the others are the same everywhere: names of one file. It does not hold
// all names, for what this process has resident counts for what it starts.
func makeFiles(t *testing.T, dir string, files, step int, whose string) {
	t.Helper()
	own := func(name string, err error) {
		t.Helper()
		if err := errors.Join(err, pgtest.Own(name)); err != nil {
			t.Fatal(err)
		}
	}
	own(dir, os.Mkdir(dir, 0o700))
	same := dir + ".same"
	own(same, os.WriteFile(same, []byte("the same everywhere"), 0o600))
	for n := range files {
		name := filepath.Join(dir, fmt.Sprintf("%07d", n))
		if n%step == 0 {
			own(name, os.WriteFile(name, fmt.Appendf(nil, "file %d of %s", n, whose), 0o600))
		} else if err := os.Link(same, name); err != nil {
			t.Fatal(err)
		}
	}
}
