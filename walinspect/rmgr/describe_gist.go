package rmgr

func describeGist(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x10:
		describeGistDelete(d)
	case 0x20:
		describeGistReuse(d)
	case 0x30: // PAGE_SPLIT
		p.skip(4) // right link
		p.align(8)
		p.skip(8 + 1) // sequence number, whether it is a leaf
		p.align(2)
		d.printf("page_split: splits to %d pages", p.u16())
	case 0x60: // PAGE_DELETE
		d.printf("deleteXid %s; downlink %d", epochXID(p.u64()), p.u16())
	}
}

func describeGistDelete(d *describer) {
	p := &d.main
	label := "snapshotConflictHorizon"
	if d.major < 16 {
		label = "latestRemovedXid"
	}
	d.printf("delete: %s %d, nitems: %d", label, p.xid(), p.u16())
	if d.major >= 17 {
		d.printf(", isCatalogRel %s", yesNo(p.flag()))
	}
}

// describeGistReuse is about a page that is used anew, of interest to queries
// on a standby only.
func describeGistReuse(d *describer) {
	p := &d.main
	label := "snapshotConflictHorizon"
	if d.major < 16 {
		label = "latestRemovedXid"
	}
	d.printf("rel %s; blk %d; %s %s", p.locator(), p.u32(), label, epochXID(p.u64()))
	if d.major >= 17 {
		d.printf(", isCatalogRel %s", yesNo(p.flag()))
	}
}
