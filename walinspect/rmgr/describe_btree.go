package rmgr

import (
	"math"

	"forkpoint/walinspect/pg"
)

// describeBtree prints values behind names with a colon from 16 on, without
// one before.
func describeBtree(d *describer) {
	p := &d.main
	named := d.major >= 16
	form := func(old, new string) string {
		if named {
			return new
		}
		return old
	}
	switch d.rec.Op() {
	case 0x00, 0x10, 0x20, 0x50: // INSERT_*
		d.printf(form("off %d", "off: %d"), p.u16())
	case 0x30, 0x40: // SPLIT_L, SPLIT_R
		d.printf(form("level %d, firstrightoff %d, newitemoff %d, postingoff %d",
			"level: %d, firstrightoff: %d, newitemoff: %d, postingoff: %d"), p.u32(), p.u16(), p.u16(), p.u16())
	case 0x60: // DEDUP
		d.printf(form("nintervals %d", "nintervals: %d"), p.u16())
	case 0x70:
		describeBtreeDelete(d)
	case 0x80, 0x90: // UNLINK_PAGE, UNLINK_PAGE_META
		describeBtreeUnlink(d)
	case 0xA0: // NEWROOT
		p.skip(4) // the root's block
		d.printf(form("lev %d", "level: %d"), p.u32())
	case 0xB0: // MARK_PAGE_HALFDEAD
		p.skip(2) // item in the parent
		p.align(4)
		leaf, left, right, top := p.u32(), p.u32(), p.u32(), p.u32()
		d.printf(form("topparent %d; leaf %d; left %d; right %d",
			"topparent: %d, leaf: %d, left: %d, right: %d"), top, leaf, left, right)
	case 0xC0: // VACUUM
		describeBtreeVacuum(d)
	case 0xD0:
		describeBtreeReuse(d)
	case 0xE0:
		describeBtreeMeta(d)
	}
}

// describeBtreeVacuum is about a leaf page; 13 has 16-bit counts here already.
func describeBtreeVacuum(d *describer) {
	deleted, updated := int(d.main.u16()), int(d.main.u16())
	if d.major < 16 {
		d.printf("ndeleted %d; nupdated %d", deleted, updated)
		return
	}
	d.printf("ndeleted: %d, nupdated: %d", deleted, updated)
	d.leafItems(deleted, updated)
}

func describeBtreeDelete(d *describer) {
	p := &d.main
	horizon := p.xid()
	if d.major == 13 {
		d.printf("latestRemovedXid %d; ndeleted %d", horizon, p.u32())
		return
	}
	deleted, updated := int(p.u16()), int(p.u16())
	if d.major < 16 {
		d.printf("latestRemovedXid %d; ndeleted %d; nupdated %d", horizon, deleted, updated)
		return
	}
	d.printf("snapshotConflictHorizon: %d, ndeleted: %d, nupdated: %d", horizon, deleted, updated)
	if d.major >= 17 {
		d.printf(", isCatalogRel: %s", yesNo(p.flag()))
	}
	d.leafItems(deleted, updated)
}

// leafItems prints, from 16 on, the line pointers that go, and of those
// posting lists that stay, the entries that go.
func (d *describer) leafItems(deleted, updated int) {
	if !d.useBlock(0) {
		return
	}
	b := &d.block
	d.print(", deleted:")
	d.offsets(b, deleted)
	updated = b.fits(updated, 2)
	lists := payload{b: b.take(updated * 2)}
	d.print(", updated:")
	d.array(updated, func() {
		n := int(b.u16())
		d.printf("{ off: %d, nptids: %d, ptids:", lists.u16(), n)
		d.offsets(b, n)
		d.print(" }")
	})
}

func describeBtreeUnlink(d *describer) {
	p := &d.main
	left, right := p.u32(), p.u32()
	if d.major == 13 {
		leafLeft, leafRight, top := p.u32(), p.u32(), p.u32()
		d.printf("left %d; right %d; btpo_xact %d; leafleft %d; leafright %d; topparent %d", left, right, p.xid(), leafLeft, leafRight, top)
		return
	}
	level := p.u32()
	p.align(8)
	format := "left: %d, right: %d, level: %d, safexid: %s, leafleft: %d, leafright: %d, leaftopparent: %d"
	if d.major < 16 {
		format = "left %d; right %d; level %d; safexid %s; leafleft %d; leafright %d; leaftopparent %d"
	}
	d.printf(format, left, right, level, epochXID(p.u64()), p.u32(), p.u32(), p.u32())
}

func describeBtreeReuse(d *describer) {
	p := &d.main
	rel := p.locator()
	p.skip(4) // block
	switch {
	case d.major == 13:
		d.printf("rel %s; latestRemovedXid %d", rel, p.xid())
	case d.major < 16:
		d.printf("rel %s; latestRemovedXid %s", rel, epochXID(p.u64()))
	default:
		d.printf("rel: %s, snapshotConflictHorizon: %s", rel, epochXID(p.u64()))
		if d.major >= 17 {
			d.printf(", isCatalogRel: %s", yesNo(p.flag()))
		}
	}
}

// describeBtreeMeta is about an index's metapage (xl_btree_metadata in
// src/include/access/nbtxlog.h), in the block data.
func describeBtreeMeta(d *describer) {
	d.useBlock(0)
	b := &d.block
	b.skip(20)
	switch {
	case d.major == 13:
		oldest := pg.XID(b.u32())
		d.printf("oldest_btpo_xact %d; last_cleanup_num_heap_tuples: %s", oldest, cFloat(math.Float64frombits(b.u64()), 'f'))
	case d.major < 16:
		d.printf("last_cleanup_num_delpages %d", b.u32())
	default:
		d.printf("last_cleanup_num_delpages: %d", b.u32())
	}
}
