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
}

// rows calls visit for every version of every row of a catalog. The row is
// valid during the call. A page that makes no sense is left out and becomes
// part of the error, which then does not end the reading.
func (h *heapReader) rows(ctx context.Context, rel pg.RelFileLocator, visit func(row, standing)) error {
	var damage error
	for segment := uint32(0); ; segment++ {
		file := pg.RelFile{RelFork: pg.RelFork{RelFileLocator: rel}, Segment: segment}.Path(h.versionDir)
		err := h.file(ctx, file, visit)
		if segment > 0 && errors.Is(err, fs.ErrNotExist) {
			return damage
		}
		if page := (*pageError)(nil); errors.As(err, &page) {
			damage = errors.Join(damage, err)
		} else if err != nil {
			return errors.Join(damage, err)
		}
	}
}

// pageError is a page of a catalog that was left out.
type pageError struct {
	path  string
	block int // in the file
	err   error
}

func (e *pageError) Error() string { return fmt.Sprintf("%s block %d: %s", e.path, e.block, e.err) }

// file reads one file of a catalog. It returns the first bad page after it has
// read the others.
func (h *heapReader) file(ctx context.Context, name string, visit func(row, standing)) error {
	path := filepath.Join(h.dir, filepath.FromSlash(name))
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	var damage *pageError
	page := make([]byte, h.blockSize)
	for block := 0; ; block++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := io.ReadFull(f, page); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // a partial page at the end was never written to
		} else if err != nil {
			return err
		}
		header := bufpage.DecodeHeader(page)
		if header.New() {
			continue
		}
		if err := header.Check(h.blockSize); err != nil {
			if damage == nil {
				damage = &pageError{path, block, err}
			}
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
	if damage != nil {
		return damage
	}
	return nil
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
