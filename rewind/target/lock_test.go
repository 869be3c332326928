package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecondForkpointIsRefused(t *testing.T) {
	dir := newDataDir(t)
	first := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	var busy *BusyError
	if !errors.As(err, &busy) || busy.Server || busy.PID != os.Getpid() || busy.Hint() == "" {
		t.Fatalf("second Open = %v", err)
	}
	mustDo(t, first.Close())
	if _, err := os.Stat(filepath.Join(dir, LockFile)); !os.IsNotExist(err) {
		t.Fatalf("lock file after Close: %v", err)
	}
	mustDo(t, open(t, dir, Options{}).Close())
}

func TestLockFileLooksLikeThatOfAStandaloneBackend(t *testing.T) {
	dir := newDataDir(t)
	open(t, dir, Options{})
	lines := strings.Split(contents(t, filepath.Join(dir, LockFile)), "\n")
	if lines[0] != fmt.Sprint(-os.Getpid()) || lines[1] != dir {
		t.Fatalf("%q", lines)
	}
}

// TestForeignLockFiles starts with a postmaster.pid that somebody left.
func TestForeignLockFiles(t *testing.T) {
	dead := exec.Command("true")
	mustDo(t, dead.Run())
	tests := []struct {
		name string
		text func(dir string) string
		busy bool
	}{
		{"of a live process in the directory", func(dir string) string {
			cmd := exec.Command("sleep", "600")
			cmd.Dir = dir
			mustDo(t, cmd.Start())
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			return fmt.Sprintf("%d\n%s\n1700000000\n5432\n/tmp\n\n  1 2\nready\n", cmd.Process.Pid, dir)
		}, true},
		{"of a dead process", func(dir string) string {
			return fmt.Sprintf("%d\n%s\n1700000000\n5432\n/tmp\n\n\nready\n", dead.Process.Pid, dir)
		}, false},
		{"of a dead forkpoint", func(dir string) string { return fmt.Sprintf("-%d\n%s\n1700000000\n0\n\n\n", dead.Process.Pid, dir) }, false},
		{"of another program by now", func(dir string) string { return fmt.Sprintf("%d\n%s\n", os.Getppid(), dir) }, false},
		{"empty", func(string) string { return "" }, true},
		{"nonsense", func(string) string { return "who knows\n" }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newDataDir(t)
			text := tt.text(dir)
			mustDo(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(text), 0o600))
			tgt, err := Open(dir, Options{})
			var busy *BusyError
			if tt.busy {
				if !errors.As(err, &busy) || !busy.Server || busy.Hint() == "" {
					t.Fatalf("Open = %v", err)
				}
				if got := contents(t, filepath.Join(dir, LockFile)); got != text {
					t.Fatalf("lock file became %q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustDo(t, tgt.Close())
		})
	}
}

func TestCloseLeavesAForeignLockFile(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{})
	const foreign = "1\n/elsewhere\n"
	mustDo(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(foreign), 0o600))
	mustDo(t, tgt.Close())
	if got := contents(t, filepath.Join(dir, LockFile)); got != foreign {
		t.Fatalf("%q", got)
	}
}

func TestLend(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{})
	name := filepath.Join(dir, LockFile)
	why := errors.New("why")
	err := tgt.Lend(func() error {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("lock file while lent: %v", err)
		}
		if _, err := Open(dir, Options{}); !errors.As(err, new(*BusyError)) {
			t.Errorf("Open while lent = %v", err)
		}
		return why
	})
	if !errors.Is(err, why) {
		t.Fatal(err)
	}
	contents(t, name)
	err = tgt.Lend(func() error { return os.WriteFile(name, nil, 0o600) }) // a server stays
	if !errors.As(err, new(*BusyError)) {
		t.Fatalf("Lend with a server left behind = %v", err)
	}
	mustDo(t, os.Remove(name))
}

func TestOnlyTheOwnerMayWork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := newDataDir(t)
	mustDo(t, os.Chown(dir, 12345, 0))
	_, err := Open(dir, Options{})
	var owner *OwnerError
	if !errors.As(err, &owner) || owner.Owner != 12345 || owner.Hint() == "" {
		t.Fatalf("Open = %v", err)
	}
}
