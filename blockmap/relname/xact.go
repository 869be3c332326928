package relname

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// xactLog looks transactions up in pg_xact, which has two bits for each
// (src/backend/access/transam/clog.c). It keeps the pages it has read.
type xactLog struct {
	dir          string
	pageSize     int
	pagesPerFile uint32
	pages        map[uint32][]byte // nil for one that does not exist
}

func newXactLog(dataDir string, c *pgcontrol.Control) *xactLog {
	perFile := c.SLRUPagesPerSegment
	if perFile == 0 {
		perFile = 32 // SLRU_PAGES_PER_SEGMENT before 19
	}
	return &xactLog{filepath.Join(dataDir, "pg_xact"), int(c.BlockSize), perFile, map[uint32][]byte{}}
}

// fate tells how a transaction ended. On a stopped server one in progress will
// not commit any more, nor will a subtransaction whose parent is not marked.
// Those older than the log have no fate in it: only their hint bits tell.
func (x *xactLog) fate(xid pg.XID) (bufpage.Fate, error) {
	if xid < pg.FirstNormalXID {
		if xid == 0 {
			return bufpage.Aborted, nil
		}
		return bufpage.Committed, nil
	}
	perPage := uint32(x.pageSize) * 4
	page, err := x.page(uint32(xid) / perPage)
	if err != nil || page == nil {
		return bufpage.Unknown, err
	}
	n := uint32(xid) % perPage
	const committed = 1 // TRANSACTION_STATUS_COMMITTED
	if page[n/4]>>(n%4*2)&3 == committed {
		return bufpage.Committed, nil
	}
	return bufpage.Aborted, nil
}

// page reads one page of the log.
func (x *xactLog) page(number uint32) ([]byte, error) {
	if page, known := x.pages[number]; known {
		return page, nil
	}
	page, err := x.read(number)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		page, err = nil, nil
	}
	if err == nil {
		x.pages[number] = page
	}
	return page, err
}

func (x *xactLog) read(number uint32) ([]byte, error) {
	f, err := os.Open(filepath.Join(x.dir, fmt.Sprintf("%04X", number/x.pagesPerFile)))
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	page := make([]byte, x.pageSize)
	_, err = io.ReadFull(io.NewSectionReader(f, int64(number%x.pagesPerFile)*int64(x.pageSize), int64(x.pageSize)), page)
	return page, err
}
