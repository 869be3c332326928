package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"forkpoint/rewind/target"
)

// edit is a queued change.
type edit struct {
	name string
	kept uint64 // to be kept under this number first
	make func(t *target.Target) error
}

// Bounds of what is queued before it is flushed.
const (
	maxQueuedBytes = 8 << 20
	maxQueuedEdits = 1 << 12
)

// add queues an edit of a name, of so many bytes, that reaches up to end.
func (e *Editor) add(what edit, size int, end int64) error {
	e.queue = append(e.queue, what)
	e.bytes += size
	e.ends[what.name] = max(e.ends[what.name], end)
	e.keeps = e.keeps || what.kept != 0
	if e.bytes >= e.maxBytes || len(e.queue) >= e.maxEdits {
		return e.Flush()
	}
	return nil
}

// Flush makes the journal durable and then the queued changes, in order.
func (e *Editor) Flush() error {
	if e.err != nil {
		return e.err
	}
	return e.fail(e.flush())
}

func (e *Editor) flush() error {
	if err := e.j.Commit(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if e.keeps {
		for _, q := range e.queue {
			if q.kept == 0 {
				continue
			}
			if err := e.t.Keep(q.name, e.j.KeptFile(q.kept)); err != nil {
				return err
			}
		}
		if err := e.j.fs.SyncDir(e.j.join(keptDir)); err != nil {
			return err
		}
	}
	for _, q := range e.queue {
		if err := q.make(e.t); err != nil {
			return fmt.Errorf("change %s: %w", q.name, err)
		}
	}
	e.queue, e.bytes, e.keeps = e.queue[:0], 0, false
	clear(e.ends)
	return nil
}

// Mark makes all changes so far durable and notes that the caller has come
// this far: a resumed rewind need not repeat what lies before its last mark.
func (e *Editor) Mark(ctx context.Context, m Mark) error {
	if err := e.sync(ctx); err != nil {
		return err
	}
	if err := e.j.append(&Entry{Kind: KindMark, Number: m.Action, Offset: m.Offset, Bytes: m.Note}); err != nil {
		return e.fail(err)
	}
	return e.fail(e.j.Commit())
}

// sync makes all changes durable, those too that an interrupted process made
// and did not flush: whatever it changed, the journal names.
func (e *Editor) sync(ctx context.Context) error {
	if err := e.Flush(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(e.j.inherited)) {
		if err := e.t.Touch(name); err != nil {
			return e.fail(err)
		}
	}
	if err := e.t.Sync(ctx); err != nil {
		return e.fail(err)
	}
	e.j.inherited = nil
	return nil
}
