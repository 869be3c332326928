package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestRewindWALRecycled: the target lacks the segment with the last common
// checkpoint. It may be known from an index, lie in an archive, at the source
// or behind a restore_command; else its name is in the refusal.
func TestRewindWALRecycled(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		for _, where := range []string{"index", "archive", "source", "restore command", "restore command elsewhere", "option", "nowhere", "after the fork"} {
			t.Run(where, func(t *testing.T) {
				t.Parallel()
				walRecycled(t, major, where)
			})
		}
	})
}

func walRecycled(t *testing.T, major int, where string) {
	pair := pgtest.NewPair(t, trapOptions(major)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
	// The checkpoint lies at the beginning of a segment, the fork in a later one.
	pair.Primary.SwitchWAL()
	pair.Primary.Checkpoint()
	checkpoint := pair.Primary.CurrentLSN()
	pair.Primary.Exec("UPDATE t SET v = 'before' WHERE i % 9 = 0")
	pair.Primary.SwitchWAL()
	pair.Primary.Exec("UPDATE t SET v = 'later' WHERE i % 10 = 0")
	pair.Primary.SwitchWAL()
	var lost pg.LSN
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
		if side == "old" {
			lost = s.SwitchWAL()
			s.Exec("UPDATE t SET v = 'last' WHERE i % 4 = 1")
		}
	})
	old, size := pair.Old, pair.Old.SegmentSize()
	first := size.Name(1, size.Number(checkpoint))
	last := size.Name(1, size.Number(lost-1))
	missing := []string{first, size.Name(1, size.Number(checkpoint)+1)}
	if where == "after the fork" {
		missing = []string{last}
	}
	archive := filepath.Join(old.Home(), "archive")
	if err := os.Mkdir(archive, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"--source-server", pair.Primary.ConnString(), "-R"}
	both, status, want := false, 0, ""
	command := fmt.Sprintf(`cp "%s/%%f" "%%p"`, archive)
	switch where {
	case "index":
		mustForkpoint(t, "index", old.Dir())
	case "archive":
		args = append(args, "--archive", archive)
	case "restore command":
		old.Set("restore_command", command)
		args, both = append(args, "-c"), true
	case "restore command elsewhere":
		conf := filepath.Join(old.Home(), "elsewhere.conf")
		if err := os.WriteFile(conf, []byte("restore_command = '"+command+"'\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		args, both = append(args, "-c", "--config-file="+conf), true
	case "option":
		args = append(args, "--restore-command", command)
	case "nowhere":
		status, want = 6, first
	case "after the fork":
		status, want = 6, last
	}
	for _, name := range missing {
		from := filepath.Join(old.Dir(), "pg_wal", name)
		b, err := os.ReadFile(from)
		if err == nil && status == 0 {
			err = os.WriteFile(filepath.Join(archive, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		removeFile(t, from)
		// For replay the source has it in "index", "source" and "after the fork".
		if where == "nowhere" || where == "archive" || where == "option" || both {
			removeFile(t, filepath.Join(pair.Primary.Dir(), "pg_wal", name))
		}
	}
	if err := pgtest.Own(archive); err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		before := treeState(t, old.Dir())
		if out := bothNames[0].run(t, status, old, args...); !strings.Contains(out, want) {
			t.Errorf("the refusal does not name %s: %s", want, out)
		}
		out := bothNames[1].run(t, 1, old, args...)
		if !strings.Contains(out, fmt.Sprintf("could not open file %q: No such file or directory", filepath.Join(old.Dir(), "pg_wal", missing[len(missing)-1]))) {
			t.Errorf("Patroni, which goes backwards, would not know what to fetch: %s", out)
		}
		if got := changedFiles(before, treeState(t, old.Dir())); len(got) > 0 {
			t.Errorf("the refused run changed %q", got)
		}
		return
	}
	if both {
		bothNames[1].run(t, 0, old, append(args, "--dry-run")...)
	}
	rewound(t, pair, args[3:]...)
}

// TestRewindCrashes: the target was killed under load, with stale files lying
// about.
func TestRewindCrashes(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 5000) i", "CHECKPOINT",
			"UPDATE t SET v = 'before' WHERE i % 7 = 0")
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.Split()
		pair.Primary.Exec("UPDATE t SET v = 'new' WHERE i % 3 = 0", "VACUUM t")
		load := make(chan error, 2)
		for n := range 2 {
			go func() {
				var err error
				for i := 0; err == nil; i++ {
					err = pair.Old.TryExecIn("postgres", fmt.Sprintf("UPDATE t SET v = 'load %d' WHERE i %% 20 = %d", i, n),
						fmt.Sprintf("CREATE TABLE load_%d_%d AS SELECT i FROM generate_series(1, 1000) i", n, i), fmt.Sprintf("DROP TABLE IF EXISTS \"load_%d_%d\"", n, i-2), "CHECKPOINT")
				}
				load <- err // the server went away
			}()
		}
		pair.Old.Await("load", func() (bool, error) {
			rows, err := pair.Old.TryQueryIn("postgres", "SELECT count(*) FROM pg_class WHERE relname ~ '^load_._[5-9]'")
			return err == nil && rows[0][0] != "0", err
		})
		pair.Old.Stop(pgtest.Kill9)
		<-load
		<-load
		pair.Old.WriteFile("standby.signal", "")
		pair.Old.WriteFile("postmaster.pid", "999999999\n"+pair.Old.Dir()+"\n1700000000\n5432\n\n\n  0 0\nready   \n")
		rewound(t, pair)
	})
}

