package rewind

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
)

// A node whose rewind was interrupted may be cloned anew into the same place,
// with the journal left beside it. That journal is about files that are no
// more. It must not be taken up, and must not stand in the way of later
// rewinds of the new directory either.

// passReplaced closes the journal of a data directory that is no more; a dry
// run only leaves it alone. It tells whether the journal is one.
func (r *run) passReplaced(s *journal.Summary) (bool, error) {
	replaced, err := r.replaced(s)
	if err != nil || !replaced {
		return false, err
	}
	r.passed = append(r.passed, s.Dir)
	text := "the rewind %s was not finished, and another data directory has taken the place of its target since: "
	if r.cfg.DryRun {
		r.note(fmt.Sprintf(text+"its journal would be closed", s.Header.ID))
		return true, nil
	}
	if err := r.openTarget(); err != nil {
		return false, err
	}
	j, err := journal.Open(r.target.FS(), s.Dir, journal.Options{})
	if err != nil {
		return false, fmt.Errorf("close the journal of a data directory that is no more: %w; %s", err, dropBundle(s))
	}
	if err := j.Abandon(); err != nil {
		j.Close() // the other error counts
		return false, err
	}
	r.note(fmt.Sprintf(text+"its journal is closed, and what it kept stays in %s (%s)", s.Header.ID, s.Dir, dropBundle(s)))
	return true, j.Close()
}

// replaced tells whether the target of an unfinished rewind is surely no more:
// what lies in its place is another directory, is not barred, and has another
// control file than the rewind began with. Anything less may be the target,
// moved or with its label removed by somebody, and half of it rewound.
func (r *run) replaced(s *journal.Summary) (bool, error) {
	if s.Stage == journal.Ready {
		return false, nil // without its label it is done
	}
	now, err := target.IdentityOf(r.cfg.Target.Path())
	if err != nil {
		return false, fmt.Errorf("target: %w", err)
	}
	if !s.Header.Identity.Replaced(now) {
		return false, nil
	}
	label, err := r.oldLabel()
	if err != nil || target.IsBar([]byte(label)) {
		return false, err
	}
	raw, err := r.cfg.Target.ReadFile(target.ControlFile)
	if err != nil {
		return false, fmt.Errorf("target: %w", err)
	}
	sum := sha256.Sum256(raw)
	return !bytes.Equal(sum[:], s.Note), nil
}
