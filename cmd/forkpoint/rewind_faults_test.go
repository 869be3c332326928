package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindFaults fails the operations of a whole rewind one by one, with an
// error, a short write, and death, which may come with loss of power: what was
// not flushed is then lost, whole, in part, or out of order; or the disk is full
// from there on, until somebody makes room. After each, undo
// gives back the old target, to the last time of a file, and the same command
// run again gives the target that an undisturbed rewind gives, of which a real
// server shows that it replays to equality. "make torture" fails them all.
func TestRewindFaults(t *testing.T) {
	t.Parallel()
	majors := pgtest.Majors(t)
	major := majors[len(majors)-1]
	base := pgtest.Scratch(t)
	makeFaultWorld(t, major, base)
	seed := chosenSeed(t)
	for i, mode := range []string{"error", "short", "kill", "full"} {
		t.Run(mode, func(t *testing.T) {
			first, step := 0, 1
			if !torture() {
				step = []int{120, 150, 60, 120}[i]
				first = int(seed>>8) % step
			}
			program := filepath.Join(filepath.Dir(pgtest.Executable(t)), "faultworld")
			if err := os.Symlink(pgtest.Executable(t), program); err != nil {
				t.Fatal(err)
			}
			cmd := pgtest.RunAs(exec.Command(program, base, mode, strconv.Itoa(first), strconv.Itoa(step), strconv.FormatUint(seed, 10)))
			out, err := cmd.CombinedOutput()
			t.Logf("from operation %d, each %dth: %s", first, step, out)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), "operations failed") {
				t.Error("no count of operations")
			}
		})
	}
}

// makeFaultWorld makes a pair that has parted, small ("data" and "source"), and
// what a rewind of the whole of it gives ("proven"), on which a real server
// comes up with the data of its source.
func makeFaultWorld(t *testing.T, major int, base string) {
	t.Helper()
	pair := pgtest.NewPair(t, trapOptions(major)...)
	pair.Primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 2000) i",
		"CREATE TABLE cut AS SELECT * FROM t", "CREATE TABLE grown AS SELECT * FROM t", "CREATE TABLE gone AS SELECT * FROM t", "VACUUM",
		"CREATE UNLOGGED TABLE u AS SELECT * FROM t", "CHECKPOINT", "UPDATE t SET v = 'before' WHERE i % 9 = 0")
	pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE t SET v = '"+side+"' WHERE i % 4 = 0", "CREATE TABLE only_"+side+" AS SELECT * FROM t", "VACUUM t")
		if side == "new" {
			s.Exec("TRUNCATE cut", "INSERT INTO grown SELECT * FROM t", "DROP TABLE gone")
		} else {
			s.Exec("TRUNCATE grown", "INSERT INTO cut SELECT * FROM t", "UPDATE gone SET v = 'old'")
		}
		s.Exec("SET allow_in_place_tablespaces = on", "CREATE TABLESPACE place_"+side+" LOCATION ''",
			"CREATE TABLE in_place TABLESPACE place_"+side+" AS SELECT * FROM t WHERE i < 50", "CHECKPOINT")
	})
	pair.Primary.Stop(pgtest.Fast)
	copyDir(t, pair.Old.Dir(), base+"/data")
	copyDir(t, pair.Primary.Dir(), base+"/source")
	mustForkpoint(t, "rewind", "-D", pair.Old.Dir(), "--source-pgdata", pair.Primary.Dir())
	copyDir(t, pair.Old.Dir(), base+"/proven")
	pair.Primary.Start()
	pair.Rejoin(true)
	pgtest.SameData(pair.Primary, pair.Standby)
	pgtest.Amcheck(pair.Standby)
	dropEqual(t, base+"/data/base", base+"/source/base")
	if err := errors.Join(os.Mkdir(base+"/data.forkpoint", 0o700), pgtest.Own(base)); err != nil {
		t.Fatal(err)
	}
}

// dropEqual removes the relation files that two directories have in common and
// that no rewind would touch, so that there is little to look at.
func dropEqual(t *testing.T, a, b string) {
	t.Helper()
	err := filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "PG_VERSION" || strings.HasPrefix(d.Name(), "pg_") || strings.HasSuffix(d.Name(), "_init") {
			return err
		}
		other := b + strings.TrimPrefix(path, a)
		left, err := os.ReadFile(path)
		right, missing := os.ReadFile(other)
		if err != nil || missing != nil || !bytes.Equal(left, right) {
			return err
		}
		return errors.Join(os.Remove(path), os.Remove(other))
	})
	if err != nil {
		t.Fatal(err)
	}
}
