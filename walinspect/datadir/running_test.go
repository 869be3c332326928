package datadir

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestRunning(t *testing.T) {
	root := newDir(t, nil)
	d := open(t, root)

	// A process that sits in the data directory, as a server does, and one that
	// does not.
	start := func(dir string) int {
		cmd := exec.Command("sleep", "600")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd.Process.Pid
	}
	server, other := start(root), start("/")
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	lock := func(pid int, memory string) string {
		return fmt.Sprintf("%d\n%s\n1700000000\n5432\n/tmp\n\n%s\nready\n", pid, root, memory)
	}
	tests := []struct {
		name    string
		text    string
		pid     int
		running bool
	}{
		{"a server", lock(server, ""), server, true},
		{"standalone backend", lock(-server, ""), server, true},
		{"dead", lock(dead.Process.Pid, ""), dead.Process.Pid, false},
		{"dead, shared memory gone", lock(dead.Process.Pid, "  5432001  2147483000"), dead.Process.Pid, false},
		{"number taken by another program", lock(other, ""), other, false},
		{"number taken by this program", lock(os.Getpid(), ""), os.Getpid(), false},
		{"only a number", fmt.Sprint(server), server, true},
		{"empty file", "", 0, true},
		{"no number", "hello\n", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(root, "postmaster.pid"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if pid, running := d.Running(); pid != tt.pid || running != tt.running {
				t.Errorf("Running() = %d, %t; want %d, %t", pid, running, tt.pid, tt.running)
			}
		})
	}
	if err := os.Remove(filepath.Join(root, "postmaster.pid")); err != nil {
		t.Fatal(err)
	}
	if pid, running := d.Running(); pid != 0 || running {
		t.Errorf("no lock file: Running() = %d, %t", pid, running)
	}
}