// TestRewindCrashedStandby: the target is a standby that was killed before it
// came to a restartpoint at the last common checkpoint. Pages that it replayed
// before that checkpoint are only in the log.
func TestRewindCrashedStandby(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, trapOptions(major, pgtest.Conf("bgwriter_lru_maxpages", "0"))...)
		primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		source, target := primary.NewStandby(), primary.NewStandby()
		source.Start()
		target.Start()
		primary.Checkpoint()
		primary.WaitCaughtUp(target)
		target.Checkpoint()
		primary.Exec("UPDATE t SET v = 'only in memory'", "CHECKPOINT", "CREATE TABLE later AS SELECT 1 AS n")
		primary.WaitCaughtUp(source)
		source.Stop(pgtest.Fast) // the fork
		primary.Exec("CREATE TABLE lost AS SELECT 1 AS n")
		primary.WaitCaughtUp(target)
		target.Stop(pgtest.Kill9)
		primary.Stop(pgtest.Fast)
		source.Start()
		source.Promote()
		source.Exec("CREATE TABLE new AS SELECT 1 AS n")
		rewoundFrom(t, target, source)
	})
}

// TestRewindDamagedWAL: a segment that replay needs is there, and of the right
// size, but damaged: at the source, or at the target where nobody would look
// because the source has one of the same name.
func TestRewindDamagedWAL(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		pair.Primary.SwitchWAL()
		pair.Primary.Checkpoint()
		shared := pair.Primary.CurrentLSN()
		pair.Primary.Exec("UPDATE t SET v = 'before' WHERE i % 2 = 0")
		pair.Primary.SwitchWAL()
		var fresh pg.LSN
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			fresh = s.CurrentLSN()
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
			s.SwitchWAL()
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 1")
		})
		old, source, size := pair.Old, pair.Primary, pair.Old.SegmentSize()
		args := []string{"--source-server", source.ConnString()}
		for _, tt := range []struct {
			of   *pgtest.Server
			name string
		}{{source, size.Name(2, size.Number(fresh))}, {old, size.Name(1, size.Number(shared))}} {
			path := "pg_wal/" + tt.name
			whole := tt.of.ReadFile(path)
			at := 40_000 // in the middle of the records of an UPDATE
			tt.of.WriteFile(path, whole[:at]+"damaged!"+whole[at+8:])
			before := treeState(t, old.Dir())
			for _, r := range bothNames {
				want := 6
				if r.name == "pg_rewind" {
					want = 1
				}
				for _, way := range [][]string{args, append([]string{"--dry-run"}, args...)} {
					if tt.of == source && len(way) > len(args) {
						continue // no more than the headers of its pages: see below
					}
					if out := r.run(t, want, old, way...); !strings.Contains(out, tt.name+", offset ") || !strings.Contains(out, "corrupt at") {
						t.Errorf("no word of the damage in %s: %s", tt.name, out)
					}
				}
			}
			if got := changedFiles(before, treeState(t, old.Dir())); len(got) > 0 {
				t.Errorf("the refused run changed %q", got)
			}
			tt.of.WriteFile(path, whole)
		}
		foreseen(t, old, source, "pg_wal/"+size.Name(2, size.Number(fresh)))
		rewound(t, pair)
	})
}

