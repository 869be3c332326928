package pgtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// scratch is this process's directory below a well-known one. It exists while
// anything in it is in use; its lock file is held so long, so that another
// process can tell an abandoned directory from one in use.
type scratch struct {
	place func() string // where the well-known directory is
	mu    sync.Mutex
	users int
	dir   string
	lock  *os.File
}

// Clusters go where files are made fastest; programs go where they can be
// executed, which memory file systems often forbid.
var (
	shared   = scratch{place: fastPlace}
	programs = scratch{place: reachableTemp}
)

// Scratch makes a directory that the servers' OS user owns and can reach, which
// a directory from testing.T.TempDir is not when the test runs as root. It is
// removed when the test ends, with every process that works in it.
func Scratch(t testing.TB) string {
	t.Helper()
	return shared.forTest(t)
}

// Executable is the running test binary where the servers' OS user can execute
// it; the original lies in a directory that belongs to go test alone.
func Executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(programs.forTest(t), filepath.Base(self))
	if os.Link(self, path) == nil {
		return path
	}
	// A process that another test forks while the copy is being written holds it
	// open until it is another program, and what is open cannot be executed.
	syscall.ForkLock.RLock()
	err = copyFile(self, path, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// forTest makes a new directory that lasts as long as the test.
func (s *scratch) forTest(t testing.TB) string {
	t.Helper()
	dir, err := s.acquire()
	if err != nil {
		t.Fatalf("make scratch directory: %s", err)
	}
	t.Cleanup(func() {
		if err := s.release(dir); err != nil {
			t.Errorf("remove scratch directory: %s", err)
		}
	})
	return dir
}

// acquire makes a new directory inside the process's own.
func (s *scratch) acquire() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		if err := s.open(); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(s.dir, "")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), Own(dir))
	}
	if err != nil {
		return "", errors.Join(err, s.closeUnused())
	}
	s.users++
	return dir, nil
}

// release removes a directory that acquire made.
func (s *scratch) release(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	killIn(dir)
	err := os.RemoveAll(dir)
	s.users--
	return errors.Join(err, s.closeUnused())
}

func (s *scratch) closeUnused() error {
	if s.users > 0 {
		return nil
	}
	err := os.RemoveAll(s.dir)
	return errors.Join(err, s.lock.Close())
}

// open makes the process's directory, after removing those of processes that
// died. One process at a time does so, lest a directory that is not locked yet
// be taken for an abandoned one.
func (s *scratch) open() error {
	base := filepath.Join(s.place(), fmt.Sprintf("forkpoint-pgtest-%d", os.Getuid()))
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	if err := ownedByUs(base); err != nil {
		return err
	}
	gate, err := lockFile(filepath.Join(base, "lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer gate.Close() // lets the lock go; nothing was written
	sweep(base)
	if s.dir, err = os.MkdirTemp(base, "run"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	s.lock, err = lockFile(filepath.Join(s.dir, "lock"), syscall.LOCK_EX)
	return err
}

// sweep removes the directories of processes that died. What cannot be removed
// is left to a later sweep.
func sweep(base string) {
	runs, _ := filepath.Glob(filepath.Join(base, "run*"))
	for _, dir := range runs {
		lock, err := lockFile(filepath.Join(dir, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // in use
		}
		killIn(dir)
		os.RemoveAll(dir)
		lock.Close()
	}
}

func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ownedByUs refuses a directory that another user made under our name.
func ownedByUs(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !st.IsDir() || !ok || int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not a directory of ours", dir)
	}
	return nil
}

// killIn ends every process whose working directory is dir or below, and
// removes the shared memory of servers that did not end by themselves. A
// server and all its children work in its data directory.
func killIn(dir string) {
	for _, pid := range pidsIn(dir) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "postmaster.pid" {
			removeSharedMemory(path)
		}
		return nil
	})
}

// pidsIn lists the processes that work in dir or below it.
func pidsIn(dir string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var pids []int
	for _, link := range links {
		cwd, err := os.Readlink(link)
		cwd = strings.TrimSuffix(cwd, " (deleted)")
		if err != nil || cwd != dir && !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// removeSharedMemory removes the System V segment that a killed server leaves;
// its id is the second number on line 7 of postmaster.pid
// (LOCK_FILE_LINE_SHMEM_KEY in src/include/utils/pidfile.h).
func removeSharedMemory(pidFile string) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return
	}
	if id, err := strconv.Atoi(fields[1]); err == nil {
		syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), 0 /* IPC_RMID */, 0)
	}
}
