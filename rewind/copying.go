package rewind

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// pieceSize is the unit in which fetched bytes are compared with those that
// are there: only pieces that differ are saved and written.
const pieceSize = 8192

// copying is the state of the copy phase.
type copying struct {
	run     *run
	actions map[string]*plan.Action
	total   int64
	done    int64

	path    string           // file that is being written
	size    int64            // its length at the target; what lies beyond is new
	made    map[string]bool  // files that were queued to be made
	ends    map[string]int64 // where files that were fetched to their end, end
	missing map[string]bool  // files that the source dropped meanwhile
	buf     []byte
}

// deliver takes one chunk from the source.
func (c *copying) deliver(chunk source.Chunk) error {
	r := c.run
	r.result.Written.FromSource += int64(len(chunk.Data))
	c.done += int64(len(chunk.Data))
	r.cfg.Progress(Progress{PhaseCopy, min(c.done, c.total), c.total, "bytes"})

	a, known := c.actions[chunk.Path]
	if !known {
		return fmt.Errorf("source sent bytes of %q, which were not asked for", chunk.Path)
	}
	if chunk.Missing {
		return c.vanished(chunk.Path)
	}
	if err := c.open(a); err != nil {
		return err
	}
	if err := c.write(chunk); err != nil {
		return err
	}
	if chunk.Short && a.Kind != plan.Blocks {
		return c.ended(a, chunk.Offset+int64(len(chunk.Data)))
	}
	return nil
}

// ended notes where a file that was fetched to its end, ends. In a stopped data
// directory that is where the listing said, or somebody writes to it.
func (c *copying) ended(a *plan.Action, end int64) error {
	c.ends[a.Path] = end
	if end != a.Size && c.run.cfg.Source.Kind() == source.Directory {
		return &SizeError{Path: a.Path, Want: a.Size, Got: end}
	}
	return nil
}

// vanished handles a file that the source dropped after it was listed. Replay
// knows of the drop, for its record is later than the checkpoint.
func (c *copying) vanished(path string) error {
	c.missing[path] = true
	return c.run.edit.Remove(path)
}

// open notes the state of the file that the following chunks go to, and makes
// it where there is none.
func (c *copying) open(a *plan.Action) error {
	if c.path == a.Path {
		return nil
	}
	c.path, c.size = a.Path, 0
	if c.made[a.Path] {
		return nil
	}
	info, err := c.run.target.Stat(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		c.made[a.Path] = true
		return c.run.edit.Create(a.Path, c.run.target.FileMode())
	}
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	c.size = info.Size()
	return nil
}

// write saves and writes the pieces of a chunk that differ from what is there.
func (c *copying) write(chunk source.Chunk) error {
	r := c.run
	if r.resumed != nil {
		// What is equal may be our own work, which never reached the disk.
		r.result.Written.ToTarget += int64(len(chunk.Data))
		return r.edit.WriteAt(chunk.Path, chunk.Offset, chunk.Data)
	}
	old, err := c.read(chunk.Path, chunk.Offset, len(chunk.Data))
	if err != nil {
		return err
	}
	data := chunk.Data
	for start := 0; start < len(data); {
		if c.equal(data, old, start) {
			n := min(pieceSize, len(data)-start)
			r.result.Written.Equal += int64(n)
			start += n
			continue
		}
		end := min(start+pieceSize, len(data))
		for end < len(data) && !c.equal(data, old, end) {
			end = min(end+pieceSize, len(data))
		}
		if err := r.edit.WriteAt(chunk.Path, chunk.Offset+int64(start), data[start:end]); err != nil {
			return err
		}
		r.result.Written.ToTarget += int64(end - start)
		start = end
	}
	return nil
}

// equal compares the piece at start with what was there.
func (c *copying) equal(data, old []byte, start int) bool {
	end := min(start+pieceSize, len(data))
	return end <= len(old) && bytes.Equal(data[start:end], old[start:end])
}

// read reads what the target has of a range; less where its file ends.
func (c *copying) read(path string, offset int64, n int) ([]byte, error) {
	if offset >= c.size {
		return nil, nil
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	got, err := c.run.target.ReadAt(path, c.buf[:n], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("target: %w", err)
	}
	return c.buf[:got], nil
}

// finishLengths gives every file its length at the source: an empty one is
// made, a longer one is cut, and what is cut off goes into the journal.
func (c *copying) finishLengths(copies []plan.Action) error {
	r := c.run
	for i := range copies {
		a := &copies[i]
		if c.missing[a.Path] {
			continue
		}
		size := a.Size
		if end, known := c.ends[a.Path]; known {
			size = end
		}
		info, err := r.target.Stat(a.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && size == 0:
			err = r.edit.Create(a.Path, r.target.FileMode())
		case err != nil:
			err = fmt.Errorf("target: %w", err)
		case info.Size() > size:
			err = r.edit.Truncate(a.Path, size)
		}
		if err != nil {
			return err
		}
	}
	return r.edit.Flush()
}
