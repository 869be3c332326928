package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/rewind/plan"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// auditBuffer is how much of a file is read at once, in blocks.
const auditBlocks = 128

// auditPages reads every page of every logged relation.
func (r *run) auditPages(ctx context.Context, c *Certificate, p *plan.Plan) error {
	unlogged, total, err := r.relationFiles(ctx)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	byPath := planned(p)
	var done int64
	for f, err := range r.cfg.Target.Files(ctx) {
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if f.Rel == nil || f.Rel.Fork != pg.MainFork {
			continue
		}
		if unlogged[f.Rel.RelFileLocator] {
			c.Skipped += f.Size / int64(r.sit.target.control.BlockSize)
			continue
		}
		if err := r.auditFile(ctx, c, f, byPath[f.Path]); err != nil {
			return fmt.Errorf("target: %s: %w", f.Path, err)
		}
		done += f.Size
		r.cfg.Progress(Progress{PhaseVerify, done, total, "bytes"})
	}
	return nil
}

// relationFiles finds the relations that have an init fork, and how many bytes
// there are to read.
func (r *run) relationFiles(ctx context.Context) (unlogged map[pg.RelFileLocator]bool, total int64, err error) {
	unlogged = map[pg.RelFileLocator]bool{}
	for f, err := range r.cfg.Target.Files(ctx) {
		if err != nil {
			return nil, 0, err
		}
		switch {
		case f.Rel == nil:
		case f.Rel.Fork == pg.InitFork:
			unlogged[f.Rel.RelFileLocator] = true
		case f.Rel.Fork == pg.MainFork:
			total += f.Size
		}
	}
	return unlogged, total, nil
}

func (r *run) auditFile(ctx context.Context, c *Certificate, f datadir.File, a *plan.Action) error {
	file, err := os.Open(filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(f.Path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() // read only
	size := int(r.sit.target.control.BlockSize)
	buf := make([]byte, auditBlocks*size)
	first := pg.BlockNumber(f.Rel.Segment * r.sit.target.control.RelSegSize)
	for at := int64(0); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(file, buf)
		for i := 0; i+size <= n; i += size {
			block := pg.BlockNumber((at + int64(i)) / int64(size))
			r.auditPage(c, f.Path, first, block, buf[i:i+size], a)
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// auditPage judges one page; block counts from the start of the file.
func (r *run) auditPage(c *Certificate, path string, first, block pg.BlockNumber, page []byte, a *plan.Action) {
	c.Pages++
	copied := fromSource(a, block, int64(len(page)))
	if copied {
		c.Copied++
	}
	if bufpage.Zero(page) {
		return // never written: it has neither position nor checksum
	}
	h := bufpage.DecodeHeader(page)
	fault := func(what string, args ...any) {
		c.fault(Fault{Path: path, Block: first + block, What: fmt.Sprintf(what, args...)})
	}
	switch {
	case h.LSN > c.Reaches:
		fault("position %s is past %s, which replay has to reach", h.LSN, c.Reaches)
	case !copied && h.LSN > c.Fork:
		fault("position %s is past the fork at %s, and it did not come from the source", h.LSN, c.Fork)
	}
	if !c.Checksum || bufpage.Verify(page, first+block) == nil {
		return
	}
	if copied {
		c.Torn++
		return
	}
	fault("the checksum does not fit")
}

// fromSource tells whether the plan had the block copied.
func fromSource(a *plan.Action, block pg.BlockNumber, size int64) bool {
	if a == nil {
		return false
	}
	return a.Kind != plan.Blocks || a.Blocks.Contains(block) || int64(block+1)*size > a.TargetSize
}
