package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// copying is the state of the copy phase. The files are copied in portions: the
// old bytes of all that a portion overwrites are noted and flushed once, then
// what the source has is written as it comes.
type copying struct {
	run   *run
	total int64
	done  int64

	writing time.Duration // into the target, in the portion
	window  *journal.Window
	actions map[string]*plan.Action // of the portion
	ends    map[string]int64        // where files that were fetched to their end, end
	holes   map[string]int64        // where holes end that were not written
	missing map[string]bool         // files that the source dropped meanwhile
}

// copyAll fetches all that comes from the source.
func (r *run) copyAll(ctx context.Context, copies []plan.Action) error {
	c := copying{run: r, ends: map[string]int64{}, holes: map[string]int64{}, missing: map[string]bool{}}
	for i := range copies {
		for rg := range r.ranges(&copies[i]) {
			c.total += rg.Length
		}
	}
	for p := range portions(copies, r.ranges) {
		if err := c.copy(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ranges lists what an action fetches: chosen blocks and the tail of a relation
// file, or the whole of any other, however long it has become.
func (r *run) ranges(a *plan.Action) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		if a.Kind != plan.Blocks {
			yield(source.Range{Path: a.Path, Length: a.Size, ToEnd: true, Holes: true})
			return
		}
		block := int64(r.sit.target.control.BlockSize)
		for from, to := range a.Blocks.Ranges() {
			if !yield(source.Range{Path: a.Path, Offset: int64(from) * block, Length: int64(to-from) * block, Holes: true}) {
				return
			}
		}
		old := (a.TargetSize + block - 1) / block * block // a block that is there in part is in the plan
		if tail := a.Size - old; tail > 0 {
			yield(source.Range{Path: a.Path, Offset: old, Length: tail, Holes: true})
		}
	}
}

// copy copies one portion.
func (c *copying) copy(ctx context.Context, p portion) error {
	r := c.run
	c.window, c.actions = r.edit.Window(), make(map[string]*plan.Action, len(p.parts))
	if err := r.timed(PartOldBytes, func() error { return c.save(ctx, p) }); err != nil {
		return err
	}
	began := r.cfg.Now()
	c.writing = 0
	if err := r.cfg.Source.Fetch(ctx, p.ranges(c.missing), c.deliver); err != nil {
		return err
	}
	r.spent(PartFetch, r.cfg.Now().Sub(began)-c.writing)
	r.spent(PartWrite, c.writing)
	return r.timed(PartWrite, func() error { return c.finish(p) })
}

// save notes the old bytes of a portion, durably.
func (c *copying) save(ctx context.Context, p portion) error {
	for _, part := range p.parts {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		c.actions[part.action.Path] = part.action
		if err := c.prepare(part); err != nil {
			return err
		}
	}
	return c.window.Commit()
}

// finish gives the files that end with a portion their length.
func (c *copying) finish(p portion) error {
	for _, part := range p.parts {
		if !part.ends || c.missing[part.action.Path] {
			continue
		}
		if err := c.finishLength(part.action); err != nil {
			return err
		}
		delete(c.ends, part.action.Path)
		delete(c.holes, part.action.Path)
	}
	return c.run.edit.Flush()
}

// prepare notes what a part overwrites and cuts off, and has a file made where
// there is none.
func (c *copying) prepare(p part) error {
	r, a := c.run, p.action
	if c.missing[a.Path] {
		return nil
	}
	if p.begins {
		_, err := r.target.Stat(a.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return r.edit.Create(a.Path, r.target.FileMode())
		}
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
	}
	for _, rg := range p.ranges {
		length := rg.Length
		if rg.ToEnd {
			length = journal.ToEnd // the source's file may be longer by now
		}
		if err := c.window.Save(a.Path, rg.Offset, length); err != nil {
			return err
		}
	}
	if p.ends && a.Size < a.TargetSize && a.Kind == plan.Blocks {
		return c.window.Save(a.Path, a.Size, journal.ToEnd)
	}
	return nil
}

// deliver takes one chunk from the source.
func (c *copying) deliver(chunk source.Chunk) error {
	r := c.run
	length := int64(len(chunk.Data)) + chunk.Zeros
	c.done += length
	r.cfg.Progress(Progress{PhaseCopy, min(c.done, c.total), c.total, "bytes"})

	a, known := c.actions[chunk.Path]
	if !known {
		return fmt.Errorf("source sent bytes of %q, which were not asked for", chunk.Path)
	}
	if chunk.Missing {
		return c.vanished(chunk.Path)
	}
	began := r.cfg.Now()
	err := c.write(a, chunk)
	c.writing += r.cfg.Now().Sub(began)
	if err != nil {
		return err
	}
	if err := r.sent.piece(chunk.Path, chunk.Offset, chunk.Data); err != nil {
		return err
	}
	if chunk.Short && a.Kind != plan.Blocks {
		return c.ended(a, chunk.Offset+length)
	}
	return nil
}

// write writes a chunk. Zeros past what the target had become a hole.
func (c *copying) write(a *plan.Action, chunk source.Chunk) error {
	r := c.run
	write := func(off int64, data []byte) error {
		if r.resumed == nil && off >= a.TargetSize && allZero(data) {
			c.hole(chunk.Path, off, off+int64(len(data)))
			return nil
		}
		r.result.Written.ToTarget += int64(len(data))
		return c.window.WriteAt(chunk.Path, off, data)
	}
	if chunk.Zeros == 0 {
		return write(chunk.Offset, chunk.Data)
	}
	end := chunk.Offset + chunk.Zeros
	old := a.TargetSize
	if r.resumed != nil {
		old = end // the interrupted run may have written anything there
	}
	for off := chunk.Offset; off < min(end, old); off += int64(len(zeros)) {
		if err := write(off, zeros[:min(int64(len(zeros)), end-off)]); err != nil {
			return err
		}
	}
	if from := max(old, chunk.Offset); from < end {
		c.hole(chunk.Path, from, end)
	}
	return nil
}

var zeros = make([]byte, 64<<10)
