package datadir_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

func open(t *testing.T, s *pgtest.Server) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestServerFiles(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.LinkedWAL())
		s.CreateTablespace("outside")
		s.Exec("CREATE DATABASE other TABLESPACE outside", "CREATE TABLE plain (n int, t text)",
			"CREATE TABLE moved (n int) TABLESPACE outside", "INSERT INTO plain VALUES (1, 'x')",
			"CREATE UNLOGGED TABLE unlogged (n int PRIMARY KEY)", "VACUUM plain")
		if major >= 15 {
			s.Exec("SET allow_in_place_tablespaces = on", "CREATE TABLESPACE inside LOCATION ''", "CREATE TABLE within (n int) TABLESPACE inside")
		}
		s.Checkpoint()
		d := open(t, s)
		if d.Major() != major {
			t.Errorf("version %d", d.Major())
		}
		listed := map[string]datadir.File{}
		for f, err := range d.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			listed[f.Path] = f
		}
		// Every file of every relation is listed with its size, and as that relation.
		relations := 0
		for _, db := range []string{"postgres", "other", "template1"} {
			for _, row := range s.QueryIn(db, `SELECT c.relname, fork, pg_relation_filepath(c.oid), pg_relation_size(c.oid, fork), pg_relation_filenode(c.oid),
				CASE WHEN c.relisshared THEN 0 ELSE d.oid END, coalesce(nullif(c.reltablespace, 0), d.dattablespace)
				FROM pg_class c, pg_database d, (VALUES ('main'), ('fsm'), ('vm'), ('init')) f(fork)
				WHERE pg_relation_filenode(c.oid) IS NOT NULL AND d.datname = current_database()
				AND (fork <> 'init' OR c.relpersistence = 'u') AND (fork = 'main' OR fork = 'init' OR pg_relation_size(c.oid, fork) > 0)`) {
				path := row[2]
				if row[1] != "main" {
					path += "_" + row[1]
				}
				f, found := listed[path]
				if !found || f.Rel == nil {
					t.Errorf("%s: %s is not listed as a relation file: %+v", row[0], path, f)
					continue
				}
				got := []string{f.Rel.Fork.String(), f.Rel.Rel.String(), f.Rel.DB.String(), f.Rel.Spc.String(), strconv.FormatInt(f.Size, 10)}
				if diff := cmp.Diff([]string{row[1], row[4], row[5], row[6], row[3]}, got); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
				relations++
			}
		}
		if relations < 300 {
			t.Errorf("only %d relation files", relations)
		}
		if wal := listed["pg_wal"]; wal.Kind != datadir.Directory || wal.Link == "" {
			t.Errorf("pg_wal: %+v", wal)
		}
		for _, row := range s.Query("SELECT name, size FROM pg_ls_waldir()") {
			if f := listed["pg_wal/"+row[0]]; strconv.FormatInt(f.Size, 10) != row[1] {
				t.Errorf("%s: %d bytes listed, server says %s", row[0], f.Size, row[1])
			}
		}
		if c, err := d.Control(); err != nil || c.VersionDir() != d.VersionDir() {
			t.Errorf("control file: %v", err)
		}

		pid, running := d.Running()
		first, _, _ := strings.Cut(s.ReadFile("postmaster.pid"), "\n")
		if !running || strconv.Itoa(pid) != first {
			t.Errorf("running server: %d, %t; want %s", pid, running, first)
		}
		s.Stop(pgtest.Immediate)
		if pid, running := d.Running(); running {
			t.Errorf("killed server: %d, %t", pid, running)
		}
	})
}

// A backend that survives its server still writes; the directory is in use.
func TestServerOrphan(t *testing.T) {
	s := pgtest.Run(t, pgtest.SegSize(1))
	d := open(t, s)
	conn := s.Conn("postgres")
	backend := conn.PgConn().PID()
	done := make(chan error)
	go func() {
		_, err := conn.Exec(context.Background(), "DO 'BEGIN LOOP END LOOP; END'")
		done <- err
	}()
	s.Await("the loop", func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::text::int AND query LIKE 'DO%'", fmt.Sprint(backend))
		return err == nil && rows[0][0] == "1", err
	})
	server, running := d.Running()
	if !running {
		t.Fatal("the server does not run")
	}
	kill := func(pid int) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	kill(server)
	s.Await("the end of the server", func() (bool, error) { return !s.Running(), nil })
	if _, running := d.Running(); !running {
		t.Error("a backend is left, but the directory counts as unused")
	}
	kill(int(backend))
	if err := <-done; err == nil {
		t.Error("the loop ended by itself")
	}
	s.Await("the end of the backend", func() (bool, error) {
		_, running := d.Running()
		return !running, nil
	})
}

// runningEnv names a directory: the test binary then tells whether it is in use,
// and ends. It is for the servers' OS user, for the kernel gives leases on a file
// to its owner.
const runningEnv = "FORKPOINT_TEST_RUNNING"

func TestMain(m *testing.M) {
	if dir := os.Getenv(runningEnv); dir != "" {
		d, err := datadir.Open(dir)
		if err != nil {
			panic(err) // the status is not 0
		}
		_, running := d.Running()
		fmt.Println("leases", leases(dir), "running", running)
		return
	}
	m.Run()
}

// leases tells whether the kernel refuses a lease on a file that is open for
// writing, as it does unless a sandbox knows of no leases.
func leases(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "PG_VERSION"), os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	defer f.Close() // nothing is written
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return errors.Is(err, unix.EAGAIN)
}

