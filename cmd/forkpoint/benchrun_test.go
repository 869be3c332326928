package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkpoint/rewind"
	"forkpoint/walinspect/pgtest"
)

// cost is what one run of a program took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // most that was resident, bytes
	asked     int64 // bytes given to write calls
	result    *rewind.Result
}

// measure runs a program to its end as the servers' user. What it gave to write
// calls is read while the kernel still has the ended process.
func measure(b testing.TB, program string, args ...string) cost {
	b.Helper()
	cmd := pgtest.RunAs(exec.Command(program, args...))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	peak := watchMemory(cmd.Process.Pid)
	err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	c := cost{wall: time.Since(began), memory: peak()}
	if err != nil {
		b.Fatal(err)
	}
	c.asked = askedBytes(b, cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s %q: %s\n%s", program, args, err, errs.String())
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); strings.HasPrefix(lines[len(lines)-1], "{") {
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &c.result); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

// watchMemory reads the most memory that a process had resident, in bytes, until
// it is asked for it. What the kernel tells of an ended process will not do: it
// counts what the parent had when it made the process.
func watchMemory(pid int) (peak func() int64) {
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			most = max(most, highWater(pid))
			select {
			case <-tick.C:
			case <-done:
				result <- most
				return
			}
		}
	}()
	return func() int64 { close(done); return <-result }
}

// highWater is VmHWM of /proc/PID/status; 0 once the process has ended.
func highWater(pid int) (n int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &n); err == nil {
			return n << 10
		}
	}
	return 0
}

// askedBytes is wchar of /proc/PID/io.
func askedBytes(b testing.TB, pid int) (n int64) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
			return n
		}
	}
	b.Fatalf("no wchar in %q", text)
	return 0
}
