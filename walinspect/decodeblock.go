package walinspect

import (
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// decodeBlock appends the block reference that b begins with to r.Blocks and
// returns how many bytes its header takes. The data it announces lies further
// on; only the lengths are noted here.
//
//	XLogRecordBlockHeader, XLogRecordBlockImageHeader and
//	XLogRecordBlockCompressHeader in src/include/access/xlogrecord.h
//	+----+-------+----------+-----------------------------+----------+---------+-------+
//	| id | flags | data len | image: len, hole, flags     | hole len | locator | block |
//	| 1  |   1   |    2     |   2     2      1            |    2     |   12    |   4   |
//	+----+-------+----------+-----------------------------+----------+---------+-------+
//	                          with HAS_IMAGE                packed,    not with
//	                                                        with hole  SAME_REL
func (r *Record) decodeBlock(b []byte, blockSize uint32) (int, error) {
	if len(b) < 4 {
		return 0, r.malformed("a block reference", "end of record")
	}
	ref := r.addBlock()
	ref.ID, ref.Flags = b[0], b[1]
	ref.dataLen = binary.LittleEndian.Uint16(b[2:])
	ref.Tag.Fork = pg.ForkNumber(ref.Flags & blockForkMask)
	if ref.Tag.Fork > pg.InitFork {
		return 0, r.malformed("a fork from 0 to 3", fmt.Sprintf("%d", ref.Tag.Fork))
	}
	if ref.HasData() != (ref.dataLen != 0) {
		return 0, r.malformed("a data length as the flags say", fmt.Sprintf("flags %02X, %d bytes", ref.Flags, ref.dataLen))
	}
	n := 4
	if ref.HasImage() {
		used, err := r.decodeImage(ref, b[4:], blockSize)
		if err != nil {
			return 0, err
		}
		n += used
	}
	if ref.Flags&blockSameRel == 0 {
		if len(b) < n+16 {
			return 0, r.malformed("a relation and a block number", "end of record")
		}
		ref.Tag.Spc = pg.OID(binary.LittleEndian.Uint32(b[n:]))
		ref.Tag.DB = pg.OID(binary.LittleEndian.Uint32(b[n+4:]))
		ref.Tag.Rel = pg.RelFileNumber(binary.LittleEndian.Uint32(b[n+8:]))
		n += 12
	} else {
		if len(r.Blocks) < 2 {
			return 0, r.malformed("a relation in the first block reference", "a reference to the one before")
		}
		if len(b) < n+4 {
			return 0, r.malformed("a block number", "end of record")
		}
		ref.Tag.RelFileLocator = r.Blocks[len(r.Blocks)-2].Tag.RelFileLocator
	}
	ref.Tag.Block = pg.BlockNumber(binary.LittleEndian.Uint32(b[n:]))
	if ref.Tag.Block == pg.InvalidBlock {
		return 0, r.malformed("a block number", fmt.Sprintf("%d", ref.Tag.Block))
	}
	return n + 4, nil
}

// addBlock makes room for one more reference, in used memory where there is
// some: most records have one or two.
func (r *Record) addBlock() *BlockRef {
	n := len(r.Blocks)
	if n == cap(r.Blocks) {
		r.Blocks = append(r.Blocks, BlockRef{})
	} else {
		r.Blocks = r.Blocks[:n+1]
	}
	ref := &r.Blocks[n]
	ref.Data, ref.imageLen, ref.Image.Data = nil, 0, nil
	ref.Image.HoleOffset, ref.Image.HoleLen = 0, 0
	ref.Image.Compression, ref.Image.Apply = Uncompressed, false
	return ref
}

// decodeImage reads the image header at the start of b into ref and returns
// its length.
func (r *Record) decodeImage(ref *BlockRef, b []byte, blockSize uint32) (int, error) {
	if len(b) < 5 {
		return 0, r.malformed("an image header", "end of record")
	}
	flags, l := b[4], r.Layout
	ref.imageLen = binary.LittleEndian.Uint16(b)
	ref.Image.HoleOffset = binary.LittleEndian.Uint16(b[2:])
	ref.Image.Apply = flags&l.imageApply != 0
	if flags&^l.imageFlags != 0 {
		return 0, r.malformed(fmt.Sprintf("image flags within %02X", l.imageFlags), fmt.Sprintf("%02X", flags))
	}
	switch flags & (l.imagePGLZ | l.imageLZ4 | l.imageZstd) {
	case 0:
		ref.Image.Compression = Uncompressed
	case l.imagePGLZ:
		ref.Image.Compression = PGLZ
	case l.imageLZ4:
		ref.Image.Compression = LZ4
	case l.imageZstd:
		ref.Image.Compression = Zstd
	default:
		return 0, r.malformed("one compression method", fmt.Sprintf("image flags %02X", flags))
	}

	n, holeLen := 5, uint32(0)
	switch {
	case ref.Image.Compression == Uncompressed:
		holeLen = blockSize - uint32(ref.imageLen)
	case flags&imageHole != 0:
		if len(b) < 7 {
			return 0, r.malformed("the length of a hole", "end of record")
		}
		n, holeLen = 7, uint32(binary.LittleEndian.Uint16(b[5:]))
	}
	ref.Image.HoleLen = uint16(holeLen)
	if !imageFits(ref, flags&imageHole != 0, holeLen, blockSize) {
		return 0, r.malformed(fmt.Sprintf("an image of a page of %d bytes", blockSize),
			fmt.Sprintf("%d bytes %s with a hole of %d at %d, flags %02X", ref.imageLen, ref.Image.Compression, holeLen, ref.Image.HoleOffset, flags))
	}
	return n, nil
}

// imageFits is the cross-check of DecodeXLogRecord in
// src/backend/access/transam/xlogreader.c, and that the hole ends on the page.
func imageFits(ref *BlockRef, hole bool, holeLen, blockSize uint32) bool {
	imageLen, offset := uint32(ref.imageLen), uint32(ref.Image.HoleOffset)
	switch {
	case imageLen == 0 || imageLen > blockSize || holeLen >= blockSize:
		return false // also where blockSize - imageLen wrapped around
	case hole:
		return offset > 0 && holeLen > 0 && imageLen < blockSize && offset+holeLen <= blockSize
	case offset != 0 || holeLen != 0:
		return false
	}
	return (imageLen == blockSize) == (ref.Image.Compression == Uncompressed)
}
