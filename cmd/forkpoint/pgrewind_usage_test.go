package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// usageLines are command lines that end before anything is read, and ones that
// do not find what they name. since is the first version with today's words.
var usageLines = []struct {
	since int
	line  string
}{
	{13, ""}, {13, "-D"}, {13, "-D x"}, {13, "--source-pgdata=a"}, {13, "--source-server=b"},
	{13, "--source-pgdata=a --source-server=b -D x"}, {13, "--source-pgdata=a -D x -R"}, {13, "--write-recovery-conf -D x --source-pgdata=y"},
	{13, "--source-pgdata=a -D x extra"}, {13, "extra -D x --source-pgdata=a more"}, {13, "- -D x --source-pgdata=a"},
	{13, "-- -D x"}, {13, "-D x -- --source-pgdata=a"},
	{13, "--source-pgdata= --source-server="}, {13, "--source-pgdata= --target-pgdata="}, {13, "-D x -D y --source-pgdata=a"},
	{13, "--foo"}, {13, "--foo=bar"}, {13, "-Z"}, {13, "-nZ"}, {13, "-D x -V"}, {13, "-D x -?"},
	{13, "--source"}, {13, "--source-s"}, {13, "--target-pgdata"}, {13, "--d"}, {13, "--d=3"}, {13, "--no"}, {13, "--n"},
	{13, "--dry-run=yes"}, {13, "--progress=1"}, {13, "--dry"}, {13, "--no-s"}, {13, "--restore"}, {13, "--pro -nPNcR"},
	{13, "-D x --help"}, {15, "-D x --version"}, {15, "--vers"}, {13, "--hel"}, {13, "--help=x"}, {13, "--version=x -D y"},
	{13, "--source-pgdata=a -D x"}, {13, "-D/none --source-pgdata /none"}, {13, "-nPND/none --source-pg /none"},
	{13, "--no-ensure --debug --debug --source-pgdata=a --target=/none"}, {13, "--source-s=host=/none --target-pgdata /none"},
	{15, "-D empty --source-pgdata=empty"}, {15, "-D file --source-pgdata=empty"}, // "fatal:" before, by the version in the directory
	{15, "--config-file"}, {15, "--config"}, {15, "--config-file=x"},
	{17, "--sync-method"}, {17, "--sync-method=bad"}, {17, "--sync-method=bad --foo"}, {17, "--foo --sync-method=bad"}, {17, "--sync=syncfs -D /none --source-pgdata=a"},
	{13, "-V"}, {13, "--version"}, {13, "-V x"}, {13, "--version --help"},
}

// TestPgRewindUsage compares command lines with each version's pg_rewind, word
// for word, from another folder. The program lies beside the version's server,
// as it does where it stands in for pg_rewind.
func TestPgRewindUsage(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_rewind") {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			in, err := pgtest.Find(major)
			if err != nil {
				t.Fatal(err)
			}
			real, _ := in.Program("pg_rewind")
			ours := besideServer(t, in)
			folder := pgtest.Scratch(t)
			for _, err := range []error{
				os.Mkdir(filepath.Join(folder, "empty"), 0o700), os.WriteFile(filepath.Join(folder, "file"), nil, 0o600), pgtest.Own(folder),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, u := range usageLines {
				if u.since > major {
					continue
				}
				want, got := printed(t, folder, real, strings.Fields(u.line)), printed(t, folder, ours, strings.Fields(u.line))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("pg_rewind %s: -pg_rewind +forkpoint\n%s", u.line, diff)
				}
			}
			// The help is ours, but has all that this version's has.
			options := regexp.MustCompile(`(?m)^ *(?:-., |-. )? *--[a-z-]+`)
			want, got := printed(t, folder, real, []string{"--help"}), printed(t, folder, ours, []string{"-?"})
			if want[0] != "0" || got[0] != "0" || got[2] != "" {
				t.Errorf("help ended with %s, pg_rewind's with %s; on stderr %q", got[0], want[0], got[2])
			}
			for _, option := range options.FindAllString(want[1], -1) {
				if name := strings.TrimSpace(option[strings.Index(option, "--"):]); !strings.Contains(got[1], name) {
					t.Errorf("the help lacks %s", name)
				}
			}
		})
	}
}

// besideServer puts this program, as pg_rewind, and a server into one folder.
func besideServer(t *testing.T, in pgtest.Install) string {
	t.Helper()
	bin := pgtest.Scratch(t)
	if err := os.Symlink(filepath.Join(in.BinDir, "postgres"), filepath.Join(bin, "postgres")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(bin, "pg_rewind")
	if err := os.Symlink(pgtest.Executable(t), program); err != nil {
		t.Fatal(err)
	}
	return program
}

// printed is what a program ends with: status, stdout, stderr.
func printed(t *testing.T, folder, program string, args []string) [3]string {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := pgtest.RunAs(exec.Command(program, args...))
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(program)+":/usr/bin:/bin")
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	// getopt names the program as it was called, the rest by its last part.
	errs := strings.ReplaceAll(stderr.String(), program, "pg_rewind")
	return [3]string{fmt.Sprint(cmd.ProcessState.ExitCode()), stdout.String(), errs}
}
