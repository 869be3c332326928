package rewind

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// Files are compared in batches, so that many small ones share a round trip.
const (
	compareFiles = 1024
	comparePairs = 8192 // that are held back until a batch is compared
)

// comparing passes pairs on and says of those that a rewind would copy whole
// whether they are the same already. A running source sends the sums of its
// parts, not the bytes. What is the same now need not be copied later: like a
// file that was copied now, it is brought up to date by replay.
type comparing struct {
	run  *run
	in   *plan.Input
	held []plan.Pair
	todo []int // of held: to be compared
	off  bool  // the source has no connection left for it
	skip map[string]bool
	buf  []byte
}

// markSame is the pairs with [plan.Pair.Same] set where it is.
func (r *run) markSame(ctx context.Context, in *plan.Input) iter.Seq2[plan.Pair, error] {
	c := comparing{run: r, in: in, skip: map[string]bool{}, buf: make([]byte, source.PartSize)}
	if r.resumed != nil {
		// What is there may be our own work, which never reached the disk.
		for _, f := range r.resumed.origins {
			c.skip[f.Path] = true
		}
	}
	pairs := in.Pairs
	return func(yield func(plan.Pair, error) bool) {
		for p, err := range pairs {
			if err == nil {
				err = c.take(ctx, p)
			}
			if err != nil {
				yield(plan.Pair{}, err)
				return
			}
			if !c.full() {
				continue
			}
			if !c.pass(ctx, yield) {
				return
			}
		}
		c.pass(ctx, yield)
	}
}

func (c *comparing) take(ctx context.Context, p plan.Pair) error {
	if !c.off && !c.skip[p.Path] && c.in.Compares(p) {
		c.todo = append(c.todo, len(c.held))
	}
	c.held = append(c.held, p)
	return context.Cause(ctx)
}

func (c *comparing) full() bool {
	return len(c.todo) == 0 || len(c.todo) >= compareFiles || len(c.held) >= comparePairs
}

// pass compares what is held and hands it on.
func (c *comparing) pass(ctx context.Context, yield func(plan.Pair, error) bool) bool {
	if err := c.compare(ctx); err != nil {
		yield(plan.Pair{}, err)
		return false
	}
	for _, p := range c.held {
		if !yield(p, nil) {
			return false
		}
	}
	c.held, c.todo = c.held[:0], c.todo[:0]
	return true
}

func (c *comparing) compare(ctx context.Context) error {
	if len(c.todo) == 0 {
		return nil
	}
	compare := c.compareBytes
	if c.run.cfg.Source.Kind() == source.Live {
		compare = c.compareSums
	}
	err := c.run.timed(PartCompare, func() error { return compare(ctx) })
	if errors.Is(err, source.ErrBusy) {
		c.off = true
		for _, i := range c.todo {
			c.held[i].Same = false
		}
		c.run.cfg.Log.Warn("the source has no connection left for comparing files: they are copied without")
		return nil
	}
	if err != nil {
		return fmt.Errorf("compare files of target and source: %w", err)
	}
	return nil
}

// ranges is all of the files to be compared.
func (c *comparing) ranges() iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		for _, i := range c.todo {
			if !yield(source.Range{Path: c.held[i].Path, Length: c.held[i].Source.Size}) {
				return
			}
		}
	}
}

func (c *comparing) compareSums(ctx context.Context) error {
	v := newVerdicts(c)
	err := c.run.cfg.Source.Hash(ctx, c.ranges(), func(d source.Digest) error {
		return v.part(d.Path, !d.Missing && !d.Short, func(f *os.File) (bool, error) {
			data, err := readPart(f, c.buf[:d.Length], d.Offset)
			return err == nil && sha256.Sum256(data) == d.Sum, err
		})
	})
	return errors.Join(err, v.end())
}

func (c *comparing) compareBytes(ctx context.Context) error {
	v := newVerdicts(c)
	err := c.run.cfg.Source.Fetch(ctx, c.ranges(), func(chunk source.Chunk) error {
		return v.part(chunk.Path, !chunk.Missing && !chunk.Short, func(f *os.File) (bool, error) {
			data, err := readPart(f, c.buf[:len(chunk.Data)], chunk.Offset)
			return err == nil && bytes.Equal(data, chunk.Data), err
		})
	})
	return errors.Join(err, v.end())
}

func readPart(f *os.File, buf []byte, off int64) ([]byte, error) {
	n, err := f.ReadAt(buf, off)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}

// verdicts says of each file whether all its parts are the same.
type verdicts struct {
	c      *comparing
	byPath map[string]*plan.Pair
	path   string
	file   *os.File // of the target at path; nil where it is gone
}

// newVerdicts begins with all files the same.
func newVerdicts(c *comparing) *verdicts {
	v := &verdicts{c: c, byPath: make(map[string]*plan.Pair, len(c.todo))}
	for _, i := range c.todo {
		c.held[i].Same = true
		v.byPath[c.held[i].Path] = &c.held[i]
	}
	return v
}

// part takes one part of a file in. whole is false where the source's file is
// not as it was listed.
func (v *verdicts) part(path string, whole bool, same func(*os.File) (bool, error)) error {
	p := v.byPath[path]
	if p == nil {
		return fmt.Errorf("source tells of %q, which it was not asked for", path)
	}
	if !p.Same {
		return nil
	}
	if !whole {
		p.Same = false
		return nil
	}
	if err := v.open(path); err != nil || v.file == nil {
		p.Same = false
		return err
	}
	equal, err := same(v.file)
	p.Same = equal
	return err
}

// open opens the target's file. It was a regular one when it was listed, and no
// server runs.
func (v *verdicts) open(path string) error {
	if path == v.path {
		return nil
	}
	if err := v.end(); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(v.c.run.cfg.Target.Path(), filepath.FromSlash(path)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err == nil {
		v.file = f
	}
	v.path = path
	return nil
}

func (v *verdicts) end() error {
	v.path = ""
	if v.file == nil {
		return nil
	}
	f := v.file
	v.file = nil
	return f.Close()
}
