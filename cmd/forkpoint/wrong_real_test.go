package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestWrongEndsReal is what happens to people: each wrong end is refused with
// its side, its place and what to do, and leaves the target as it was.
func TestWrongEndsReal(t *testing.T) {
	pair := pgtest.NewPair(t, pgtest.SegSize(1))
	pair.Primary.Exec("CREATE ROLE nobody LOGIN")
	pair.Split()
	old, current := pair.Old, pair.Primary
	before := old.ReadFile("global/pg_control")

	tests := []struct {
		name    string
		prepare func()
		args    []string
		want    status
		says    []string
	}{
		{
			name: "the target's server is running",
			args: []string{"rewind", "-D", old.Dir(), "--source-server", current.ConnString()},
			want: statusRefused,
			says: []string{"error: target: a server with process ", old.Dir(), "hint: stop it with pg_ctl stop"},
		},
		{
			name:    "the source directory's server is running",
			prepare: func() { old.Stop(pgtest.Fast); before = old.ReadFile("global/pg_control") },
			args:    []string{"rewind", "-D", old.Dir(), "--source-pgdata", current.Dir()},
			want:    statusRefused,
			says:    []string{"source: ", current.Dir(), "in use by process", "hint: name it with --source-server instead"},
		},
		{
			name: "a role without the grants",
			args: []string{"rewind", "-D", old.Dir(), "--source-server", strings.Replace(current.ConnString(), "user=postgres", "user=nobody", 1)},
			want: statusRefused,
			says: []string{`source: `, `role "nobody" lacks`, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO nobody;"},
		},
		{
			name: "a role that is not there",
			args: []string{"report", "-D", old.Dir(), "--source-server", strings.Replace(current.ConnString(), "user=postgres", "user=ghost", 1)},
			want: statusError,
			says: []string{"source: ", `role "ghost" does not exist`},
		},
		{
			name: "source and target swapped",
			args: []string{"report", "-D", current.Dir(), "--source-pgdata", old.Dir()},
			want: statusDone, // the new primary left the old timeline and can be told so
			says: []string{"target-running"},
		},
		{
			name:    "a control file that may not be read",
			prepare: func() { chmod(t, filepath.Join(old.Dir(), "global/pg_control"), 0) },
			args:    []string{"report", "-D", old.Dir(), "--source-server", current.ConnString()},
			want:    statusError,
			says:    []string{"error: target: ", "global/pg_control: permission denied"},
		},
		{
			name: "a segment that may not be read",
			prepare: func() {
				chmod(t, filepath.Join(old.Dir(), "global/pg_control"), 0o600)
				chmod(t, filepath.Join(old.Dir(), "pg_wal", old.SegmentSize().Name(1, 9)), 0)
			},
			args: []string{"inspect", filepath.Join(old.Dir(), "pg_wal", old.SegmentSize().Name(1, 9))},
			want: statusError,
			says: []string{"open WAL: ", old.SegmentSize().Name(1, 9) + ": permission denied"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.prepare != nil {
				tt.prepare()
			}
			got, out := forkpoint(t, tt.args...)
			if got != int(tt.want) {
				t.Errorf("status %d, want %d\n%s", got, tt.want, out)
			}
			for _, text := range tt.says {
				if !strings.Contains(out, text) {
					t.Errorf("does not say %q:\n%s", text, out)
				}
			}
		})
	}
	if old.ReadFile("global/pg_control") != before {
		t.Error("the target's control file was changed")
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestInterruptReal interrupts a rewind that waits for a source which takes the
// connection and never answers.
func TestInterruptReal(t *testing.T) {
	target := pgtest.New(t)
	folder := filepath.Dir(pgtest.Executable(t))
	silent, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	chmod(t, filepath.Join(folder, ".s.PGSQL.5432"), 0o777)
	link := filepath.Join(folder, "forkpoint")
	if err := os.Symlink(pgtest.Executable(t), link); err != nil {
		t.Fatal(err)
	}
	cmd := pgtest.RunAs(exec.Command(link, "rewind", "-D", target.Dir(), "--source-server", "host="+folder+" user=x"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != int(statusCancelled) {
		t.Errorf("ended with %v, want status %d\n%s", err, statusCancelled, stderr.String())
	}
	if !strings.Contains(stderr.String(), `cancelled by signal "terminated"`) {
		t.Errorf("says %q", stderr.String())
	}
}
