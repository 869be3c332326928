package walinspect

import (
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// Lengths of page headers and of a record's header.
const (
	ShortHeaderLen  = 24 // SizeOfXLogShortPHD
	LongHeaderLen   = 40 // SizeOfXLogLongPHD
	RecordHeaderLen = 24 // SizeOfXLogRecord
)

// PageHeader is what a WAL page says about itself.
type PageHeader struct {
	Magic, Info uint16
	Timeline    pg.TimelineID // under which the page was begun
	Address     pg.LSN        // of the page's first byte
	Remaining   uint32        // bytes still to come of a record that began on an earlier page

	Long        bool // the fields below are there: the first page of a segment
	SystemID    uint64
	SegmentSize pg.SegmentSize
	PageSize    uint32
}

// DecodePageHeader reads the header at the start of b, short or long as its
// flag says. It reports what the page says and does not judge it, except that
// the magic must be known.
func DecodePageHeader(b []byte) (PageHeader, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return h, err
	}
	_, err = LayoutFor(h.Magic)
	return h, err
}

func decodeHeader(b []byte) (PageHeader, error) {
	if len(b) < ShortHeaderLen {
		return PageHeader{}, fmt.Errorf("WAL page header: %d bytes, want at least %d", len(b), ShortHeaderLen)
	}
	h := PageHeader{
		Magic:     binary.LittleEndian.Uint16(b),
		Info:      binary.LittleEndian.Uint16(b[2:]),
		Timeline:  pg.TimelineID(binary.LittleEndian.Uint32(b[4:])),
		Address:   pg.LSN(binary.LittleEndian.Uint64(b[8:])),
		Remaining: binary.LittleEndian.Uint32(b[16:]),
	}
	if h.Info&PageLong == 0 {
		return h, nil
	}
	if len(b) < LongHeaderLen {
		return h, fmt.Errorf("long WAL page header: %d bytes, want at least %d", len(b), LongHeaderLen)
	}
	h.Long = true
	h.SystemID = binary.LittleEndian.Uint64(b[24:])
	h.SegmentSize = pg.SegmentSize(binary.LittleEndian.Uint32(b[32:]))
	h.PageSize = binary.LittleEndian.Uint32(b[36:])
	return h, nil
}

// Len is the number of bytes that the header takes.
func (h *PageHeader) Len() int {
	if h.Long {
		return LongHeaderLen
	}
	return ShortHeaderLen
}

// Continues tells whether the page goes on with a record from before it.
func (h *PageHeader) Continues() bool { return h.Info&PageContinues != 0 }
