package walinspect

import (
	"fmt"

	"forkpoint/walinspect/pg"
)

// Limits and usual value of page sizes, of WAL as of data.
const (
	usualPageSize = 8192
	minPageSize   = 1024
	maxPageSize   = 65536
)

// Geometry is what all segments of a cluster have in common.
type Geometry struct {
	SystemID    uint64 // 0 for any: the first one met then binds the rest
	SegmentSize pg.SegmentSize
	PageSize    uint32 // of WAL; 0 means 8192, which the long headers then confirm
	BlockSize   uint32 // of data pages, needed for images; 0 means 8192
}

// DecodeGeometry reads the geometry from the first page of a segment.
func DecodeGeometry(b []byte) (Geometry, error) {
	h, err := DecodePageHeader(b)
	if err != nil {
		return Geometry{}, err
	}
	if !h.Long {
		return Geometry{}, fmt.Errorf("WAL page %s has a short header: want the first page of a segment", h.Address)
	}
	g := Geometry{SystemID: h.SystemID, SegmentSize: h.SegmentSize, PageSize: h.PageSize}
	return g, g.Check()
}

// Check tells whether a server could have made such a cluster.
func (g Geometry) Check() error {
	if !g.SegmentSize.Valid() {
		return fmt.Errorf("WAL segment size %d: want a power of two from 1 MB to 1 GB", g.SegmentSize)
	}
	if n := g.pageSize(); n < minPageSize || n > maxPageSize || n&(n-1) != 0 {
		return fmt.Errorf("WAL page size %d: want a power of two from %d to %d", n, minPageSize, maxPageSize)
	}
	if n := g.blockSize(); n < minPageSize || n > maxPageSize/2 || n&(n-1) != 0 {
		return fmt.Errorf("data page size %d: want a power of two from %d to %d", n, minPageSize, maxPageSize/2)
	}
	return nil
}

func (g Geometry) pageSize() uint32 {
	if g.PageSize == 0 {
		return usualPageSize
	}
	return g.PageSize
}

func (g Geometry) blockSize() uint32 {
	if g.BlockSize == 0 {
		return usualPageSize
	}
	return g.BlockSize
}

// Page is the address of the page that holds the byte at l.
func (g Geometry) Page(l pg.LSN) pg.LSN { return l &^ pg.LSN(g.pageSize()-1) }

// HeaderLen is the length of the header of the page at that address.
func (g Geometry) HeaderLen(page pg.LSN) uint32 {
	if g.SegmentSize.Offset(page) == 0 {
		return LongHeaderLen
	}
	return ShortHeaderLen
}

// RecordStart turns the end of a record into the start of the one after it.
// They differ where the end falls on a page border: an end is the border, a
// start lies behind the page header.
func (g Geometry) RecordStart(end pg.LSN) pg.LSN {
	end = end.Align()
	if g.Page(end) == end {
		return end + pg.LSN(g.HeaderLen(end))
	}
	return end
}
