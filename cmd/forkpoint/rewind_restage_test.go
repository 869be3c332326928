package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/rewind"
	"forkpoint/walinspect/pgtest"
)

// TestRewindWALUsedAgain resumes a rewind that was killed after it had fetched
// the source's WAL. What is there and is what the source has is not fetched
// again; what was damaged since is; and what the source has recycled meanwhile
// counts, where a later segment shows that it was the source's.
func TestRewindWALUsedAgain(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 8000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = repeat('" + side + "', 100) WHERE i % 4 = 0")
			for range 8 {
				s.Exec("CREATE TABLE much AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 2000) i", "DROP TABLE much")
				s.SwitchWAL()
			}
		})
		primary, old := pair.Primary, pair.Old
		args := []string{"rewind", "-R", "-D", old.Dir(), "--source-server", primary.ConnString()}
		killed := func() (staged []string) {
			w := watch(t, append(args, "--max-rate", "2MB")...)
			w.until(`"event":"progress","phase":"copy"`)
			w.cmd.Process.Kill()
			w.ended()
			staged, err := filepath.Glob(old.Dir() + ".forkpoint/stage/00000002????????????????")
			if err != nil || len(staged) < 10 {
				t.Fatalf("%v: the stage has %q", err, staged)
			}
			return staged
		}
		anew := fromSource(t, false, args...)
		mustForkpoint(t, "rewind", "--undo", "-D", old.Dir())
		staged := killed()
		spoil(t, staged[2], func(b []byte) []byte { b[len(b)/2]++; return b })
		spoil(t, staged[3], func(b []byte) []byte { return b[:len(b)/2] })
		if n, most := fromSource(t, true, args...), anew-int64(len(staged)-4)<<20; n > most {
			t.Errorf("%d bytes were read from the source, with %d segments of WAL fetched before; a run from the beginning reads %d", n, len(staged), anew)
		}
		mustForkpoint(t, "rewind", "--undo", "-D", old.Dir())

		staged = killed()
		primary.Set("wal_keep_size", "3MB")
		primary.Reload()
		primary.Await("that the source recycles WAL", func() (bool, error) {
			primary.Checkpoint()
			_, err := os.Stat(filepath.Join(primary.Dir(), "pg_wal", filepath.Base(staged[1])))
			return os.IsNotExist(err), nil
		})
		fromSource(t, true, args...)
		pair.Rejoin(false)
		pgtest.SameData(primary, pair.Standby)
		pgtest.Amcheck(pair.Standby)
	})
}

// spoil changes a file in its place.
func spoil(t *testing.T, path string, do func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, do(b), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fromSource runs a rewind and says how much it read from its source.
func fromSource(t *testing.T, resumed bool, args ...string) int64 {
	t.Helper()
	status, last, stderr := watch(t, append(args, "--verify")...).ended()
	var result rewind.Result
	if err := json.Unmarshal([]byte(last), &result); err != nil || status != 0 || result.Resumed != resumed || result.Certificate == nil {
		t.Fatalf("status %d, resumed %t, %v, %+v: %s", status, result.Resumed, err, result.Certificate, stderr)
	}
	return result.Written.FromSource
}
