package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"forkpoint/rewind"
	"forkpoint/walinspect/pgtest"
)

// TestRewindSourceChanges: between the listing of the source and the copying,
// files at the source grow, shrink, vanish and come into being. What replay
// knows of is right after replay, the rest as the source has it in the end.
func TestRewindSourceChanges(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		setup := []string{"CREATE TABLE same AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 8000) i", "CREATE DATABASE gone"}
		names := []string{"grows", "shrinks", "vanishes", "rewritten"}
		for _, name := range names {
			setup = append(setup, fmt.Sprintf("CREATE TABLE %s AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 2000) i", name))
		}
		pair.Primary.Exec(append(setup, "CHECKPOINT")...)
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			for _, name := range append(names, "same") {
				s.Exec(fmt.Sprintf("UPDATE %s SET v = repeat('%s', 130) WHERE i %% 3 = 0", name, side))
			}
			s.Exec("CREATE TABLE made_" + side + " AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 2000) i")
			s.ExecIn("gone", "CREATE TABLE inside AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 2000) i")
			s.Exec("CHECKPOINT")
		})
		source := pair.Primary
		extra := func(name, content string) {
			if err := os.MkdirAll(filepath.Join(source.Dir(), filepath.Dir(name)), 0o700); err != nil {
				t.Fatal(err)
			}
			source.WriteFile(name, content)
			if err := pgtest.Own(filepath.Join(source.Dir(), "extra")); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"grows", "shrinks", "vanishes", "\xff\xe4 odd\n", "ärger"} {
			extra("extra/"+name, strings.Repeat(name, 40_000))
		}
		w := watch(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", source.ConnString(), "--max-rate", "6MB", "--copy", "classic")
		w.until(`"phase":"stage"`) // the listing is done, the WAL for replay comes first and slowly
		source.Exec("INSERT INTO grows SELECT i, repeat('y', 400) FROM generate_series(1, 20000) i",
			"DELETE FROM shrinks WHERE i > 100", "VACUUM shrinks", "DROP TABLE vanishes", "VACUUM FULL rewritten",
			"DROP TABLE made_new", "CREATE TABLE made_late AS SELECT i FROM generate_series(1, 3000) i", "DROP DATABASE gone", "CREATE DATABASE late", "CHECKPOINT")
		extra("extra/grows", strings.Repeat("g", 900_000))
		extra("extra/shrinks", "s")
		removeFile(t, filepath.Join(source.Dir(), "extra/vanishes"))
		w.until(`"barred"`) // nothing was copied before
		if status, _, stderr := w.ended(); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		pair.Old.Start()
		source.WaitCaughtUp(pair.Old)
		pgtest.SameData(source, pair.Old)
		pgtest.Amcheck(pair.Old)
		want, got := treeState(t, filepath.Join(source.Dir(), "extra")), treeState(t, filepath.Join(pair.Old.Dir(), "extra"))
		if diff := changedFiles(want, got); len(diff) > 0 || len(got) != 5 {
			t.Errorf("extra files differ in %q: %q", diff, got)
		}
	})
}

// TestRewindUnderLoad: the source works hard for as long as the rewind takes.
func TestRewindUnderLoad(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		// How much a fast machine writes until the target streams is anybody's guess.
		pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("checkpoint_timeout", "30s"), pgtest.Conf("wal_keep_size", "8GB"))...)
		pair.Primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = repeat('"+side+"', 100) WHERE i % 3 = 0", "CREATE TABLE only_"+side+" AS SELECT i FROM generate_series(1, 5000) i")
		})
		source := pair.Primary
		var stop atomic.Bool
		load := make(chan error, 3)
		for n := range cap(load) {
			go func() {
				var err error
				for i := 0; err == nil && !stop.Load(); i++ {
					name := fmt.Sprintf("load_%d", n)
					err = source.TryExecIn("postgres",
						fmt.Sprintf("UPDATE t SET v = 'load %d' WHERE i %% 30 = %d", i, (i*3+n)%30),
						fmt.Sprintf("CREATE TABLE %s AS SELECT i, repeat('z', 100) AS v FROM generate_series(1, 2000) i", name),
						fmt.Sprintf("DELETE FROM %s WHERE i > 50", name), "VACUUM "+name, "TRUNCATE "+name, "DROP TABLE "+name)
					if err == nil && i%4 == n {
						err = source.TryExecIn("postgres", "CHECKPOINT")
					}
				}
				load <- err
			}()
		}
		out := bothNames[0].run(t, 0, pair.Old, "--source-server", source.ConnString(), "-R", "--max-rate", "16MB")
		pair.Old.Start()
		stop.Store(true)
		for range cap(load) {
			if err := <-load; err != nil {
				t.Fatal(err, out)
			}
		}
		source.WaitCaughtUp(pair.Old)
		pgtest.SameData(source, pair.Old)
		pgtest.Amcheck(pair.Old)
	})
}

