package rmgr

func describeSPGist(d *describer) {
	if d.major == 13 {
		describeSPGist13(d)
		return
	}
	p := &d.main
	switch d.rec.Op() {
	case 0x10: // ADD_LEAF
		fresh, nulls := p.flag(), p.flag()
		d.printf("off: %d, headoff: %d, parentoff: %d, nodeI: %d", p.u16(), p.u16(), p.u16(), p.u16())
		d.printIf(fresh, " (newpage)")
		d.printIf(nulls, " (nulls)")
	case 0x20: // MOVE_LEAFS
		moves, fresh, replace, nulls := p.u16(), p.flag(), p.flag(), p.flag()
		p.align(2)
		d.printf("nmoves: %d, parentoff: %d, nodeI: %d", moves, p.u16(), p.u16())
		d.printIf(fresh, " (newpage)")
		d.printIf(replace, " (replacedead)")
		d.printIf(nulls, " (nulls)")
	case 0x30: // ADD_NODE
		off, newOff, fresh, parent := p.u16(), p.u16(), p.flag(), int8(p.u8())
		d.printf("off: %d, newoff: %d, parentBlk: %d, parentoff: %d, nodeI: %d", off, newOff, parent, p.u16(), p.u16())
		d.printIf(fresh, " (newpage)")
	case 0x40: // SPLIT_TUPLE
		d.printf("prefixoff: %d, postfixoff: %d", p.u16(), p.u16())
		d.printIf(p.flag(), " (newpage)")
		d.printIf(p.flag(), " (same)")
	case 0x50:
		describePickSplit(d)
	case 0x60: // VACUUM_LEAF
		d.printf("ndead: %d, nplaceholder: %d, nmove: %d, nchain: %d", p.u16(), p.u16(), p.u16(), p.u16())
	case 0x70: // VACUUM_ROOT
		d.printf("ndelete: %d", p.u16())
	case 0x80: // VACUUM_REDIRECT
		label := "snapshotConflictHorizon"
		if d.major < 16 {
			label = "newestredirectxid"
		}
		d.printf("ntoplaceholder: %d, firstplaceholder: %d, %s: %d", p.u16(), p.u16(), label, p.xid())
		if d.major >= 17 {
			d.printf(", isCatalogRel: %s", yesNo(p.flag()))
		}
	}
}

// pickSplit is the start of a spgxlogPickSplit
// (src/include/access/spgxlog.h).
type pickSplit struct {
	rootSplit, nulls, innerIsParent      bool
	deleted, inserted, off, parent, node uint16
}

func (p *payload) pickSplit() pickSplit {
	var s pickSplit
	s.rootSplit = p.flag()
	p.align(2)
	s.deleted, s.inserted = p.u16(), p.u16()
	p.skip(2) // whether source and destination are made anew
	s.off = p.u16()
	p.skip(1) // and the inner page
	s.nulls, s.innerIsParent = p.flag(), p.flag()
	p.align(2)
	s.parent, s.node = p.u16(), p.u16()
	return s
}

func describePickSplit(d *describer) {
	s := d.main.pickSplit()
	d.printf("ndelete: %d, ninsert: %d, inneroff: %d, parentoff: %d, nodeI: %d", s.deleted, s.inserted, s.off, s.parent, s.node)
	d.printIf(s.innerIsParent, " (innerIsParent)")
	d.printIf(s.nulls, " (nulls)")
	d.printIf(s.rootSplit, " (isRootSplit)")
}

// describeSPGist13 prints what 13 does, before each operation got all of its
// fields printed.
func describeSPGist13(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x10: // ADD_LEAF
		fresh, nulls := p.flag(), p.flag()
		d.printf("add leaf to page; off %d; headoff %d; parentoff %d", p.u16(), p.u16(), p.u16())
		d.printIf(fresh, " (newpage)")
		d.printIf(nulls, " (nulls)")
	case 0x20: // MOVE_LEAFS
		d.printf("%d leafs", p.u16())
	case 0x30: // ADD_NODE
		d.printf("off %d", p.u16())
	case 0x40: // SPLIT_TUPLE
		prefix, postfix, fresh, same := p.u16(), p.u16(), p.u8(), p.u8()
		d.printf("prefix off: %d, postfix off: %d (same %d, new %d)", prefix, postfix, same, fresh)
	case 0x50: // PICKSPLIT
		s := p.pickSplit()
		d.printf("ndel %d; nins %d", s.deleted, s.inserted)
		d.printIf(s.innerIsParent, " (innerIsParent)")
		d.printIf(s.rootSplit, " (isRootSplit)")
	case 0x80: // VACUUM_REDIRECT
		p.skip(4)
		d.printf("newest XID %d", p.xid())
	}
}
