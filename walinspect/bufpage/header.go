package bufpage

import (
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// HeaderSize is the length of a page header in bytes.
const HeaderSize = 24

// layoutVersion is the version of the page layout that all servers since 8.3
// write (PG_PAGE_LAYOUT_VERSION).
const layoutVersion = 4

// Header is a page's header.
type Header struct {
	LSN      pg.LSN // end of the last record that changed the page
	Checksum uint16 // means something only where checksums are on and the page comes from its file
	Flags    uint16
	Lower    uint16 // end of the line pointers
	Upper    uint16 // start of the tuples; 0 in a new page
	Special  uint16 // start of the access method's own space
	Size     uint16
	Version  uint8 // of the page layout
	PruneXID pg.XID
}

// DecodeHeader reads a page's header without judging it, see [Header.Check].
// A slice too short for a header gives that of a new page.
func DecodeHeader(page []byte) Header {
	if len(page) < HeaderSize {
		return Header{}
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	sizeVersion := u16(page[18:])
	return Header{
		LSN:      pg.LSN(uint64(u32(page))<<32 | uint64(u32(page[4:]))),
		Checksum: u16(page[8:]),
		Flags:    u16(page[10:]),
		Lower:    u16(page[12:]),
		Upper:    u16(page[14:]),
		Special:  u16(page[16:]),
		Size:     sizeVersion &^ 0xFF,
		Version:  uint8(sizeVersion),
		PruneXID: pg.XID(u32(page[20:])),
	}
}

// New tells whether nothing was ever written to the page (PageIsNew).
func (h Header) New() bool { return h.Upper == 0 }

// Check tells whether the header is one that a server accepts in a page of
// that many bytes (PageIsVerified in src/backend/storage/page/bufpage.c).
func (h Header) Check(size int) error {
	const validFlags = 0x0007
	switch {
	case int(h.Size) != size || h.Version != layoutVersion:
		return fmt.Errorf("page header: want size %d and layout version %d, got %d and %d", size, layoutVersion, h.Size, h.Version)
	case h.Flags&^validFlags != 0:
		return fmt.Errorf("page header: unknown flags %04X", h.Flags)
	case h.Lower < HeaderSize || h.Lower > h.Upper || h.Upper > h.Special || int(h.Special) > size || h.Special%8 != 0:
		return fmt.Errorf("page header: lower %d, upper %d and special %d do not fit a page of %d bytes", h.Lower, h.Upper, h.Special, size)
	}
	return nil
}

// Zero tells whether every byte of the page is zero.
func Zero(page []byte) bool {
	for len(page) >= 8 {
		if binary.LittleEndian.Uint64(page) != 0 {
			return false
		}
		page = page[8:]
	}
	for _, b := range page {
		if b != 0 {
			return false
		}
	}
	return true
}
