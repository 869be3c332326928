package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// runProgram runs the real program under a name, as the servers' OS user.
func runProgram(t *testing.T, name string, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	program := filepath.Join(filepath.Dir(pgtest.Executable(t)), name)
	if err := os.Symlink(pgtest.Executable(t), program); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	cmd := pgtest.RunAs(exec.Command(program, args...))
	cmd.Env = append(append(cmd.Env, "HOME=/"), env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// rewinder is one of the two names of the program.
type rewinder struct {
	name string // forkpoint or pg_rewind
	args []string
}

var bothNames = []rewinder{{"forkpoint", []string{"rewind"}}, {"pg_rewind", nil}}

// run rewinds target and wants a status.
func (r rewinder) run(t *testing.T, want int, target *pgtest.Server, args ...string) string {
	t.Helper()
	all := append(append(slices.Clone(r.args), "--target-pgdata="+target.Dir()), args...)
	status, stdout, stderr := runProgram(t, r.name, nil, all...)
	t.Logf("%s %q: exit status %d\n%s%s", r.name, all, status, stdout, stderr)
	if status != want {
		t.Fatalf("%s: exit status %d, want %d", r.name, status, want)
	}
	return stdout + stderr
}

// treeState is what lies below a directory: kind, permissions and content.
func treeState(t *testing.T, dir string) map[string]string {
	t.Helper()
	return describe(t, dir, func(fs.FileInfo) string { return "" })
}

// describe describes every name below a directory, files also by what more says.
func describe(t *testing.T, dir string, more func(fs.FileInfo) string) map[string]string {
	t.Helper()
	state := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x %s", sha256.Sum256(b), more(info))
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " " + link
		}
		rel, err := filepath.Rel(dir, path)
		state[rel] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// changedFiles lists the names whose state differs.
func changedFiles(before, after map[string]string) []string {
	names := map[string]bool{}
	for name, was := range before {
		if after[name] != was {
			names[name] = true
		}
	}
	for name := range after {
		if _, was := before[name]; !was {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// TestRewindNothingToDo: on one timeline, or where the target stopped before
// the fork, the run says so and leaves nothing but the settings it was asked
// for.
func TestRewindNothingToDo(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("allow_in_place_tablespaces", "on"))
		pair.Primary.Workload("shared", 50)
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.Standby.Stop(pgtest.Fast)
		pair.Standby.WriteFile("postgresql.auto.conf", "# nothing\n")
		check := func(target, source *pgtest.Server, want string) {
			t.Helper()
			for _, r := range bothNames {
				for _, args := range [][]string{
					{"--source-server", source.ConnString(), "--dry-run"},
					{"--source-server", source.ConnString()},
					{"--source-server", source.ConnString(), "-R"},
				} {
					before := treeState(t, filepath.Dir(target.Dir()))
					out := r.run(t, 0, target, args...)
					if r.name == "pg_rewind" && !strings.Contains(out, "pg_rewind: no rewind required\n") {
						t.Errorf("no word of it: %s", out)
					}
					if r.name == "forkpoint" && !strings.Contains(out, want) {
						t.Errorf("want %q: %s", want, out)
					}
					got := changedFiles(before, treeState(t, filepath.Dir(target.Dir())))
					if len(args) < 3 || args[2] != "-R" {
						if len(got) > 0 {
							t.Errorf("%s %q changed %q", r.name, args, got)
						}
						continue
					}
					got = slices.DeleteFunc(got, func(name string) bool {
						return name == "data" || name == "data/postgresql.auto.conf" || name == "data/standby.signal"
					})
					if len(got) > 0 {
						t.Errorf("%s -R changed %q", r.name, got)
					}
					if conf := target.ReadFile("postgresql.auto.conf"); !strings.Contains(conf, "primary_conninfo = 'user=postgres") {
						t.Errorf("-R wrote\n%s", conf)
					}
				}
			}
		}
		check(pair.Standby, pair.Primary, "on the same timeline 1")

		// The standby is promoted; the primary had stopped before.
		pair.Standby.Start()
		pair.Primary.Exec("CREATE TABLE streams (n int)") // what is there already would be replayed without a connection
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.Primary.Stop(pgtest.Fast)
		pair.Standby.Promote()
		pair.Standby.Exec("CREATE TABLE later (n int)")
		check(pair.Primary, pair.Standby, "not past the fork")
		pair.Primary.Start()
		pair.Standby.WaitCaughtUp(pair.Primary)
		pgtest.SameData(pair.Standby, pair.Primary)
	})
}
