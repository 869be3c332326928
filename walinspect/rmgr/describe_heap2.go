package rmgr

// describeHeap2 has no operation that all versions share but those from
// MULTI_INSERT on; see heap2OpName.
func describeHeap2(d *describer) {
	p := &d.main
	op := d.op()
	switch {
	case op == heap2Rewrite:
	case op == heap2MultiInsert:
		describeMultiInsert(d)
	case op == heap2LockUpdated && d.major >= 16:
		d.lockedTuple()
	case op == heap2LockUpdated:
		describeHeapLock(d, "xmax")
	case op == heap2NewCID:
		describeNewCID(d)
	case d.major >= 17 && op < heap2Visible:
		describePrune17(d)
	case op == heap2Visible && d.major >= 19:
	case op == heap2Visible && d.major >= 16:
		d.printf("snapshotConflictHorizon: %d, flags: 0x%02X", p.xid(), p.u8())
	case op == heap2Visible:
		d.printf("cutoff xid %d flags 0x%02X", p.xid(), p.u8())
	default:
		describeCleaning(d, op)
	}
}

// describeCleaning is about pruning, freezing and vacuuming up to 16, when
// each had records of its own.
func describeCleaning(d *describer, op uint8) {
	p := &d.main
	const prune, second, third = 0x10, 0x20, 0x30
	switch {
	case d.major == 13 && op == prune:
		d.printf("remxid %d", p.xid())
	case d.major == 13 && op == third: // CLEANUP_INFO: a relation first
		p.skip(12)
		d.printf("remxid %d", p.xid())
	case d.major <= 15 && op == prune:
		d.printf("latestRemovedXid %d nredirected %d ndead %d", p.xid(), p.u16(), p.u16())
	case d.major == 14 && op == second, d.major == 15 && op == second:
		d.printf("nunused %d", p.u16())
	case d.major <= 15: // FREEZE_PAGE, second in 13 and third later
		d.printf("cutoff xid %d ntuples %d", p.xid(), p.u16())
	case op == prune:
		describePrune16(d)
	case op == second:
		n := int(p.u16())
		d.printf("nunused: %d", n)
		if d.useBlock(0) {
			d.print(", unused:")
			d.offsets(&d.block, n)
		}
	default:
		horizon, plans := p.xid(), int(p.u16())
		d.printf("snapshotConflictHorizon: %d, nplans: %d", horizon, plans)
		if d.useBlock(0) {
			list, n := d.block.freezePlans(plans)
			d.plans(list, n, &d.block)
		}
	}
}

// describePrune16 counts what is not counted: the unused items are the rest.
func describePrune16(d *describer) {
	p, b := &d.main, &d.block
	horizon, redirected, dead := p.xid(), int(p.u16()), int(p.u16())
	d.printf("snapshotConflictHorizon: %d, nredirected: %d, ndead: %d", horizon, redirected, dead)
	if !d.useBlock(0) {
		return
	}
	unused := b.left()/2 - 2*redirected - dead
	d.printf(", nunused: %d", unused)
	d.print(", redirected:")
	d.redirections(b, redirected)
	d.print(", dead:")
	d.offsets(b, dead)
	d.print(", unused:")
	d.offsets(b, unused)
}

// Flags of a pruning record from 17 on (XLHP_ in
// src/include/access/heapam_xlog.h).
const (
	pruneCatalog    uint16 = 0x002
	pruneHorizon    uint16 = 0x008
	prunePlans      uint16 = 0x010
	pruneRedirected uint16 = 0x020
	pruneDead       uint16 = 0x040
	pruneUnused     uint16 = 0x080
	pruneVisible    uint16 = 0x100 // 19 and later, like the next
	pruneFrozen     uint16 = 0x200
)

