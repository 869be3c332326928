package rmgr

// slruPage is a page number of one of the transaction status logs, which
// became 64 bits wide in 17.
func (d *describer) slruPage() int64 {
	if d.major >= 17 {
		return int64(d.main.u64())
	}
	return int64(d.main.i32())
}

func describeCLOG(d *describer) {
	switch d.rec.Op() {
	case 0x00: // ZEROPAGE
		d.printf("page %d", d.slruPage())
	case 0x10: // TRUNCATE
		d.printf("page %d; oldestXact %d", d.slruPage(), d.main.xid())
	}
}

func describeCommitTs(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x00: // ZEROPAGE
		d.printf("%d", d.slruPage())
	case 0x10: // TRUNCATE
		d.printf("pageno %d, oldestXid %d", d.slruPage(), p.xid())
	case 0x20: // SETTS, 13 only: time, node, transaction, subtransactions
		if d.major > 13 {
			return
		}
		at, node := p.time(), p.u16()
		p.align(4)
		d.printf("set %s/%d for: %d", d.time(at), node, p.xid())
		for p.left() >= 4 && !p.short {
			d.printf(", %d", p.xid())
		}
	}
}

// memberStatus is how a transaction holds a row (MultiXactStatus in
// src/include/access/multixact.h).
var memberStatus = [...]string{"keysh", "sh", "fornokeyupd", "forupd", "nokeyupd", "upd"}

func describeMultiXact(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x00, 0x10: // ZERO_OFF_PAGE, ZERO_MEM_PAGE
		d.printf("%d", d.slruPage())
	case 0x20:
		describeMultiXactCreate(d)
	case 0x30:
		p.skip(4) // a database
		if d.major >= 19 {
			d.printf("oldestMulti %d, oldestOffset %d", p.u32(), p.u64())
			return
		}
		d.printf("offsets [%d, %d), members [%d, %d)", p.u32(), p.u32(), p.u32(), p.u32())
	}
}

// describeMultiXactCreate is about a new multixact and its members. The
// offset of the first became 64 bits wide in 19.
func describeMultiXactCreate(d *describer) {
	p := &d.main
	multi := p.u32()
	var offset uint64
	if d.major >= 19 {
		p.align(8)
		offset = p.u64()
	} else {
		offset = uint64(p.u32())
	}
	n := p.i32()
	d.printf("%d offset %d nmembers %d: ", multi, offset, n)
	for range p.fits(int(n), 8) {
		xid, status := p.xid(), p.u32()
		name := "unk"
		if status < uint32(len(memberStatus)) {
			name = memberStatus[status]
		}
		d.printf("%d (%s) ", xid, name)
	}
}
