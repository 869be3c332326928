package relname

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/pg"
)

// standing is how much a row version counts, see [heapReader.standing].
type standing uint8

const (
	former   standing = iota // replaced, deleted or never committed
	doubtful                 // current unless a group of transactions deleted it
	current
)

// heapReader reads catalogs of one data directory.
type heapReader struct {
	dir        string // of the cluster
	versionDir string
	blockSize  int
	xacts      *xactLog
	damage     []error // pages that were left out, the first of each file
}

// rows calls visit for every version of every row of a catalog. The row is
// valid during the call. A page that makes no sense is left out.
func (h *heapReader) rows(ctx context.Context, rel pg.RelFileLocator, visit func(row, standing)) error {
	for segment := uint32(0); ; segment++ {
		file := pg.RelFile{RelFork: pg.RelFork{RelFileLocator: rel}, Segment: segment}.Path(h.versionDir)
		err := h.file(ctx, filepath.Join(h.dir, filepath.FromSlash(file)), visit)
		if segment > 0 && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// file reads one file of a catalog.
func (h *heapReader) file(ctx context.Context, path string, visit func(row, standing)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	page, damaged := make([]byte, h.blockSize), false
	for block := 0; ; block++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := io.ReadFull(f, page); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // a partial page at the end was never written to
		} else if err != nil {
			return err
		}
		header := bufpage.DecodeHeader(page)
		if header.New() {
			continue
		}
		if err := header.Check(h.blockSize); err != nil {
			if !damaged {
				h.damage = append(h.damage, fmt.Errorf("%s block %d: %w", path, block, err))
			}
			damaged = true
			continue
		}
		for t := range bufpage.Tuples(page) {
			s, err := h.standing(t)
			if err != nil {
				return err
			}
			visit(row(t.Data), s)
		}
	}
}

// standing decides whether a row version is current: its insertion committed
// and its deletion, if any, did not.
func (h *heapReader) standing(t bufpage.Tuple) (standing, error) {
	inserted, err := h.resolve(t.Inserted(), t.Xmin)
	if err != nil || inserted == bufpage.Aborted {
		return former, err
	}
	if t.Deleted() == bufpage.Unknown && t.XmaxIsGroup() {
		return doubtful, nil
	}
	deleted, err := h.resolve(t.Deleted(), t.Xmax)
	if err != nil || deleted == bufpage.Committed {
		return former, err
	}
	return current, nil
}

func (h *heapReader) resolve(hint bufpage.Fate, xid pg.XID) (bufpage.Fate, error) {
	if hint != bufpage.Unknown {
		return hint, nil
	}
	return h.xacts.fate(xid)
}
