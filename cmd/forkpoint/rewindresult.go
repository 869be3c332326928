package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"forkpoint/rewind"
	"forkpoint/rewind/target"
)

// resultFile is the name, in the state directory, of what the last run came to.
const resultFile = "result.json"

// outcome is how a run ended, for whoever comes later than its output.
type outcome struct {
	Schema    string         `json:"schema"` // forkpoint/rewind-outcome/1
	Action    string         `json:"action"` // rewind or undo
	Ended     time.Time      `json:"ended"`
	Target    string         `json:"target"`
	Status    status         `json:"status"` // exit status of forkpoint rewind
	Code      string         `json:"code"`
	Message   string         `json:"message,omitempty"`
	Hint      string         `json:"hint,omitempty"`
	Transient bool           `json:"transient,omitempty"` // see errorReport
	Result    *rewind.Result `json:"result,omitempty"`
}

// stateTrace remembers whether a run found a state directory, so that one that
// had nothing to do or was refused leaves none.
type stateTrace struct {
	dir     string
	action  string
	existed bool
}

func traceState(dir, action string) stateTrace {
	_, err := os.Lstat(dir)
	return stateTrace{dir, action, err == nil}
}

// end writes the result file, or takes away what was made for nothing. That it
// cannot is worth a warning, no more: the exit status has the outcome too.
func (s stateTrace) end(app *app, target string, result *rewind.Result, failure error) {
	if err := s.write(target, result, failure); err != nil {
		app.log.Warn("result file cannot be written", "path", filepath.Join(s.dir, resultFile), "err", err)
	}
}

func (s stateTrace) write(target string, result *rewind.Result, failure error) error {
	if !s.existed && !hasJournal(s.dir) {
		return s.remove()
	}
	if _, err := os.Lstat(s.dir); err != nil {
		return nil // there is nowhere to write
	}
	o := outcome{Schema: "forkpoint/rewind-outcome/1", Action: s.action, Ended: time.Now().UTC(), Target: target, Status: statusOf(failure), Result: result}
	if failure != nil {
		o.Message, o.Hint, o.Transient = failure.Error(), hintOf(failure), isTransient(failure)
	}
	for _, known := range statuses {
		if known.status == o.Status {
			o.Code = known.code
		}
	}
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return replaceDurably(absolute(s.dir), resultFile, append(text, '\n'))
}

// replaceDurably writes a file of the state directory, which is there in whole,
// old or new, whenever the machine dies.
func replaceDurably(dir, name string, text []byte) error {
	roots := target.NewRoots()
	defer roots.Close() // everything was flushed
	if err := roots.Declare(dir); err != nil {
		return err
	}
	temp := filepath.Join(dir, name+".new")
	if err := target.WriteFile(roots, temp, text); err != nil {
		return err
	}
	if err := roots.Rename(temp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return roots.SyncDir(dir)
}

// remove drops the catalog that a run made, and the directory if nothing else
// is in it.
func (s stateTrace) remove() error {
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, name := range []string{"restored", "stage", ""} {
		_ = os.Remove(filepath.Join(s.dir, name)) // fails, as it should, where something is in it
	}
	return nil
}

// hasJournal tells whether a run began to change the target.
func hasJournal(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "rewind-") })
}
