package bufpage

import (
	"encoding/binary"
	"fmt"
)

// Kind is what sort of page it is, told by its special space.
type Kind uint8

const (
	Other Kind = iota // an access method that is not known
	Empty             // zero, or a header and nothing else
	Heap              // also TOAST tables
	Btree
	Hash
	GiST
	GIN
	SPGiST
	BRIN
	Bloom
	Sequence
	FreeSpace  // of the free space map; never told by the page itself
	Visibility // of the visibility map; never told by the page itself
)

var kindNames = [...]string{"other", "empty", "heap", "btree", "hash", "gist", "gin", "spgist", "brin", "bloom", "sequence", "free space map", "visibility map"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("page kind(%d)", uint8(k))
}

// MarshalText names the kind in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Identifiers at the end of the special space (GIST_PAGE_ID, HASHO_PAGE_ID,
// SPGIST_PAGE_ID, BLOOM_PAGE_ID, BRIN_PAGETYPE_, SEQ_MAGIC).
const (
	hashID        = 0xFF80
	gistID        = 0xFF81
	spgistID      = 0xFF82
	bloomID       = 0xFF83
	brinMetaID    = 0xF091
	brinRevmapID  = 0xF092
	brinRegularID = 0xF093
	sequenceMagic = 0x1717
)

// KindOf tells what a page of a main fork is. A sequence's page and those of
// the access methods have a special space of their own; what has none is a
// table's. A B-tree page has no identifier, but a vacuum cycle where others
// have one, which stays below all identifiers.
func KindOf(page []byte) Kind {
	h := DecodeHeader(page)
	if h.New() || h.Check(len(page)) != nil {
		if Zero(page) {
			return Empty
		}
		return Other
	}
	special := page[h.Special:]
	id := uint16(0)
	if len(special) >= 2 {
		id = binary.LittleEndian.Uint16(special[len(special)-2:])
	}
	switch len(special) {
	case 0:
		if h.Lower == HeaderSize && int(h.Upper) == len(page) {
			return Empty
		}
		return Heap
	case 16:
		switch id {
		case hashID:
			return Hash
		case gistID:
			return GiST
		}
		if id < hashID {
			return Btree
		}
	case 8:
		switch id {
		case spgistID:
			return SPGiST
		case bloomID:
			return Bloom
		case brinMetaID, brinRevmapID, brinRegularID:
			return BRIN
		}
		if binary.LittleEndian.Uint32(special) == sequenceMagic && h.Lower == HeaderSize+4 {
			return Sequence
		}
		return GIN
	}
	return Other
}

// Mask overwrites in page what servers change without telling the log, so that
// two copies of a page are equal afterwards if all that was logged is. The
// rules are those by which a server checks its own replay
// (src/backend/access/common/bufmask.c and the rm_mask function of each
// resource manager), and what besides them is never logged.
func Mask(page []byte, kind Kind) {
	if len(page) < HeaderSize || Zero(page) {
		return
	}
	maskHeader(page, kind)
	switch kind {
	case FreeSpace:
		clear(page) // rebuilt by vacuum; nothing of it is logged
	case Visibility:
	case Heap, Empty:
		maskUnused(page)
		maskHeap(page)
	case Btree:
		maskUnused(page)
		maskBtree(page)
	case Hash:
		maskUnused(page)
		maskHash(page)
	case GiST:
		maskUnused(page)
		maskGiST(page)
	case GIN:
		maskGIN(page)
	case SPGiST:
		maskSPGiST(page)
	case BRIN:
		maskBRIN(page)
	case Sequence:
		maskUnused(page)
		maskSequence(page)
	default:
		maskUnused(page)
	}
}

// maskHeader takes out the LSN and the checksum (mask_page_lsn_and_checksum),
// which follow from writing hint bits, and the hints of the header themselves
// (mask_page_hint_bits): the oldest prunable transaction, and the flags for
// free line pointers, a full page and all-visible.
func maskHeader(page []byte, kind Kind) {
	clear(page[:10])
	if kind == Visibility {
		return
	}
	page[10] &^= 0x07
	clear(page[20:24])
}

// maskUnused takes out the hole between line pointers and tuples
// (mask_unused_space). A header that makes no sense has no hole.
func maskUnused(page []byte) {
	if h := DecodeHeader(page); h.Check(len(page)) == nil {
		clear(page[h.Lower:h.Upper])
	}
}

// maskContent takes out all but the header (mask_page_content).
func maskContent(page []byte) {
	clear(page[HeaderSize:])
	clear(page[12:16])
}

// maskPointers takes out the state of used line pointers: an index scan marks
// entries as dead that it found to be so (mask_lp_flags).
func maskPointers(page []byte) {
	for item := range Items(page) {
		if item.State != Unused {
			page[HeaderSize+4*(int(item.Number)-1)+1] &^= 0x80
			page[HeaderSize+4*(int(item.Number)-1)+2] &^= 0x01
		}
	}
}

// Empties tells whether nothing is stored on the page: it is zero, or was
// initialised and never used.
func Empties(page []byte) bool { return KindOf(page) == Empty }
