package main

import (
	"os/exec"
	"runtime"
	"testing"
)

// What a process has is told apart from what the one had that made it.
func TestWatchMemory(t *testing.T) {
	const large = 150 << 20
	mine := make([]byte, large)
	for i := 0; i < len(mine); i += 4096 {
		mine[i] = 1
	}
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := watchMemory(cmd.Process.Pid)() // one look at least
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if peak <= 0 || peak >= large {
		t.Errorf("cat takes %d bytes", peak)
	}
	runtime.KeepAlive(mine)
}