// describePrune17 is about the records that took the place of all others
// about cleaning in 17. Their flags were a byte after the reason for pruning
// until 19 dropped the reason and made them wider.
func describePrune17(d *describer) {
	p := &d.main
	flags := p.u16()
	if d.major < 19 {
		flags >>= 8
	}
	if flags&pruneHorizon != 0 {
		d.printf("snapshotConflictHorizon: %d", p.xid())
	}
	d.printf(", isCatalogRel: %s", yesNo(flags&pruneCatalog != 0))
	if flags&pruneVisible != 0 {
		bits := 0x01
		if flags&pruneFrozen != 0 {
			bits |= 0x02
		}
		d.printf(", vm_flags: 0x%02X", bits)
	}
	if d.useBlock(0) {
		describePruneData(d, flags)
	}
}

// describePruneData reads up to four arrays, each behind its length, and
// behind them the line pointers that the first, the freeze plans, speak of.
func describePruneData(d *describer, flags uint16) {
	b := &d.block
	var list payload
	var plans, redirected, dead, unused int
	if flags&prunePlans != 0 {
		plans = int(b.u16())
		b.align(4)
		list, plans = b.freezePlans(plans)
	}
	part := func(bit uint16, size int) (payload, int) {
		if flags&bit == 0 {
			return payload{}, 0
		}
		n := b.fits(int(b.u16()), size)
		return payload{b: b.take(n * size)}, n
	}
	redirects, redirected := part(pruneRedirected, 4)
	deads, dead := part(pruneDead, 2)
	unuseds, unused := part(pruneUnused, 2)
	d.printf(", nplans: %d, nredirected: %d, ndead: %d, nunused: %d", plans, redirected, dead, unused)
	if plans > 0 {
		d.plans(list, plans, b)
	}
	if redirected > 0 {
		d.print(", redirected:")
		d.redirections(&redirects, redirected)
	}
	if dead > 0 {
		d.print(", dead:")
		d.offsets(&deads, dead)
	}
	if unused > 0 {
		d.print(", unused:")
		d.offsets(&unuseds, unused)
	}
}

// planSize is the length of an xlhp_freeze_plan.
const planSize = 12

// freezePlans takes n plans, or as many as there are.
func (p *payload) freezePlans(n int) (payload, int) {
	n = p.fits(n, planSize)
	return payload{b: p.take(n * planSize)}, n
}

// plans prints freeze plans: what becomes of xmax and the infomasks, and of
// which tuples, whose numbers come from offsets.
func (d *describer) plans(list payload, n int, offsets *payload) {
	d.print(", plans:")
	d.array(n, func() {
		xmax, mask2, mask := list.xid(), list.u16(), list.u16()
		list.skip(2) // flags for old VACUUM FULL, padding
		tuples := int(list.u16())
		d.printf("{ xmax: %d, infomask: %d, infomask2: %d, ntuples: %d, offsets:", xmax, mask, mask2, tuples)
		d.offsets(offsets, tuples)
		d.print(" }")
	})
}

func (d *describer) redirections(p *payload, n int) {
	d.array(p.fits(n, 4), func() { d.printf("%d->%d", p.u16(), p.u16()) })
}

func describeMultiInsert(d *describer) {
	p := &d.main
	flags := p.u8()
	p.align(2)
	n := int(p.u16())
	if d.major < 16 {
		d.printf("%d tuples flags 0x%02X", n, flags)
		return
	}
	d.printf("ntuples: %d, flags: 0x%02X", n, flags)
	const allFrozen = 0x20
	d.printIf(d.major >= 19 && flags&allFrozen != 0, ", vm_flags: 0x03")
	const initPage = 0x80
	if d.useBlock(0) && d.rec.Info&initPage == 0 {
		d.print(", offsets:")
		d.offsets(p, n)
	}
}

// describeNewCID is about command identifiers, which logical decoding needs of
// catalog rows.
func describeNewCID(d *describer) {
	p := &d.main
	p.skip(4) // top-level transaction
	cmin, cmax, combo := p.u32(), p.u32(), p.u32()
	rel := p.locator()
	block := uint32(p.u16())<<16 | uint32(p.u16())
	off := p.u16()
	if d.major < 16 {
		d.printf("rel %s; tid %d/%d; cmin: %d, cmax: %d, combo: %d", rel, block, off, cmin, cmax, combo)
		return
	}
	d.printf("rel: %s, tid: %d/%d, cmin: %d, cmax: %d, combo: %d", rel, block, off, cmin, cmax, combo)
}
