package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindWALRecycledMeanwhile: while its files are copied the source writes
// on, and has recycled what it wrote by the time that it is fetched. An archive
// has it. Without one the target stays barred, and the same command goes on once
// it is told of the archive.
func TestRewindWALRecycledMeanwhile(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("archive named %t", named), func(t *testing.T) {
				t.Parallel()
				pair := pgtest.NewPair(t, trapOptions(major)...)
				pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 12000) i", "CHECKPOINT")
				pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
					s.Exec("UPDATE t SET v = repeat('" + side[:1] + "', 500) WHERE i % 2 = 0")
				})
				archive := filepath.Join(pair.Old.Home(), "archive")
				args := []string{"rewind", "-R", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString()}
				more := []string{"--archive", archive}
				if err := os.Mkdir(archive, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := pgtest.Own(archive); err != nil {
					t.Fatal(err)
				}
				if named {
					args, more = append(args, more...), nil
				}
				w := watch(t, append(args, "--max-rate", "4MB")...)
				w.until(`"barred"`)
				signalled(syscall.SIGSTOP)(w, nil)
				archived := recycle(t, pair.Primary, archive)
				signalled(syscall.SIGCONT)(w, nil)
				status, last, stderr := w.ended()
				if named {
					if status != 0 || !strings.Contains(last, "was gone from the source's pg_wal and came from an archive") {
						t.Fatalf("status %d: %s\n%s", status, last, stderr)
					}
				} else {
					if status != int(statusInterrupted) || !strings.Contains(stderr, archived) || !strings.Contains(stderr, "no archive that was named has it") {
						t.Fatalf("status %d: %s\n%s", status, last, stderr)
					}
					mustForkpoint(t, append(args, more...)...)
				}
				pair.Rejoin(false)
				pgtest.SameData(pair.Primary, pair.Standby)
				pgtest.Amcheck(pair.Standby)
			})
		}
	})
}

// recycle makes a server write three segments and moves what it has completed
// to an archive. It returns the name of the first.
func recycle(t *testing.T, s *pgtest.Server, archive string) string {
	t.Helper()
	size := s.SegmentSize()
	first := size.Number(s.CurrentLSN() - 1)
	for range 3 {
		s.Exec("UPDATE t SET v = v WHERE i < 100")
		s.SwitchWAL()
	}
	for n := first; n < size.Number(s.CurrentLSN()-1); n++ {
		name := size.Name(2, n)
		if err := os.WriteFile(filepath.Join(archive, name), []byte(s.ReadFile("pg_wal/"+name)), 0o644); err != nil {
			t.Fatal(err)
		}
		removeFile(t, filepath.Join(s.Dir(), "pg_wal", name))
	}
	return size.Name(2, first)
}
