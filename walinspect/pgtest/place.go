package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// roomInMemory is how much a memory file system must have free to be used. A
// run of all packages needs about a quarter of it.
const roomInMemory = 8 << 30

// fastPlace is the directory that FORKPOINT_TEST_DIR names, or a memory file
// system with much room, or else a directory for temporary files. A cluster is
// a thousand small files, so a test's time is mostly the time to make and
// remove files.
func fastPlace() string {
	if dir := os.Getenv("FORKPOINT_TEST_DIR"); dir != "" {
		return dir
	}
	const memory = "/dev/shm"
	var fs syscall.Statfs_t
	if syscall.Statfs(memory, &fs) != nil || !enterable(memory) ||
		fs.Bavail*uint64(fs.Bsize) < roomInMemory || availableMemory() < roomInMemory {
		return reachableTemp()
	}
	return memory
}

// availableMemory is what the kernel could give to programs, in bytes; 0 when
// it does not say.
func availableMemory() (n uint64) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &n); err == nil {
			return n << 10
		}
	}
	return 0
}

// reachableTemp is the first directory for temporary files that every user can
// enter, with a name short enough for sockets (108 bytes in all).
func reachableTemp() string {
	for _, dir := range []string{os.TempDir(), "/tmp"} {
		if len(dir) < 40 && enterable(dir) {
			return dir
		}
	}
	return "/var/tmp"
}

func enterable(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil || st.Mode()&0o001 == 0 {
			return false
		}
		if dir == "/" || dir == "." {
			return true
		}
	}
}
