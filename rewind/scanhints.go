package rewind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/blockmap"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// scanRead is how much of a relation file is read at a time, in bytes.
const scanRead = 1 << 20

// scanHints finds the pages that carry a hint about one of the transactions by
// looking at all heap pages of the target. It is the way out where the log
// since those transactions began is gone: slower, and as certain, for a page
// without such a hint looks as it did at the fork. Of groups of transactions
// (multixacts) the members are not looked up; a page with any hint about a
// group is taken, which costs a copy and nothing else.
func (r *run) scanHints(ctx context.Context, xids []pg.XID) (*blockmap.Map, error) {
	set := make(map[pg.XID]bool, len(xids))
	for _, x := range xids {
		set[x] = true
	}
	s := r.newScan(func(page []byte) bool { return hintsOf(page, set) })
	if err := s.walk(ctx); err != nil {
		return nil, fmt.Errorf("target: look for hints: %w", err)
	}
	return s.found, nil
}

// pageScan looks at pages of the target's relations.
type pageScan struct {
	run     *run
	suspect func(page []byte) bool
	skip    func(*datadir.File) bool // files that need no look; may be nil
	found   *blockmap.Map
	buf     []byte
}

func (r *run) newScan(suspect func(page []byte) bool) *pageScan {
	return &pageScan{run: r, suspect: suspect, found: &blockmap.Map{}, buf: make([]byte, scanRead)}
}

// walk looks at all files of main forks.
func (s *pageScan) walk(ctx context.Context) error {
	for f, err := range s.run.targetFiles(ctx) {
		if err != nil {
			return err
		}
		if f.Kind != datadir.Regular || f.Rel == nil || f.Rel.Fork != pg.MainFork || s.skip != nil && s.skip(&f) {
			continue
		}
		if err := s.file(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	if s.run.resumed != nil {
		s.inherit()
	}
	return nil
}

func (s *pageScan) file(ctx context.Context, f datadir.File) error {
	file, err := os.Open(filepath.Join(s.run.cfg.Target.Path(), filepath.FromSlash(f.Path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an interrupted run has removed it
	}
	if err != nil {
		return err
	}
	defer file.Close() // read only
	c := s.run.sit.target.control
	block, size := pg.BlockNumber(f.Rel.Segment*c.RelSegSize), int(c.BlockSize)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(file, s.buf[:len(s.buf)/size*size])
		for page := s.buf[:n]; len(page) >= size; page, block = page[size:], block+1 {
			if s.suspect(page[:size]) {
				s.found.Touch(pg.BlockTag{RelFork: f.Rel.RelFork, Block: block}, false)
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// hintsOf tells whether a heap page says anything about the end of one of the
// transactions. Pages of indexes and sequences have a special space.
func hintsOf(page []byte, xids map[pg.XID]bool) bool {
	h := bufpage.DecodeHeader(page)
	if h.New() || h.Check(len(page)) != nil || int(h.Special) != len(page) {
		return false
	}
	for t := range bufpage.Tuples(page) {
		if xids[t.Xmin] && t.Inserted() != bufpage.Unknown {
			return true
		}
		if (t.XmaxIsGroup() || xids[t.Xmax]) && t.Deleted() != bufpage.Unknown {
			return true
		}
	}
	return false
}

// inherit adds what an interrupted run took for hinted: it may have written
// half of such a page.
func (s *pageScan) inherit() {
	per := pg.BlockNumber(s.run.sit.target.control.RelSegSize)
	for _, a := range s.run.resumed.hinted {
		rel, ok := pg.ParseRelPath(a.Path, s.run.cfg.Target.VersionDir())
		if !ok {
			continue
		}
		for from, to := range a.Blocks.Ranges() {
			for b := from; b < to; b++ {
				s.found.Touch(pg.BlockTag{RelFork: rel.RelFork, Block: pg.BlockNumber(rel.Segment)*per + b}, false)
			}
		}
	}
}
