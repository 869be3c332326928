package target_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/pgtest"
)

// helperEnv makes the test binary a process that works on a target, as the
// servers' OS user: "<what> <directory>".
const helperEnv = "FORKPOINT_TARGET_HELPER"

func TestMain(m *testing.M) {
	if task := os.Getenv(helperEnv); task != "" {
		if err := help(task); err != nil {
			fmt.Println(err)
			panic(err) // the status is not 0
		}
		return
	}
	m.Run()
}

// help opens a target, does something, says so, and holds it until its
// standard input ends.
func help(task string) error {
	what, dir, _ := strings.Cut(task, " ")
	tgt, err := target.Open(dir, target.Options{})
	if err != nil {
		return err
	}
	defer tgt.Close()
	switch {
	case what == "bar":
		err = tgt.Bar("run this\n")
	case what != "hold":
		err = tgt.Lend(func() error { return single(what, dir).Run() })
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// single is a standalone backend that runs one statement.
func single(postgres, dir string) *exec.Cmd {
	cmd := exec.Command(postgres, "--single", "-D", dir, "postgres")
	cmd.Stdin = strings.NewReader("SELECT 1\n")
	return cmd
}

// helper is a process that works on a target.
func helper(program, what, dir string) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), helperEnv+"="+what+" "+dir)
	return pgtest.RunAs(cmd)
}

// start runs a helper until the function that is returned kills it.
func start(t *testing.T, program, what, dir string) (kill func()) {
	t.Helper()
	cmd := helper(program, what, dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("helper %s said %q", what, line)
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait() // killed
		stdin.Close()
	}
}

// mustRefuse checks that no server starts, neither a normal one nor a
// standalone backend, and what both say.
func mustRefuse(t *testing.T, s *pgtest.Server, want string) {
	t.Helper()
	if err := s.TryStart(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("server: %v; want %s", err, want)
	}
	out, err := pgtest.RunAs(single(filepath.Join(s.BinDir(), "postgres"), s.Dir())).CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) {
		t.Errorf("standalone backend: %v\n%s; want %s", err, out, want)
	}
}

func TestServersAndTargets(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		program := pgtest.Executable(t)
		s := pgtest.New(t, pgtest.Major(major), pgtest.SegSize(1))

		kill := start(t, program, "hold", s.Dir())
		mustRefuse(t, s, `lock file "postmaster.pid" already exists`)
		kill()
		s.Start() // a dead process holds nothing
		out, err := helper(program, "hold", s.Dir()).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "a server (PID ") {
			t.Errorf("target of a running server: %v, %s", err, out)
		}
		s.Stop(pgtest.Fast)

		kill = start(t, program, filepath.Join(s.BinDir(), "postgres"), s.Dir())
		mustRefuse(t, s, `lock file "postmaster.pid" already exists`) // lent and taken back
		kill()

		control := s.ReadFile(target.ControlFile)
		start(t, program, "bar", s.Dir())()
		mustRefuse(t, s, `invalid data in file "backup_label"`)
		s.WriteFile("recovery.signal", "")
		s.Set("restore_command", "false")
		if err := s.TryStart(); err == nil || !strings.Contains(err.Error(), `invalid data in file "backup_label"`) {
			t.Errorf("server in recovery: %v", err)
		}
		if s.ReadFile(target.ControlFile) != control {
			t.Error("a barred server wrote the control file")
		}
		if label := s.ReadFile(target.LabelFile); !strings.HasSuffix(label, "run this\n") {
			t.Errorf("a barred server changed the label: %q", label)
		}
	})
}