// foreseen wants a dry run to find what is wrong with a segment at the source,
// which runs.
func foreseen(t *testing.T, old, source *pgtest.Server, path string) {
	t.Helper()
	whole := source.ReadFile(path)
	refused := func(what, want string, args ...string) {
		t.Helper()
		for i, status := range []int{6, 1} {
			if out := bothNames[i].run(t, status, old, append(args, "--dry-run")...); !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("%s: no word of %q: %s", what, want, out)
			}
		}
	}
	live := []string{"--source-server", source.ConnString()}
	for _, damage := range []struct{ what, text, want string }{
		{"not whole", whole[:len(whole)/2], "which replay needs, is not whole: it has 524288 bytes"},
		{"the content of another", source.ReadFile("pg_wal/00000002.history") + whole[40:], "which replay needs, is not whole"},
		{"its end is old", whole[:len(whole)-8192] + whole[8192:16384], "its page at offset 1040384 is that of"},
	} {
		source.WriteFile(path, damage.text)
		refused(damage.what, damage.want, live...)
		source.WriteFile(path, whole)
	}
	source.Stop(pgtest.Fast)
	source.WriteFile(path, whole[:40_000]+"damaged!"+whole[40_008:])
	refused("damaged within", "corrupt at", "--source-pgdata", source.Dir())
	source.WriteFile(path, whole)
	source.Start()
}

// TestRewindDamagedTail: a target that crashed has a damaged record in its last
// segment, and the log goes on behind it. That place is not the end: what comes
// after it changed blocks that would be left as they are.
func TestRewindDamagedTail(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		pair.Primary.SwitchWAL()
		pair.Primary.Checkpoint()
		places := map[string]pg.LSN{"before the fork": pair.Primary.CurrentLSN()}
		pair.Primary.Exec("UPDATE t SET v = 'before' WHERE i % 2 = 0")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			if side == "old" {
				places["after the fork"] = s.CurrentLSN()
			}
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 1")
		})
		old, size := pair.Old, pair.Old.SegmentSize()
		args := []string{"--source-server", pair.Primary.ConnString()}
		for place, lsn := range places {
			name := size.Name(1, size.Number(lsn))
			path := "pg_wal/" + name
			whole := old.ReadFile(path)
			at := int(size.Offset(lsn)) + 12_000 // in the middle of the records of an UPDATE
			old.WriteFile(path, whole[:at]+string([]byte{whole[at] ^ 1})+whole[at+1:])
			before := treeState(t, old.Dir())
			for i, status := range []int{6, 1} {
				out := bothNames[i].run(t, status, old, args...)
				if !strings.Contains(out, name+", offset ") || !strings.Contains(out, "corrupt at") || !strings.Contains(out, "forkpoint inspect --check") {
					t.Errorf("%s: no word of the damage in %s: %s", place, name, out)
				}
			}
			if got := changedFiles(before, treeState(t, old.Dir())); len(got) > 0 {
				t.Errorf("%s: the refused run changed %q", place, got)
			}
			old.WriteFile(path, whole)
		}
		rewound(t, pair)
	})
}
