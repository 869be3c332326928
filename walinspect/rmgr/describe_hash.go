package rmgr

import "math"

func describeHash(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x00: // INIT_META_PAGE
		tuples, proc, fill := p.float(), p.oid(), p.u16()
		d.printf("num_tuples %s, ", tuples)
		if d.major >= 19 {
			d.printf("procid %d, ", proc)
		}
		d.printf("fillfactor %d", fill)
	case 0x10: // INIT_BITMAP_PAGE
		d.printf("bmsize %d", p.u16())
	case 0x20: // INSERT
		d.printf("off %d", p.u16())
	case 0x30: // ADD_OVFL_PAGE
		d.printf("bmsize %d, bmpage_found %s", p.u16(), yesNo(p.flag()))
	case 0x40:
		describeHashSplit(d)
	case 0x60: // SPLIT_COMPLETE
		d.printf("old_bucket_flag %d, new_bucket_flag %d", p.u16(), p.u16())
	case 0x70: // MOVE_PAGE_CONTENTS
		d.printf("ntups %d, is_primary %s", p.u16(), yesNo(p.flag()))
	case 0x80: // SQUEEZE_PAGE
		d.printf("prevblkno %d, nextblkno %d, ntups %d, is_primary %s", p.u32(), p.u32(), p.u16(), yesNo(p.flag()))
		if d.major >= 19 {
			d.printf(", is_previous %s", yesNo(p.flag()))
		}
	case 0x90: // DELETE
		d.printf("clear_dead_marking %s, is_primary %s", yesNo(p.flag()), yesNo(p.flag()))
	case 0xB0: // UPDATE_META_PAGE
		d.printf("ntuples %s", p.float())
	case 0xC0:
		describeHashVacuum(d)
	}
}

// float is a double as printf prints it with %g.
func (p *payload) float() string { return cFloat(math.Float64frombits(p.u64()), 'g') }

// describeHashSplit is about the bucket that a split makes.
func describeHashSplit(d *describer) {
	p := &d.main
	bucket, oldFlag, newFlag, flags := p.u32(), p.u16(), p.u16(), p.u8()
	d.printf("new_bucket %d, ", bucket)
	if d.major >= 19 {
		d.printf("old_bucket_flag %d, new_bucket_flag %d, ", oldFlag, newFlag)
	}
	d.printf("meta_page_masks_updated %s, issplitpoint_changed %s", yesNo(flags&0x01 != 0), yesNo(flags&0x02 != 0))
}

// describeHashVacuum is about dead items that go when a page is full. Their
// number was 32 bits wide before a flag moved in beside it in 16.
func describeHashVacuum(d *describer) {
	p := &d.main
	horizon := p.xid()
	if d.major >= 16 {
		d.printf("ntuples %d, snapshotConflictHorizon %d", p.u16(), horizon)
		if d.major >= 17 {
			d.printf(", isCatalogRel %s", yesNo(p.flag()))
		}
		return
	}
	label := "latestRemovedXid"
	if d.major == 13 {
		label = "latest removed xid"
	}
	d.printf("ntuples %d, %s %d", p.i32(), label, horizon)
}
