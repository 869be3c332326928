package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"forkpoint/rewind/target"
)

// checkBarred refuses a target that a rewind was begun on whose journal is not
// to be found: what is in it belongs to no history.
func (r *run) checkBarred(context.Context) error {
	if r.resumed != nil {
		return nil
	}
	text, err := r.oldLabel()
	if err != nil || !target.IsBar([]byte(text)) {
		return err
	}
	return &PreflightError{Check: CheckUnfinished, Side: Target, Path: target.LabelFile,
		Found: fmt.Sprintf("a rewind of it was begun and is not finished, and %s has no journal of that", r.cfg.StateDir),
		Want:  "the journal, to finish the rewind or to undo it",
		Next:  "name its place with --state-dir; it is in the target's backup_label"}
}

// checkLabel refuses a target with a backup_label of its own: a backup or a
// rewound data directory on which no server has replayed yet. What its pages
// are to become lies in log before its last checkpoint, and nothing that is
// read here tells from where on.
func (r *run) checkLabel(context.Context) error {
	if r.resumed != nil {
		return nil
	}
	text, err := r.oldLabel()
	if err != nil || text == "" {
		return err
	}
	e := &PreflightError{Check: CheckLabel, Side: Target, Path: target.LabelFile,
		Found: fmt.Sprintf("it has a backup_label (%s), so it is a copy whose replay was never begun", labelMethod(text)),
		Want:  "a data directory that its server has come up on",
		Next:  "start and stop its server once; or take a new base backup"}
	switch {
	case strings.Contains(text, "BACKUP METHOD: pg_rewind\n"):
		e.Next = "start and stop its server once; or, if forkpoint rewound it, take that back with " + r.undoCommand()
	case strings.Contains(text, "BACKUP METHOD: pg_start_backup\n"):
		e.Next = "if its server crashed while it was being backed up, remove the file; if it is a backup, start and stop its server once"
	}
	return e
}

// noteLabel says that a target that needs no rewind is still to be replayed.
func (r *run) noteLabel() error {
	text, err := r.oldLabel()
	if err == nil && text != "" && !target.IsBar([]byte(text)) {
		r.note(fmt.Sprintf("the target has a backup_label (%s): its server will begin with replay from there", labelMethod(text)))
	}
	return err
}

// oldLabel is the target's backup_label, "" for none.
func (r *run) oldLabel() (string, error) {
	b, err := r.cfg.Target.ReadFile(target.LabelFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("target: %w", err)
	}
	return string(b), nil
}

// labelMethod is the line of a label that says how the copy was made.
func labelMethod(text string) string {
	for line := range strings.Lines(text) {
		if method, found := strings.CutPrefix(strings.TrimSpace(line), "BACKUP METHOD: "); found {
			return "of " + method
		}
	}
	return "without a method"
}
