package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Running tells whether a server, or a standalone backend, uses the directory,
// and the process that holds its lock file. In doubt it does: a lock file that
// cannot be read or is empty gives process 0.
//
// A lock file alone is no proof, for a server that dies leaves it behind and
// its process number may be another program's by now. So the process must
// exist, and where /proc shows what it is, be a server in this directory.
// A dead server whose backends live on counts as running: they still write. So
// does one in another container with this directory, as far as it shows; its
// process number means nothing here.
func (d *Dir) Running() (pid int, running bool) {
	text, err := os.ReadFile(d.join("postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false
	}
	lines := strings.Split(string(text), "\n")
	pid, bad := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || bad != nil || pid == 0 {
		return 0, true
	}
	pid = max(pid, -pid) // a standalone backend writes its number negated
	if d.serves(pid) {
		return pid, true
	}
	const sharedMemoryLine = 6 // "key id" (LOCK_FILE_LINE_SHMEM_KEY in src/include/utils/pidfile.h)
	if len(lines) > sharedMemoryLine {
		if fields := strings.Fields(lines[sharedMemoryLine]); len(fields) == 2 && attached(fields[1]) {
			return pid, true
		}
	}
	return pid, !rewinds(pid) && d.opened()
}

// rewinds tells whether pid is another forkpoint, which puts its number where a
// server does and has files open. A lock keeps two of them from working on one
// directory. Our own number may be that of a server in another container.
func rewinds(pid int) bool {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || pid == os.Getpid() {
		return false
	}
	own, _ := os.ReadFile("/proc/self/comm")
	return slices.Contains([]string{"forkpoint\n", "pg_rewind\n", string(own)}, string(comm))
}

// serves tells whether pid is a live process that can be this directory's server.
func (d *Dir) serves(pid int) bool {
	if pid == os.Getpid() || pid == os.Getppid() {
		return false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	// A server's working directory is its data directory. What other users'
	// processes have open cannot be seen, and then the name must do.
	if cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil {
		here, err := os.Stat(d.path)
		return err != nil || os.SameFile(cwd, here)
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return true
	}
	comm := string(name)
	return strings.Contains(comm, "postgres") || strings.Contains(comm, "postmaster")
}

// attached tells whether any process has the System V shared memory segment
// open, which all processes of a server have.
func attached(id string) bool {
	table, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(table)) {
		const idColumn, countColumn = 1, 6
		fields := strings.Fields(line)
		if len(fields) > countColumn && fields[idColumn] == id {
			return fields[countColumn] != "0"
		}
	}
	return false
}