// TestRewindKeepsLocal: configuration, keys, logs and what --keep names stay as
// the target has them, and are named in the plan as are the slots that it
// loses; --overwrite-config and pg_rewind's name take the source's.
func TestRewindKeepsLocal(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 1000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '"+side+"'", "SELECT pg_create_physical_replication_slot('slot_"+side+"')")
		})
		local := []string{"postgresql.conf", "pg_hba.conf", "pg_ident.conf", "server.key", "server.crt", "log/today.log", "pg_log/yesterday.log"}
		kept := []string{"conf.d/here.conf", "conf.d/deep/er.conf", "host.id"}
		other := []string{"elsewhere.conf"}
		for _, s := range []*pgtest.Server{pair.Old, pair.Primary} {
			for _, name := range slices.Concat(local, kept, other) {
				if err := os.MkdirAll(filepath.Join(s.Dir(), filepath.Dir(name)), 0o700); err != nil {
					t.Fatal(err)
				}
				text := "# of " + s.Dir() + "\n"
				if strings.HasSuffix(name, ".conf") && !strings.Contains(name, "/") && name != "elsewhere.conf" {
					text = s.ReadFile(name) + text
				}
				s.WriteFile(name, text)
				if err := pgtest.Own(filepath.Join(s.Dir(), strings.Split(name, "/")[0])); err != nil {
					t.Fatal(err)
				}
			}
		}
		was := treeState(t, pair.Old.Dir())
		source := treeState(t, pair.Primary.Dir())
		whose := func(of map[string]string, names []string) {
			t.Helper()
			now := treeState(t, pair.Old.Dir())
			for _, name := range names {
				if now[name] != of[name] {
					t.Errorf("%s is another: %s", name, pair.Old.ReadFile(name))
				}
			}
		}
		args := []string{"--source-server", pair.Primary.ConnString()}
		keep := append(slices.Clone(args), "--keep", "conf.d/**", "--keep", "*.id", "--sync-method", "syncfs")
		status, stdout, stderr := runProgram(t, "forkpoint", nil, append([]string{"rewind", "-D", pair.Old.Dir(), "--dry-run", "--format", "json"}, keep...)...)
		var result rewind.Result
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); status != 0 || err != nil {
			t.Fatal(status, stderr, err)
		}
		for _, name := range slices.Concat(local, kept) {
			if !slices.Contains(result.Plan.Kept, name) {
				t.Errorf("the plan does not say that %s is kept: %q", name, result.Plan.Kept)
			}
		}
		if !slices.Equal(result.Plan.LostSlots, []string{"slot_old"}) {
			t.Errorf("lost slots %q", result.Plan.LostSlots)
		}
		if out := bothNames[0].run(t, 0, pair.Old, keep...); !strings.Contains(out, "slot_old") || !strings.Contains(out, "conf.d/here.conf") {
			t.Errorf("no word of what is kept or lost: %s", out)
		}
		whose(was, slices.Concat(local, kept))
		whose(source, other)
		bothNames[0].run(t, 0, pair.Old, "--undo")
		whose(was, slices.Concat(local, kept, other))
		var o outcome
		b, err := os.ReadFile(pair.Old.Dir() + ".forkpoint/result.json")
		if err == nil {
			err = json.Unmarshal(b, &o)
		}
		if err != nil || o.Action != "undo" || o.Code != "done" {
			t.Errorf("result file: %v\n%s", err, b)
		}

		bothNames[0].run(t, 0, pair.Old, append(args, "--overwrite-config")...)
		whose(source, slices.Concat(local, kept, other))
		bothNames[0].run(t, 0, pair.Old, "--undo")
		bothNames[1].run(t, 0, pair.Old, args...)
		whose(source, slices.Concat(local, kept, other))
	})
}

// TestRewindLinksInTheWay: where the target has a link and the source a file or
// a directory, nothing is written through the link.
func TestRewindLinksInTheWay(t *testing.T) {
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i", "CHECKPOINT")
	database := filepath.Dir(pair.Primary.Value("SELECT pg_relation_filepath('t')"))
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET i = -i", "CREATE TABLE "+side+" (n int)") })
	outside := filepath.Join(pair.Old.Home(), "outside")
	for _, name := range []string{"pg_xact/0000", database, "global"} {
		at := filepath.Join(pair.Old.Dir(), name)
		if err := os.Rename(at, outside); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, at); err != nil {
			t.Fatal(err)
		}
		before := treeState(t, outside)
		refusedUntouched(t, pair.Old, name, "--source-server", pair.Primary.ConnString())
		out := bothNames[1].run(t, 1, pair.Old, "--source-server", pair.Primary.ConnString())
		if want := `file "` + name + `" is of different type in source and target`; !strings.Contains(out, want) {
			t.Errorf("%s: want %q: %s", name, want, out)
		}
		if got := changedFiles(before, treeState(t, outside)); len(got) > 0 {
			t.Errorf("%s: changed %q", name, got)
		}
		removeFile(t, at)
		if err := os.Rename(outside, at); err != nil {
			t.Fatal(err)
		}
	}
	rewound(t, pair)
}