// A server in a container of its own, with the same directory: neither its
// process number nor its shared memory is to be seen here. A session has
// catalogs open. Where there are no leases, that is not seen.
func TestServerElsewhere(t *testing.T) {
	s := pgtest.Run(t, pgtest.SegSize(1))
	program := pgtest.Executable(t)
	ask := func() (leases, running bool) {
		t.Helper()
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), runningEnv+"="+s.Dir())
		out, err := pgtest.RunAs(cmd).Output()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(string(out), new(string), &leases, new(string), &running); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return leases, running
	}
	conn := s.Conn("postgres")
	if _, err := conn.Exec(context.Background(), "CREATE TABLE t AS SELECT 1"); err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	lock := s.ReadFile("postmaster.pid")
	lines := strings.Split(lock, "\n")
	lines[0], lines[6] = fmt.Sprint(gone.Process.Pid), "  5432001  2147483000"
	s.WriteFile("postmaster.pid", strings.Join(lines, "\n"))
	if leases, running := ask(); running != leases {
		t.Errorf("a server has its catalogs open: counts as used %v, leases %v", running, leases)
	}
	s.WriteFile("postmaster.pid", lock)
	s.Stop(pgtest.Kill9)
	s.WriteFile("postmaster.pid", strings.Join(lines, "\n"))
	s.Await("the end of the server's processes", func() (bool, error) {
		_, running := ask()
		return !running, nil
	})
}

func TestServerHistories(t *testing.T) {
	pair := pgtest.NewPair(t, pgtest.SegSize(1))
	pair.FailOver(pgtest.Fast)
	d := open(t, pair.Primary)
	list, err := d.Histories()
	if diff := cmp.Diff([]pg.TimelineID{2}, list); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	p, err := d.TimelinePath(2)
	if err != nil || len(p) != 2 || p[0].Timeline != 1 || p.Tip() != 2 || !p[1].Begin.Valid() {
		t.Errorf("%v, %v", p, err)
	}
}

// configText draws text that is much like a configuration file.
func configText(t *rapid.T) string {
	word := rapid.SampledFrom([]string{
		"fp.a", "fp.B", "work_mem", "x", "=", "=", " ", " ", "\t", "#", "'", "''", `\`, `\'`, `\n`, `\101`, `\8`, "1", "0x1F", "0x", "-", "+", ".", "5e3", "E-1",
		"MB", "kB", "1h", "on", "a-b:c/d", "/", "$", "é", "_", "\r", ",", "'it''s'", `'a\tb'`, "''", "' '", "@",
	})
	line := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "sane") {
			name := rapid.SampledFrom([]string{"fp.a", "FP.b", "fp._1", "'fp.c'", "fp.a.b", "9p"}).Draw(t, "name")
			sign := rapid.SampledFrom([]string{"", " ", "=", " = ", "= "}).Draw(t, "sign")
			return name + sign + strings.Join(rapid.SliceOfN(word, 1, 3).Draw(t, "value"), "")
		}
		return strings.Join(rapid.SliceOfN(word, 0, 6).Draw(t, "words"), "")
	})
	return strings.Join(rapid.SliceOfN(line, 1, 3).Draw(t, "lines"), "\n") + "\n"
}

// The server shows in pg_file_settings how it reads its files, without using
// them.
func TestServerConfig(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		d := open(t, s)
		s.Exec("ALTER SYSTEM SET restore_command = 'cp ''/a\\b''/%f \"%p\"'")
		compare := func(t testReporter) {
			rows, err := s.TryQueryIn("postgres", "SELECT lower(name), setting, sourcefile, sourceline, coalesce(error, '') FROM pg_file_settings ORDER BY seqno")
			if err != nil {
				t.Fatal(err)
			}
			want, broken := map[string]datadir.Setting{}, ""
			for _, r := range rows {
				if strings.Contains(r[4], "syntax error") || r[0] == "" && r[4] != "" {
					broken = fmt.Sprint(r)
				}
				line, _ := strconv.Atoi(r[3])
				want[r[0]] = datadir.Setting{Name: r[0], Value: r[1], File: r[2], Line: line}
			}
			c, err := d.Config("")
			if broken != "" || err != nil {
				if (broken != "") != (err != nil) {
					t.Errorf("server: %s; here: %v", broken, err)
				}
				return
			}
			for name, w := range want {
				if got, _ := c.Setting(name); got != w {
					t.Errorf("%s: server %+v, here %+v", name, w, got)
				}
			}
		}
		compare(t)
		if c, err := d.Config(""); err != nil || c.Value("restore_command", "") != `cp '/a\b'/%f "%p"` {
			t.Errorf("restore_command: %v, %v", c, err)
		}

		base := s.ReadFile("postgresql.conf")
		if err := os.Mkdir(filepath.Join(s.Dir(), "conf.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		s.WriteFile("conf.d/b.conf", "fp.a = b\ninclude_if_exists nothing\n")
		s.WriteFile("conf.d/a.conf", "fp.a = a\nfp.c = 'x'\ninclude 'more'\n")
		s.WriteFile("conf.d/.hidden.conf", "fp.a = hidden\n")
		s.WriteFile("conf.d/more", "fp.d = more\n")
		s.WriteFile("postgresql.conf", base+"fp.a = 1\nInclude_Dir 'conf.d'\nfp.e = 2\n")
		compare(t)

		if major%3 != 0 { // the grammar is the same in all: three versions are enough
			return
		}
		rapid.Check(t, func(t *rapid.T) {
			text := configText(t)
			if err := os.WriteFile(filepath.Join(s.Dir(), "postgresql.conf"), []byte(base+text), 0o600); err != nil {
				t.Fatal(err)
			}
			compare(t)
		})
	})
}

// testReporter is what a test and a property have in common.
type testReporter interface {
	Errorf(format string, args ...any)
	Fatal(args ...any)
}
