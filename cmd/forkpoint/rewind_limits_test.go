package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// watched is a run of forkpoint whose events a test waits for.
type watched struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	stderr strings.Builder
}

func watch(t *testing.T, args ...string) *watched {
	t.Helper()
	w := &watched{t: t, cmd: pgtest.RunAs(exec.Command(programPath(t), append(args, "--format", "json")...))}
	w.cmd.Stderr = &w.stderr
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.stdout = bufio.NewScanner(out)
	w.stdout.Buffer(nil, 16<<20)
	return w
}

// until reads events up to one that has the text.
func (w *watched) until(text string) {
	w.t.Helper()
	for w.stdout.Scan() {
		if strings.Contains(w.stdout.Text(), text) {
			return
		}
	}
	w.cmd.Wait()
	w.t.Fatalf("no event %s: %s", text, w.stderr.String())
}

// ended waits for the end and gives the status and the last line of stdout.
func (w *watched) ended() (status int, last, stderr string) {
	w.t.Helper()
	for w.stdout.Scan() {
		last = w.stdout.Text()
	}
	var exit *exec.ExitError
	if err := w.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return w.cmd.ProcessState.ExitCode(), last, w.stderr.String()
}

// TestRewindStopped ends runs from outside, before and after they have begun
// to change the target: by signals, time limits and sources that are lost or
// fall silent. Each says in which phase it was and what to do, a target that
// was not changed is as it was, and one that was is finished by the same
// command.
func TestRewindStopped(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 12000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = repeat('" + side[:1] + "', 500) WHERE i % 2 = 0")
		})
		old := pair.Old
		whole := func(int) pgtest.Fault { return pgtest.Fault{} }
		// The control file is read a few times before the files are listed.
		listing := func(n int) pgtest.Fault { return pgtest.Fault{After: 60_000, Kind: pgtest.Stall} }
		cut := func(n int) pgtest.Fault { return pgtest.Fault{After: 60_000 * int64(1-min(1, n/5)), Kind: pgtest.Drop} }
		const planning, copying = "comparing the lists of files", "copying blocks and files"
		tests := []struct {
			name   string
			fault  func(n int) pgtest.Fault
			args   []string
			event  string // to wait for before act
			act    func(w *watched, p *pgtest.Proxy)
			status status
			says   []string
		}{
			{"SIGTERM while listing", listing, nil, `"phase":"plan"`, signalled(syscall.SIGTERM), statusCancelled,
				[]string{planning, `cancelled by signal "terminated"`, "was not changed; run the same command again"}},
			{"SIGINT while listing", listing, nil, `"phase":"plan"`, signalled(os.Interrupt), statusCancelled, []string{planning, `cancelled by signal "interrupt"`}},
			{"deadline while listing", listing, []string{"--deadline", "1s"}, "", nil, statusTransient, []string{planning, "--deadline of 1s reached"}},
			{"silence while listing", listing, []string{"--idle-timeout", "200ms", "--retry-for", "300ms"}, "", nil, statusTransient,
				[]string{"no answer from the server for 200ms", "run the same command again"}},
			{"source lost for good while listing", cut, []string{"--retry-for", "300ms"}, "", nil, statusTransient, []string{"run the same command again"}},
			{"SIGTERM while copying", whole, []string{"--max-rate", "4MB"}, `"barred"`, signalled(syscall.SIGTERM), statusInterrupted,
				[]string{copying, `cancelled by signal "terminated"`, "run the same command again to finish", "forkpoint rewind --undo -D " + old.Dir()}},
			{"SIGINT while copying", whole, []string{"--max-rate", "4MB"}, `"barred"`, signalled(os.Interrupt), statusInterrupted, []string{copying}},
			{"source lost while copying", whole, []string{"--max-rate", "4MB", "--retry-for", "300ms"}, `"barred"`,
				func(_ *watched, p *pgtest.Proxy) { p.Break() }, statusInterrupted, []string{copying, "run the same command again to finish"}},
		}
		before := treeState(t, old.Dir())
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				proxy := pgtest.NewProxy(t, pair.Primary, tt.fault)
				w := watch(t, append([]string{"rewind", "-R", "-D", old.Dir(), "--source-server", proxy.Conninfo(pair.Primary.ConnString())}, tt.args...)...)
				if tt.event != "" {
					w.until(tt.event)
				}
				if tt.act != nil {
					tt.act(w, proxy)
				}
				got, last, stderr := w.ended()
				if got != int(tt.status) {
					t.Errorf("status %d, want %d", got, tt.status)
				}
				for _, text := range tt.says {
					if !strings.Contains(stderr, text) {
						t.Errorf("does not say %q:\n%s", text, stderr)
					}
				}
				if want := fmt.Sprintf(`{"schema":"forkpoint/error/1","status":%d`, tt.status); !strings.HasPrefix(last, want) {
					t.Errorf("stdout ends with %s, want %s", last, want)
				}
				if lost := strings.Contains(tt.name, "lost") || tt.status == statusTransient; strings.Contains(last, `"transient":true`) != lost {
					t.Errorf("the cause may go away by itself: %t; stdout ends with %s", lost, last)
				}
				if tt.status == statusInterrupted {
					if err := old.TryStart(); err == nil {
						t.Error("a server started on a target that is half done")
					}
					mustForkpoint(t, "rewind", "--undo", "-D", old.Dir())
				}
				if got := changedFiles(before, treeState(t, old.Dir())); len(got) > 0 {
					t.Errorf("changed %q", got)
				}
			})
		}
		// One that broke off is finished by the same command.
		w := watch(t, "rewind", "-R", "-D", old.Dir(), "--source-server", pair.Primary.ConnString(), "--max-rate", "4MB")
		w.until(`"barred"`)
		signalled(syscall.SIGTERM)(w, nil)
		if got, _, stderr := w.ended(); got != int(statusInterrupted) {
			t.Fatalf("status %d: %s", got, stderr)
		}
		rewound(t, pair)
	})
}

// TestPgRewindStopped: under the name of pg_rewind the status is 1, and the
// message says the same.
func TestPgRewindStopped(t *testing.T) {
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT 1 AS n", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, _ string) { s.Exec("UPDATE t SET n = 2") })
	proxy := pgtest.NewProxy(t, pair.Primary, func(int) pgtest.Fault { return pgtest.Fault{After: 60_000, Kind: pgtest.Stall} })
	program := filepath.Join(filepath.Dir(pgtest.Executable(t)), "pg_rewind")
	if err := os.Symlink(pgtest.Executable(t), program); err != nil {
		t.Fatal(err)
	}
	before := treeState(t, pair.Old.Home())
	var stderr strings.Builder
	cmd := pgtest.RunAs(exec.Command(program, "-P", "-D", pair.Old.Dir(), "--source-server", proxy.Conninfo(pair.Primary.ConnString())))
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pair.Primary.Await("pg_rewind to connect", func() (bool, error) { return proxy.Count() > 0, nil })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(stderr.String(), `cancelled by signal "terminated"`) {
		t.Errorf("ended with %v: %s", err, stderr.String())
	}
	if got := changedFiles(before, treeState(t, pair.Old.Home())); len(got) > 0 {
		t.Errorf("changed %q", got)
	}
}

func signalled(s os.Signal) func(*watched, *pgtest.Proxy) {
	return func(w *watched, _ *pgtest.Proxy) {
		if err := w.cmd.Process.Signal(s); err != nil {
			w.t.Fatal(err)
		}
	}
}
