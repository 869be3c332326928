package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
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
	err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	c := cost{wall: time.Since(began)}
	if err != nil {
		b.Fatal(err)
	}
	c.asked = askedBytes(b, cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s %q: %s\n%s", program, args, err, errs.String())
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	c.memory = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); strings.HasPrefix(lines[len(lines)-1], "{") {
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &c.result); err != nil {
			b.Fatal(err)
		}
	}
	return c
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
