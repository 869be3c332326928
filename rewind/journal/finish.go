package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"forkpoint/rewind/target"
)

// Finish ends a rewind. All changes are made durable, then the target gets the
// label that the server shall find, by one operation. The control file must
// have been replaced before; Undo knows by it whether a server has run since.
func (e *Editor) Finish(ctx context.Context, label []byte) error {
	if err := e.ready(target.ControlFile); err != nil {
		return err
	}
	if err := e.sync(ctx); err != nil {
		return err
	}
	digest, err := controlDigest(e.t)
	if err != nil {
		return e.fail(err)
	}
	if err := e.j.setStage(Ready, digest); err != nil {
		return e.fail(err)
	}
	if err := e.t.Unbar(label, 0); err != nil {
		return e.fail(err)
	}
	return e.fail(e.j.setStage(Done, digest))
}

// Abandon closes a journal whose target is no more, durably. What is in it
// stays.
func (j *Journal) Abandon() error { return j.setStage(Abandoned, nil) }

// setStage notes a stage durably.
func (j *Journal) setStage(s Stage, note []byte) error {
	if err := j.append(&Entry{Kind: KindStage, Stage: s, Bytes: note}); err != nil {
		return err
	}
	return j.Commit()
}

// Settle compares the stage that the log knows with the target and tells the
// true one. A process that died right after its last operation on the label
// could not note that it was done; then this is noted. A target that should be
// barred and is not is [ErrNotBarred], unless its control file shows that no
// server got past the label; then it is only to be barred again.
func (j *Journal) Settle(t *target.Target) (Stage, error) {
	stage := j.index.stage
	if stage == Done || stage == Undone || stage == Abandoned {
		return stage, nil
	}
	barred, err := t.Barred()
	if err != nil {
		return stage, err
	}
	if stage == Opened {
		// Once the label is noted, only this rewind can have barred the target.
		if !barred || j.index.origins[target.LabelFile] == nil {
			return stage, nil
		}
		digest, err := controlDigest(t)
		if err != nil {
			return stage, err
		}
		return Barred, j.setStage(Barred, digest)
	}
	if !barred && (stage == Ready || stage == Restored) {
		// The process that did it may have died before it was durable.
		if err := t.FS().SyncDir(t.Dir()); err != nil {
			return stage, err
		}
	}
	switch {
	case stage == Ready && !barred:
		return Done, j.setStage(Done, j.index.stageNote)
	case stage == Restored && !barred:
		return Undone, j.setStage(Undone, nil)
	case !barred:
		now, err := controlDigest(t)
		if err == nil && bytes.Equal(now, j.index.stageNote) {
			return stage, nil
		}
		return stage, fmt.Errorf("%w (rewind %s of %s, %s)", ErrNotBarred, j.header.ID, t.Dir(), stage)
	}
	return stage, nil
}

// controlDigest is the SHA-256 of the control file, nil where there is none.
func controlDigest(t *target.Target) ([]byte, error) {
	b, err := t.ReadFile(target.ControlFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}
