package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// openFile is a file that both sides have while it is compared.
type openFile struct {
	path    string
	a, b    *datadir.File
	start   pg.BlockNumber // its first block in the fork
	handle  *os.File       // of a; nil until it is needed, and where it is gone
	gone    bool           // it vanished from a
	at      int64          // how far b was compared
	differs bool           // bytes other than zeros past the end of either
	blocks  map[reports.Reason]*blockmap.Set
}

func newOpenFile(p plan.Pair, blocksPerFile uint32) *openFile {
	f := &openFile{path: p.Path, a: p.Target, b: p.Source, blocks: map[reports.Reason]*blockmap.Set{}}
	if f.b.Rel != nil {
		f.start = pg.BlockNumber(f.b.Rel.Segment * blocksPerFile)
	}
	return f
}

func (f *openFile) close() {
	if f.handle != nil {
		f.handle.Close() // only read
	}
}

// read fills buf with a's bytes at an offset, as far as there are any.
func (c *comparer) read(f *openFile, buf []byte, offset int64) (int, error) {
	if f.handle == nil && !f.gone {
		h, err := os.Open(filepath.Join(c.in.A.Path(), filepath.FromSlash(f.path)))
		if errors.Is(err, fs.ErrNotExist) {
			f.gone = true
		} else if err != nil {
			return 0, err
		}
		f.handle = h
	}
	if f.gone {
		return 0, nil
	}
	n, err := f.handle.ReadAt(buf, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// take compares a piece of b with a.
func (c *comparer) take(chunk source.Chunk) error {
	f := c.open[chunk.Path]
	if f == nil {
		return fmt.Errorf("%s was not asked for", chunk.Path)
	}
	if chunk.Offset != f.at {
		return fmt.Errorf("%s: piece at offset %d, want %d", chunk.Path, chunk.Offset, f.at)
	}
	if cap(c.buf) < len(chunk.Data) {
		c.buf = make([]byte, len(chunk.Data))
	}
	buf := c.buf[:len(chunk.Data)]
	n, err := c.read(f, buf, chunk.Offset)
	if err != nil {
		return err
	}
	if !bytes.Equal(buf[:n], chunk.Data) {
		c.pages(f, buf[:n], chunk.Data)
	}
	c.countBlocks(f, len(chunk.Data))
	f.at += int64(len(chunk.Data))
	c.done += int64(len(chunk.Data))
	if c.in.Progress != nil {
		c.in.Progress(c.done, c.total)
	}
	if !chunk.Last {
		return nil
	}
	delete(c.open, chunk.Path)
	return c.finish(f)
}

func (c *comparer) countBlocks(f *openFile, n int) {
	if f.b.Rel != nil {
		c.into.Totals.Blocks += int64(n / c.in.BlockSize)
	}
}

// pages goes through two pieces of a file block by block. Both are overwritten
// where they differ.
func (c *comparer) pages(f *openFile, a, b []byte) {
	first := f.start + pg.BlockNumber(f.at/int64(c.in.BlockSize))
	for i := 0; len(a) > 0 || len(b) > 0; i++ {
		var pageA, pageB []byte
		pageA, a = cut(a, c.in.BlockSize)
		pageB, b = cut(b, c.in.BlockSize)
		if bytes.Equal(pageA, pageB) {
			continue
		}
		if f.b.Rel == nil {
			f.differs = f.differs || !equalOrZero(pageA, pageB)
			continue
		}
		block := first + pg.BlockNumber(i)
		addBlock(f.blocks, c.judge(pg.BlockTag{RelFork: f.b.Rel.RelFork, Block: block}, pageA, pageB), block)
	}
}

func cut(b []byte, n int) (page, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	n = min(n, len(b))
	return b[:n], b[n:]
}

func equal(a, b []byte) bool { return bytes.Equal(a, b) }

// equalOrZero compares pages of which one may end early: what is not there
// counts as zero.
func equalOrZero(a, b []byte) bool {
	n := min(len(a), len(b))
	return bytes.Equal(a[:n], b[:n]) && bufpage.Zero(a[n:]) && bufpage.Zero(b[n:])
}

// finish goes through what only a has of a file and tells what was found.
func (c *comparer) finish(f *openFile) error {
	defer f.close()
	for {
		n, err := c.read(f, c.buf[:cap(c.buf)], f.at)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		c.pages(f, c.buf[:n], nil)
		f.at += int64(n)
	}
	d := reports.FileDifference{Path: f.path, SizeA: f.a.Size, SizeB: f.b.Size}
	switch {
	case f.b.Rel != nil:
		d.Relation = &f.b.Rel.RelFork
		if len(f.blocks) > 0 {
			d.Blocks = f.blocks
		}
	case !f.differs:
	case temporary(f.path):
		d.Reason = reports.ReasonNotLogged
	default:
		d.Reason = c.in.Evidence.any()
	}
	switch {
	case f.gone:
		d.Reason, d.Detail = reports.ReasonPending, "vanished from a while files were compared"
	case d.Blocks == nil && d.Reason == "" && d.SizeA == d.SizeB:
		c.into.Totals.Equal++
		return nil
	case d.Blocks == nil && d.Reason == "":
		d.Reason, d.Detail = reports.ReasonNotLogged, "one ends with zeros that the other does not have"
	}
	c.into.Add(d)
	return nil
}
