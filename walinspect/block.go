package walinspect

import "forkpoint/walinspect/pg"

// Flags of a block reference (BKPBLOCK_ in xlogrecord.h). The lower four bits
// of the byte are the fork.
const (
	blockForkMask uint8 = 0x0F
	blockImage    uint8 = 0x10 // BKPBLOCK_HAS_IMAGE
	blockData     uint8 = 0x20 // BKPBLOCK_HAS_DATA
	blockWillInit uint8 = 0x40 // BKPBLOCK_WILL_INIT
	blockSameRel  uint8 = 0x80 // BKPBLOCK_SAME_REL
)

// BlockRef is one page that a record changes. A reference with neither image
// nor data still means that the page was changed.
type BlockRef struct {
	ID    uint8
	Flags uint8
	Tag   pg.BlockTag
	Data  []byte
	Image Image // only with HasImage

	imageLen, dataLen uint16
}

// HasImage tells whether a copy of the page comes with the reference.
func (b *BlockRef) HasImage() bool { return b.Flags&blockImage != 0 }

// HasData tells whether data for this page comes with the reference.
func (b *BlockRef) HasData() bool { return b.Flags&blockData != 0 }

// WillInit tells whether replay makes the page anew before it changes it.
func (b *BlockRef) WillInit() bool { return b.Flags&blockWillInit != 0 }

// AppliesImage tells whether replay puts the image in place of the page. An
// image that is not applied is there only for consistency checking.
func (b *BlockRef) AppliesImage() bool { return b.HasImage() && b.Image.Apply }

// Restores tells whether the page after replay of the record does not depend
// on its bytes before.
func (b *BlockRef) Restores() bool { return b.AppliesImage() || b.WillInit() }

// Compression is how a full-page image is packed.
type Compression uint8

const (
	Uncompressed Compression = iota
	PGLZ
	LZ4
	Zstd
)

func (c Compression) String() string {
	switch c {
	case Uncompressed:
		return "none"
	case PGLZ:
		return "pglz"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return "unknown"
}

// Image is a full-page image: a data page without the hole between its line
// pointers and its tuples, as it was before the record stamped its LSN on it.
type Image struct {
	HoleOffset  uint16
	HoleLen     uint16
	Compression Compression
	Apply       bool
	Data        []byte // as stored, packed by Compression
}

// Len is the number of bytes that the image takes in the record.
func (i *Image) Len() int { return len(i.Data) }
