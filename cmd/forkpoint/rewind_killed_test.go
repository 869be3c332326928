package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// TestRewindKilled kills rewinds at random moments. After every other one the
// same command is run again, and the target must start and be equal to its
// source; after the others the rewind is undone, and every file must be as it
// was. "make torture" does it two hundred times.
func TestRewindKilled(t *testing.T) {
	rounds := 4
	if os.Getenv("FORKPOINT_TORTURE") != "" {
		rounds = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		if rounds == 4 && major != 13 && major != 18 {
			return // the versions between are for make torture
		}
		killedRounds(t, major, rounds, rand.New(rand.NewPCG(seed, uint64(major))))
	})
}

func killedRounds(t *testing.T, major, rounds int, random *rand.Rand) {
	pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1),
		pgtest.Conf("wal_keep_size", "512MB"), pgtest.Conf("allow_in_place_tablespaces", "on"))
	pair.Primary.Workload("shared", 200)
	pair.Primary.Checkpoint()
	pair.Diverge(pgtest.Kill9, func(s *pgtest.Server, side string) { s.Workload(side, 200) })
	dir := pair.Old.Dir()
	orig := dir + ".orig"
	copyDir(t, dir, orig)
	before := tree(t, orig)
	command := []string{"rewind", "-R", "-D", dir, "--source-server", pair.Primary.ConnString()}

	began := time.Now()
	mustForkpoint(t, command...)
	whole := time.Since(began)
	for round := range rounds {
		resetDir(t, orig, dir)
		after := time.Duration(random.Int64N(int64(whole)))
		kill(t, after, command...)
		if round%2 == 1 {
			mustForkpoint(t, "rewind", "--undo", "-D", dir)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Fatalf("round %d, killed after %v: undo left differences\n%s", round, after, diff)
			}
			continue
		}
		mustForkpoint(t, command...)
		mustForkpoint(t, "verify", "-D", dir)
		pair.Old.Start()
		pair.Primary.WaitCaughtUp(pair.Old)
		pgtest.SameData(pair.Primary, pair.Old)
		pair.Old.Stop(pgtest.Fast)
	}
}

// kill runs forkpoint and kills it after a while, if it is not done by then.
func kill(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	cmd := pgtest.RunAs(exec.Command(programPath(t), args...))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait() // killed, or done before
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// resetDir makes the target what it was, without any trace of a rewind.
func resetDir(t *testing.T, orig, dir string) {
	t.Helper()
	for _, d := range []string{dir, dir + ".forkpoint"} {
		if err := os.RemoveAll(d); err != nil {
			t.Fatal(err)
		}
	}
	copyDir(t, orig, dir)
}

// tree describes every name below a directory: what it is, its permissions,
// and for files also time and contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	names := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if name == "postmaster.pid" {
			return nil // of the server that was killed: who locks the directory clears it away
		}
		what := info.Mode().String()
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %d %x %v", info.Size(), sha256.Sum256(b), info.ModTime().UnixNano())
		}
		names[name] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 100 {
		t.Fatalf("%s holds only %v", dir, slices.Sorted(maps.Keys(names)))
	}
	return names
}
