package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func (l *Local) Fetch(ctx context.Context, ranges iter.Seq[Range], deliver func(Chunk) error) error {
	return l.readAll(ctx, groups(ranges, true), func(path string, p part, data []byte, r result) error {
		return deliver(Chunk{path, p.offset, data, r.zeros, r.missing, r.short, r.last})
	})
}

// Stored is the most that [Local.Fetch] gives as bytes of [from, to) of a file,
// where the rest is allowed to be [Chunk.Zeros]: holes count in whole parts,
// wherever these begin.
func (l *Local) Stored(path string, from, to int64) int64 {
	f, err := l.open(path)
	if err != nil {
		return to - from
	}
	defer f.Close() // read only: nothing is lost if it fails
	n := int64(0)
	for a, b := range extents(f, from, to) {
		if n += b - a + 2*PartSize; n >= to-from {
			return to - from
		}
	}
	return n
}

func (l *Local) Hash(ctx context.Context, ranges iter.Seq[Range], deliver func(Digest) error) error {
	return l.readAll(ctx, groups(ranges, false), func(path string, p part, data []byte, r result) error {
		d := Digest{Path: path, Offset: p.offset, Length: int64(len(data)), Missing: r.missing, Short: r.short, Last: r.last}
		if !r.missing {
			d.Sum = sha256.Sum256(data)
		}
		return deliver(d)
	})
}

func (l *Local) Hashes(ctx context.Context, path string, size int64) ([]Digest, error) {
	return collectHashes(ctx, l, path, size)
}

// result is what a part means for its file.
type result struct {
	missing, short, last bool

	zeros int64 // instead of bytes
}

// readAll goes through the parts of all groups in order.
func (l *Local) readAll(ctx context.Context, all iter.Seq2[[]fileTask, error], handle func(string, part, []byte, result) error) error {
	buf := make([]byte, PartSize)
	for group, err := range all {
		if err != nil {
			return err
		}
		for _, task := range group {
			if err := l.readTask(ctx, task, buf, handle); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Local) readTask(ctx context.Context, task fileTask, buf []byte, handle func(string, part, []byte, result) error) error {
	if len(task.spans) == 0 {
		return nil
	}
	f, err := l.open(task.path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return fmt.Errorf("source: %w", err)
	}
	if !missing {
		defer f.Close() // read only: nothing is lost if it fails
	}
	c := cursor{group: []fileTask{task}}
	for p, more := c.next(); more; p, more = c.next() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if n := int64(0); task.spans[p.span].holes && !missing {
			if n, err = holeAt(f, p.offset, p.length); err != nil {
				return fmt.Errorf("source: %w", err)
			}
			if n > 0 {
				short, last, _ := c.settle(p, outcome{n, false})
				if err := handle(task.path, p, nil, result{short: short, last: last, zeros: n}); err != nil {
					return err
				}
				continue
			}
		}
		n := 0
		if !missing {
			n, err = f.ReadAt(buf[:p.length], p.offset)
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("source: %w", err)
			}
		}
		l.read.Add(int64(n))
		short, last, _ := c.settle(p, outcome{int64(n), missing})
		if err := handle(task.path, p, buf[:n], result{missing: missing, short: short, last: last}); err != nil {
			return err
		}
	}
	return nil
}

// open opens a regular file. Anything else could block or never end.
func (l *Local) open(path string) (*os.File, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(l.dir.Path(), filepath.FromSlash(path)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("read %s: a parent is not a directory: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("read %s: not a regular file but %s", path, strings.ToLower(info.Mode().Type().String()))
	}
	if err != nil {
		f.Close() // read only: nothing is lost if it fails
		return nil, err
	}
	return f, nil
}
