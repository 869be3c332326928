package target

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// barLine begins a backup_label that keeps every server from starting. What
// servers read first must be "START WAL LOCATION: " (read_backup_label in
// src/backend/access/transam/xlog.c, xlogrecovery.c since 15); anything else
// is FATAL, in whichever mode.
const barLine = "forkpoint is at work on this data directory. No server can start on it.\n"

// Bar makes it impossible to start a server, durably, until [Target.Unbar].
// The text goes into backup_label, for whoever looks there: what happened and
// what to run. What was in backup_label is lost; the caller has kept it. A
// directory that is barred already keeps the text it has.
func (t *Target) Bar(text string) error {
	barred, err := t.Barred()
	if err != nil {
		return fmt.Errorf("bar %s: %w", t.dir, err)
	}
	if barred {
		return t.fs.SyncDir(t.dir) // whoever wrote it may have died before this
	}
	return t.Replace(LabelFile, []byte(barLine+"\n"+text), 0)
}

// Barred tells whether the directory is barred.
func (t *Target) Barred() (bool, error) {
	text, err := t.ReadFile(LabelFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return IsBar(text), err
}

// IsBar tells whether a backup_label is one that [Target.Bar] wrote.
func IsBar(label []byte) bool { return bytes.HasPrefix(label, []byte(barLine)) }

// Unbar ends what Bar began: backup_label becomes label, or goes if label is
// nil, by one operation and durably. Everything else must be durable before.
func (t *Target) Unbar(label []byte, mode fs.FileMode) error {
	if label != nil {
		return t.Replace(LabelFile, label, mode)
	}
	if err := t.Remove(LabelFile); err != nil {
		return err
	}
	return t.fs.SyncDir(filepath.Dir(t.dir + "/" + LabelFile))
}
