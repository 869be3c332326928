package bufpage

import "encoding/binary"

// Bits of a heap tuple's infomask (src/include/access/htup_details.h).
const (
	heapXactMask      = 0xFFF0 // HEAP_XACT_MASK
	heapXminFrozen    = 0x0300 // committed and invalid
	heapXmaxCommitted = 0x0400
	heapXmaxInvalid   = 0x0800
	speculativeOffset = 0xFFFE // SpecTokenOffsetNumber
)

// maskHeap takes out the hint bits of each tuple, the command number, a
// speculative insertion's token, and the padding behind the tuple (heap_mask
// in src/backend/access/heap).
func maskHeap(page []byte) {
	h := DecodeHeader(page)
	for item := range Items(page) {
		tuple := item.bytes(page, h.Lower)
		if tuple != nil && len(tuple) >= 23 {
			maskTuple(tuple, item.Number)
		}
		if tuple != nil {
			end := int(item.Offset) + len(tuple)
			clear(page[end:min((end+7)&^7, len(page))])
		}
	}
}

func maskTuple(tuple []byte, number uint16) {
	clear(tuple[8:12]) // t_cid
	infomask := binary.LittleEndian.Uint16(tuple[20:])
	if infomask&heapXminFrozen == heapXminFrozen {
		infomask &^= heapXmaxCommitted | heapXmaxInvalid
	} else {
		infomask &^= heapXactMask
	}
	binary.LittleEndian.PutUint16(tuple[20:], infomask)
	if binary.LittleEndian.Uint16(tuple[16:]) == speculativeOffset {
		clear(tuple[12:16])
		binary.LittleEndian.PutUint16(tuple[16:], number)
	}
}

// special gives the access method's own space; nil if it is shorter than n.
func special(page []byte, n int) []byte {
	h := DecodeHeader(page)
	if int(h.Special)+n > len(page) {
		return nil
	}
	return page[h.Special:]
}

// maskBtree: btree_mask in src/backend/access/nbtree/nbtxlog.c. Up to 13 a
// deleted page is only marked, and replay makes it anew, with other flags.
func maskBtree(page []byte) {
	const (
		leaf       = 1 << 0
		deleted    = 1 << 2
		hasGarbage = 1 << 6
	)
	s := special(page, 16)
	if s == nil {
		return
	}
	flags := binary.LittleEndian.Uint16(s[12:])
	binary.LittleEndian.PutUint16(s[12:], flags&^hasGarbage)
	clear(s[14:16]) // vacuum cycle
	switch {
	case flags&deleted != 0:
		maskContent(page)
	case flags&leaf != 0:
		maskPointers(page)
	}
}

// maskHash: hash_mask in src/backend/access/hash/hash_xlog.c.
func maskHash(page []byte) {
	const (
		pageType = 0x0F
		overflow = 1 << 0
		bucket   = 1 << 1
		hasDead  = 1 << 7
	)
	s := special(page, 16)
	if s == nil {
		return
	}
	flags := binary.LittleEndian.Uint16(s[12:])
	binary.LittleEndian.PutUint16(s[12:], flags&^hasDead)
	switch flags & pageType {
	case 0:
		maskContent(page)
	case overflow, bucket:
		maskPointers(page)
	}
}

// maskGiST: gist_mask in src/backend/access/gist/gistxlog.c. The NSN follows
// the page's LSN.
func maskGiST(page []byte) {
	const (
		leaf        = 1 << 0
		followRight = 1 << 3
		hasGarbage  = 1 << 4
	)
	s := special(page, 16)
	if s == nil {
		return
	}
	clear(s[:8])
	flags := binary.LittleEndian.Uint16(s[12:])
	binary.LittleEndian.PutUint16(s[12:], flags&^(followRight|hasGarbage))
	if flags&leaf != 0 {
		maskPointers(page)
	}
}

// maskGIN: gin_mask in src/backend/access/gin/ginxlog.c. Pages of posting trees
// need not say where their content ends.
func maskGIN(page []byte) {
	const deleted = 1 << 2
	s := special(page, 8)
	switch {
	case s == nil:
	case binary.LittleEndian.Uint16(s[6:])&deleted != 0:
		maskContent(page)
	case DecodeHeader(page).Lower > HeaderSize:
		maskUnused(page)
	}
}

// maskSPGiST: spg_mask in src/backend/access/spgist/spgxlog.c. The list of
// pages with free space in the metapage is a cache that is not logged
// (SpGistUpdateMetaPage): eight times block and free space, behind a magic
// number.
func maskSPGiST(page []byte) {
	const (
		meta      = 1 << 0
		cacheFrom = HeaderSize + 4
		cacheTo   = cacheFrom + 8*8
	)
	s := special(page, 8)
	if s == nil {
		return
	}
	maskUnused(page)
	if binary.LittleEndian.Uint16(s)&meta != 0 {
		clear(page[cacheFrom:cacheTo])
	}
}

// maskBRIN: brin_mask in src/backend/access/brin/brin_xlog.c. The flag of a
// page that is being emptied is of no use after a crash. The map has no hole.
func maskBRIN(page []byte) {
	s := special(page, 8)
	if s == nil {
		return
	}
	const evacuate = 1 << 0
	s[4] &^= evacuate
	switch binary.LittleEndian.Uint16(s[6:]) {
	case brinRegularID:
		maskUnused(page)
	case brinMetaID:
		if DecodeHeader(page).Lower > HeaderSize {
			maskUnused(page)
		}
	}
}

// maskSequence takes out what nextval changes between two records: it logs 32
// values ahead (SEQ_LOG_VALS in src/backend/commands/sequence.c), so a replayed
// sequence is further on than the original, and the tuple's header of either.
func maskSequence(page []byte) {
	h := DecodeHeader(page)
	for item := range Items(page) {
		if tuple := item.bytes(page, h.Lower); tuple != nil {
			clear(tuple)
		}
	}
}
