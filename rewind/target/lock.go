package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// BusyError says that somebody else works on the data directory.
type BusyError struct {
	Dir    string
	PID    int  // 0 when unknown
	Server bool // a server, otherwise another forkpoint
}

func (e *BusyError) Error() string { return e.Who() + " uses the data directory" }

// Who is who uses it.
func (e *BusyError) Who() string {
	who := "another forkpoint"
	if e.Server {
		who = "a server"
	}
	if e.PID != 0 {
		who += fmt.Sprintf(" (PID %d)", e.PID)
	}
	return who
}

// Hint says what the operator can do.
func (e *BusyError) Hint() string {
	switch {
	case e.Server && e.PID == 0:
		return "look into " + e.Dir + "/" + LockFile + "; if no server runs, remove it"
	case e.Server:
		return "stop the server first"
	}
	return "wait until it has finished"
}

// acquire locks the directory and writes postmaster.pid.
func (t *Target) acquire() error {
	lock, err := t.lockDir()
	switch {
	case errors.Is(err, ErrLocked):
		return &BusyError{Dir: t.dir, PID: t.holder()}
	case err != nil && !errors.Is(err, errors.ErrUnsupported):
		return err
	}
	t.lock = lock
	return t.writeLockFile()
}

// The kernel may take a moment to end the lock of a process that was killed.
const (
	lockTries = 40
	lockPause = 50 * time.Millisecond
)

// lockDir takes the lock. As long as its holder is dead it is tried again.
func (t *Target) lockDir() (io.Closer, error) {
	pause := time.NewTicker(lockPause)
	defer pause.Stop()
	for try := 0; ; try++ {
		lock, err := t.fs.Lock(t.dir)
		if !errors.Is(err, ErrLocked) || try == lockTries || alive(t.holder()) {
			return lock, err
		}
		<-pause.C
	}
}

// holder is the process in the lock file, 0 if there is none to be read.
func (t *Target) holder() int {
	text, err := t.readWhole(t.dir+"/"+LockFile, 1<<12)
	if err != nil {
		return 0
	}
	var pid int
	if _, err := fmt.Sscanf(string(text), "%d", &pid); err != nil {
		return 0
	}
	return max(pid, -pid)
}

// writeLockFile makes postmaster.pid, as a standalone backend does, in place of
// one that a dead process left.
func (t *Target) writeLockFile() error {
	const tries = 10 // a server that starts and fails at the same time takes turns with us
	name := t.dir + "/" + LockFile
	// number, directory, start time, port, socket directory, listen address
	// (src/include/utils/pidfile.h)
	text := fmt.Sprintf("%d\n%s\n%d\n0\n\n\n", -os.Getpid(), t.dir, time.Now().Unix())
	for range tries {
		err := t.createLockFile(name, text)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
		if pid, running := t.fs.Server(t.dir); running {
			return &BusyError{Dir: t.dir, PID: pid, Server: true}
		}
		if pid := t.holder(); t.lock == nil && alive(pid) {
			return &BusyError{Dir: t.dir, PID: pid}
		}
		if err := t.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return &BusyError{Dir: t.dir, Server: true}
}

// createLockFile makes the file whole and flushed, or not at all. One that a
// crash of the machine left empty would keep servers and us from starting until
// a person removes it.
func (t *Target) createLockFile(name, text string) error {
	temp := tempName(name)
	if err := t.writeTemp(temp, []byte(text), t.fileMode, time.Time{}); err != nil {
		return err
	}
	err := t.fs.Link(temp, name)
	if err == nil {
		t.pidText = text
	}
	gone := t.fs.Remove(temp)
	if gone == nil && t.method != SyncNone {
		gone = t.fs.SyncDir(t.dir)
	}
	if err == nil || !cannotLink(err) {
		return errors.Join(err, gone)
	}
	f, err := t.fs.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, t.fileMode)
	if err != nil {
		return err
	}
	t.pidText = text
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// removeLockFile removes postmaster.pid if it is still the one we wrote.
func (t *Target) removeLockFile() error {
	if t.pidText == "" {
		return nil
	}
	name := t.dir + "/" + LockFile
	text, err := t.readWhole(name, 1<<12)
	if errors.Is(err, fs.ErrNotExist) {
		t.pidText = ""
		return nil
	}
	if err != nil {
		return err
	}
	if !strings.HasPrefix(t.pidText, string(text)) { // not ours, nor torn from ours
		t.pidText = ""
		return nil
	}
	if err := t.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.pidText = ""
	return nil
}

// Lend gives postmaster.pid away while run starts a server of its own on the
// directory, and takes it back. A server ignores and replaces the lock file of
// its parent process; so that our own is not lost that way, a standalone
// backend for crash recovery is started in here. The lock against other
// forkpoints stays.
func (t *Target) Lend(run func() error) error {
	if err := t.removeLockFile(); err != nil {
		return fmt.Errorf("lend %s: %w", t.dir, err)
	}
	err := run()
	if again := t.writeLockFile(); again != nil {
		return errors.Join(err, fmt.Errorf("take %s back: %w", t.dir, again))
	}
	return err
}
