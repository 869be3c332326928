package walinspect

import (
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
)

// ErrUnknownFormat is matched by errors about WAL of a version that is not
// known. Such WAL is refused, never guessed at.
var ErrUnknownFormat = errors.New("unknown WAL format")

// Layout is what differs between the WAL formats of server versions. There is
// one value per version; layouts are compared by pointer and never changed.
type Layout struct {
	Major int
	Magic uint16 // XLOG_PAGE_MAGIC

	pageFlags     uint16 // all flags that a page of this version can carry
	pageOverwrite uint16 // XLP_FIRST_IS_OVERWRITE_CONTRECORD

	imageFlags uint8 // all flags that an image of this version can carry
	imageApply uint8 // BKPIMAGE_APPLY
	imagePGLZ  uint8 // BKPIMAGE_IS_COMPRESSED up to 14, BKPIMAGE_COMPRESS_PGLZ from 15
	imageLZ4   uint8
	imageZstd  uint8

	topXID      bool // records may name their top-level transaction
	customRmgrs bool // extensions may have resource managers of their own
}

// Page flags that mean the same in all versions (XLP_ in xlog_internal.h).
const (
	PageContinues uint16 = 0x0001 // XLP_FIRST_IS_CONTRECORD
	PageLong      uint16 = 0x0002 // XLP_LONG_HEADER
)

// imageHole is BKPIMAGE_HAS_HOLE, the one image flag that never moved.
const imageHole uint8 = 0x01

// layouts is ordered by version. The overwrite flag came to 13 and 14 in a
// minor release; older minors of these never set the bit.
var layouts = [...]Layout{
	older(13), older(14),
	newer(15), newer(16), newer(17), newer(18),
	latest(19),
}

func older(major int) Layout {
	return Layout{
		Major: major, Magic: magicOf(major),
		pageFlags: 0x000F, pageOverwrite: 0x0008,
		imageFlags: 0x07, imageApply: 0x04, imagePGLZ: 0x02,
		topXID: major >= 14,
	}
}

// newer is the family from 15 on: the two upper image flags changed places,
// and lz4 and zstd joined them.
func newer(major int) Layout {
	return Layout{
		Major: major, Magic: magicOf(major),
		pageFlags: 0x000F, pageOverwrite: 0x0008,
		imageFlags: 0x1F, imageApply: 0x02, imagePGLZ: 0x04, imageLZ4: 0x08, imageZstd: 0x10,
		topXID: true, customRmgrs: true,
	}
}

// latest is the family from 19 on: the removable-backup flag is gone and the
// overwrite flag took its bit.
func latest(major int) Layout {
	l := newer(major)
	l.pageFlags, l.pageOverwrite = 0x0007, 0x0004
	return l
}

func magicOf(major int) uint16 {
	for magic := uint16(0xD100); magic < 0xD200; magic++ {
		if m, known := pg.MajorOfMagic(magic); known && m == major {
			return magic
		}
	}
	return 0
}

// LayoutFor is the layout of pages that begin with magic. For an unknown one
// the error matches [ErrUnknownFormat] and names it.
func LayoutFor(magic uint16) (*Layout, error) {
	for i := range layouts {
		if layouts[i].Magic == magic {
			return &layouts[i], nil
		}
	}
	return nil, fmt.Errorf("%w: page magic %04X, known are versions %d to %d", ErrUnknownFormat, magic, pg.MinMajor, pg.MaxMajor)
}

// LayoutOf is the layout that servers of a major version write.
func LayoutOf(major int) (*Layout, error) {
	for i := range layouts {
		if layouts[i].Major == major {
			return &layouts[i], nil
		}
	}
	return nil, fmt.Errorf("%w: version %d, known are %d to %d", ErrUnknownFormat, major, pg.MinMajor, pg.MaxMajor)
}

// Overwrites tells whether page flags say that the page's first record takes
// the place of a continuation that was lost.
func (l *Layout) Overwrites(info uint16) bool { return info&l.pageOverwrite != 0 }

// validRmgr tells whether a record of this version can belong to r.
func (l *Layout) validRmgr(r pg.RmgrID) bool {
	return r.Builtin() || l.customRmgrs && r.Custom()
}

// OverwriteFlag is the page flag that [Layout.Overwrites] looks for.
func (l *Layout) OverwriteFlag() uint16 { return l.pageOverwrite }

// ImageFlags are the flags that this version stores with an image; false if it
// has no such compression.
func (l *Layout) ImageFlags(i *Image) (flags uint8, known bool) {
	method := [...]uint8{Uncompressed: 0, PGLZ: l.imagePGLZ, LZ4: l.imageLZ4, Zstd: l.imageZstd}
	if int(i.Compression) >= len(method) {
		return 0, false
	}
	flags = method[i.Compression]
	known = flags != 0 || i.Compression == Uncompressed
	if i.Apply {
		flags |= l.imageApply
	}
	if i.HoleLen > 0 {
		flags |= imageHole
	}
	return flags, known
}
