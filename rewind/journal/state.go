package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"forkpoint/rewind/target"
)

// MakeStateDir makes the state directory, durably, with the parents that are
// missing. One that is there is left as it is.
func MakeStateDir(dir string, mode fs.FileMode) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("state directory %s: not a directory", dir)
		}
		return syncDir(filepath.Dir(dir))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := MakeStateDir(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir flushes a directory. One that we may not read was not made by us,
// and is left alone.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close() // read only
	return d.Sync()
}

// Summary is what [List] tells of a journal.
type Summary struct {
	Dir    string `json:"dir"`
	Header Header `json:"header"`
	Stage  Stage  `json:"stage"`
	Size   int64  `json:"size"` // bytes of the log
	// Damage says what is wrong with a log that cannot be opened, of which the
	// stage is known all the same.
	Damage string `json:"damage,omitempty"`
	// Note is that of the stage: for a target that is barred, SHA-256 of its
	// control file.
	Note []byte `json:"-"`
}

// Unfinished tells whether the target is neither as it was nor as it shall be.
func (s *Summary) Unfinished() bool {
	return s.Stage != Done && s.Stage != Undone && s.Stage != Abandoned
}

// unreadableError is that of a journal that does not tell how far its rewind
// came.
type unreadableError struct {
	dir string
	err error
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("read the journal of a rewind in %s: %v", e.dir, e.err)
}
func (e *unreadableError) Unwrap() error { return e.err }

// Hint says what the operator can do.
func (e *unreadableError) Hint() string {
	return "put a copy of the folder into its place; if that rewind was finished or undone, move the folder out of the state directory"
}

// List finds the journals in a state directory, the oldest first. It reads
// little of each; damage shows when one is opened. A state directory that does
// not exist has none.
func List(fsys target.FS, state string) ([]Summary, error) {
	if err := fsys.Declare(state); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	names, err := fsys.ReadDir(state)
	if err != nil {
		return nil, err
	}
	var list []Summary
	for _, n := range names {
		if !isJournal(n) {
			continue
		}
		s, err := summary(fsys, state+"/"+n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // never completed: nothing was changed after it
		}
		if err != nil {
			return nil, &unreadableError{state + "/" + n, err}
		}
		list = append(list, s)
	}
	// Names tell seconds only.
	slices.SortStableFunc(list, func(a, b Summary) int { return a.Header.Started.Compare(b.Header.Started) })
	return list, nil
}
