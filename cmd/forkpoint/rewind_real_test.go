package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// forkpoint runs the real command line as the servers' OS user and returns
// its exit status and what it printed.
func forkpoint(t *testing.T, args ...string) (status int, output string) {
	t.Helper()
	cmd := pgtest.RunAs(exec.Command(programPath(t), args...))
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

// programPath is the path of the command, which is this test binary under
// another name.
func programPath(t testing.TB) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(pgtest.Executable(t)), "forkpoint")
	if err := os.Symlink(pgtest.Executable(t), program); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return program
}

// mustForkpoint is forkpoint where only status 0 will do.
func mustForkpoint(t *testing.T, args ...string) string {
	t.Helper()
	status, out := forkpoint(t, args...)
	if status != 0 {
		t.Fatalf("forkpoint %q: exit status %d\n%s", args, status, out)
	}
	return out
}

// TestRewindReal is the whole incident on real servers of every version: both
// sides write after the fork, the old primary stops in good order or crashes,
// is rewound from a running or a stopped source, and follows the new one. At the
// end every page of it has the right checksum.
func TestRewindReal(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		for _, how := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate} {
			for _, live := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v/live=%v", how, live), func(t *testing.T) {
					t.Parallel()
					rewindOnce(t, major, smallest, how, live)
				})
			}
		}
	})
}

// smallest is the WAL segment size in megabytes with which servers have the
// most segments to deal with.
const smallest = 1

// TestRewindSegmentSizes is the incident with larger WAL segments, up to the
// largest in the long tests.
func TestRewindSegmentSizes(t *testing.T) {
	sizes := []int{16, 128}
	if torture() {
		sizes = append(sizes, 1024)
	}
	for i, size := range sizes {
		live := i%2 == 0
		t.Run(fmt.Sprintf("%dMB", size), func(t *testing.T) {
			pgtest.TheseMajors(t, []int{14, 18}, func(t *testing.T, major int) { rewindOnce(t, major, size, pgtest.Immediate, live) })
		})
	}
}

func rewindOnce(t *testing.T, major, segMB int, how pgtest.StopMode, live bool) {
	// The workload makes a tablespace inside the data directory. A server that
	// comes to consistency with one takes it for damage unless it is told.
	opts := []pgtest.Option{
		pgtest.Major(major), pgtest.SegSize(segMB), pgtest.Conf("wal_keep_size", "512MB"),
		pgtest.Conf("allow_in_place_tablespaces", "on"),
	}
	pair := pgtest.NewPair(t, opts...)
	pair.Primary.Workload("shared", 300)
	pair.Primary.Checkpoint()
	pair.Primary.Workload("before", 100)
	pair.Diverge(how, func(s *pgtest.Server, side string) {
		s.Workload(side, 200)
	})
	source := []string{"--source-server", pair.Primary.ConnString(), "-R"}
	if !live {
		pair.Primary.Stop(pgtest.Fast)
		source = []string{"--source-pgdata", pair.Primary.Dir()}
	}
	args := append([]string{"rewind", "--target-pgdata", pair.Old.Dir()}, source...)
	t.Log(mustForkpoint(t, args...))
	if !live {
		pair.Primary.Start()
	}
	pair.Rejoin(!live)
	sameDumps(t, pair.Primary, pair.Standby)
	pgtest.Amcheck(pair.Standby)
	pair.Standby.Stop(pgtest.Fast)
	checkPages(t, pair.Standby)
}

// sameDumps compares all data of two servers, by SQL and where it is at hand by
// pg_dumpall.
func sameDumps(t *testing.T, a, b *pgtest.Server) {
	t.Helper()
	pgtest.SameData(a, b)
	if a.HasProgram("pg_dumpall") && a.PgDumpAll() != b.PgDumpAll() {
		t.Errorf("pg_dumpall of %s and of %s differ", a, b)
	}
}
