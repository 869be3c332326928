package rewind

import (
	"fmt"
	"slices"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

func (c *copying) hole(path string, from, to int64) {
	c.run.result.Written.Holes += to - from
	c.holes[path] = max(c.holes[path], to)
}

func allZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !slices.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

// ended notes where a file that was fetched to its end, ends. In a stopped data
// directory that is where the listing said, or somebody writes to it.
func (c *copying) ended(a *plan.Action, end int64) error {
	if before, known := c.ends[a.Path]; known {
		end = min(end, before)
	}
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
	if err := c.run.sent.gone(path); err != nil {
		return err
	}
	return c.run.edit.Remove(path)
}

// finishLength gives a file its length at the source: one that ends in a hole
// is extended, a longer one is cut.
func (c *copying) finishLength(a *plan.Action) error {
	size := a.Size
	if end, known := c.ends[a.Path]; known {
		size = end
	}
	info, err := c.run.target.Stat(a.Path)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if info.Size() > size {
		return c.window.Truncate(a.Path, size)
	}
	if end := min(c.holes[a.Path], size); end > info.Size() {
		return c.window.Truncate(a.Path, end)
	}
	return nil
}
