package rmgr

import "forkpoint/walinspect/pg"

// Flags of an insertion or split (src/include/access/ginxlog.h).
const (
	ginData      uint16 = 0x01 // GIN_INSERT_ISDATA: in a posting tree
	ginLeaf      uint16 = 0x02 // GIN_INSERT_ISLEAF
	ginRootSplit uint16 = 0x04 // GIN_SPLIT_ROOT
)

func describeGin(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x20:
		describeGinInsert(d)
	case 0x30: // SPLIT
		p.skip(16) // relation, right link
		left, right, flags := p.u32(), p.u32(), p.u16()
		d.printf("isrootsplit: %s isdata: %s isleaf: %s", yesNo(flags&ginRootSplit != 0), yesNo(flags&ginData != 0), yesNo(flags&ginLeaf != 0))
		if d.major >= 19 && left != uint32(pg.InvalidBlock) {
			d.printf(" children: %d/%d", left, right)
		}
	case 0x60: // UPDATE_META_PAGE
		if d.major >= 19 {
			p.skip(16 + ginMetaSize) // relation and padding, metapage
			tail, link := p.u32(), p.u32()
			d.printf("ntuples: %d", p.i32())
			d.ginLink("prevTail", tail)
			d.ginLink("newRightlink", link)
		}
	case 0x70: // INSERT_LISTPAGE
		if d.major >= 19 {
			link := p.u32()
			d.printf("ntuples: %d", p.i32())
			d.ginLink("rightlink", link)
		}
	case 0x80: // DELETE_LISTPAGE
		p.skip(ginMetaSize)
		d.printf("ndeleted: %d", p.i32())
	case 0x90: // VACUUM_DATA_LEAF_PAGE
		if !d.ginImage() {
			d.useBlock(0)
			describeRecompression(d)
		}
	}
}

// ginMetaSize is the length of a GinMetaPageData
// (src/include/access/ginblock.h).
const ginMetaSize = 56

func (d *describer) ginLink(label string, block uint32) {
	if block != uint32(pg.InvalidBlock) {
		d.printf(" %s: %d", label, block)
	}
}

// ginImage tells whether the first page comes as an image, in which case there
// may be no block data, and says so up to 18.
func (d *describer) ginImage() bool {
	for i := range d.rec.Blocks {
		b := &d.rec.Blocks[i]
		if b.ID != 0 || !b.HasImage() {
			continue
		}
		if d.major <= 18 {
			d.print(" (full page image")
			d.printIf(!b.AppliesImage(), ", for WAL verification")
			d.print(")")
		}
		return true
	}
	return false
}

// blockID is a block number stored as two halves, the upper one first.
func (p *payload) blockID() uint32 { return uint32(p.u16())<<16 | uint32(p.u16()) }

func describeGinInsert(d *describer) {
	p, b := &d.main, &d.block
	flags := p.u16()
	d.printf("isdata: %s isleaf: %s", yesNo(flags&ginData != 0), yesNo(flags&ginLeaf != 0))
	if flags&ginLeaf == 0 {
		d.printf(" children: %d/%d", p.blockID(), p.blockID())
	}
	if d.ginImage() {
		return
	}
	d.useBlock(0)
	switch {
	case flags&ginData == 0:
		b.skip(2) // line pointer
		d.printf(" isdelete: %s", yesNo(b.flag()))
	case flags&ginLeaf != 0:
		describeRecompression(d)
	default:
		b.skip(2)
		d.printf(" pitem: %d-%d/%d", b.blockID(), b.blockID(), b.u16())
	}
}

// Actions on a segment of a posting tree's leaf page (GIN_SEGMENT_ in
// src/include/access/ginxlog.h).
const (
	ginSegmentDelete   = 1
	ginSegmentInsert   = 2
	ginSegmentReplace  = 3
	ginSegmentAddItems = 4
)

// describeRecompression lists what happens to the segments of a leaf page. The
// segment's number and the action are followed by a posting list where one is
// put down, or by the items that are added.
func describeRecompression(d *describer) {
	b := &d.block
	n := int(b.u16())
	d.printf(" %d segments:", n)
	for range n {
		if b.left() < 2 {
			b.short = true
			return
		}
		segment, action := b.u8(), b.u8()
		switch action {
		case ginSegmentAddItems:
			items := int(b.u16())
			b.skip(items * 6)
			d.printf(" %d (add %d items)", segment, items)
		case ginSegmentDelete:
			d.printf(" %d (delete)", segment)
		case ginSegmentInsert, ginSegmentReplace:
			b.skip(6) // first item of the list
			length := int(b.u16())
			b.skip((length + 1) / 2 * 2)
			name := "insert"
			if action == ginSegmentReplace {
				name = "replace"
			}
			d.printf(" %d (%s)", segment, name)
		default:
			d.printf(" %d unknown action %d ???", segment, action)
			return // its length is not known
		}
	}
}
