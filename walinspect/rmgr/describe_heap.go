package rmgr

import "strings"

// describeHeap prints the terse form of 13 to 15 or the one with a name before
// each value that came in 16.
func describeHeap(d *describer) {
	if d.major >= 16 {
		describeHeap16(d)
		return
	}
	p := &d.main
	switch d.op() {
	case heapInsert:
		d.printf("off %d flags 0x%02X", p.u16(), p.u8())
	case heapDelete:
		p.skip(4) // xmax
		off, bits, flags := p.u16(), p.u8(), p.u8()
		d.printf("off %d flags 0x%02X %s", off, flags, spacedBits(bits))
	case heapUpdate, heapHotUpdate:
		xmax, off, bits, flags := p.xid(), p.u16(), p.u8(), p.u8()
		newXmax, newOff := p.xid(), p.u16()
		d.printf("off %d xmax %d flags 0x%02X %s; new off %d xmax %d", off, xmax, flags, spacedBits(bits), newOff, newXmax)
	case heapTruncate:
		describeHeapTruncate(d)
	case heapConfirm, heapInplace:
		d.printf("off %d", p.u16())
	case heapLock:
		describeHeapLock(d, "xid")
	}
}

func describeHeap16(d *describer) {
	p := &d.main
	switch d.op() {
	case heapInsert:
		d.printf("off: %d, flags: 0x%02X", p.u16(), p.u8())
	case heapDelete, heapLock:
		d.lockedTuple()
	case heapUpdate, heapHotUpdate:
		xmax, off, bits, flags := p.xid(), p.u16(), p.u8(), p.u8()
		d.printf("old_xmax: %d, old_off: %d, old_infobits: %s, flags: 0x%02X, new_xmax: %d, new_off: %d",
			xmax, off, listedBits(bits), flags, p.xid(), p.u16())
	case heapTruncate:
		describeHeapTruncate(d)
	case heapConfirm:
		d.printf("off: %d", p.u16())
	case heapInplace:
		d.printf("off: %d", p.u16())
		if d.major >= 18 {
			p.align(4)
			db, spc, initFile := p.oid(), p.oid(), p.flag()
			p.align(4)
			d.invalidations(p.take(p.count(invalSize)*invalSize), db, spc, initFile)
		}
	}
}

// describeHeapTruncate is about TRUNCATE as logical decoding wants to know it:
// a database, the number of relations, flags, and the relations.
func describeHeapTruncate(d *describer) {
	p := &d.main
	p.skip(4)
	n, flags := p.u32(), p.u8()
	p.align(4)
	cascade, restart := flags&0x01 != 0, flags&0x02 != 0
	if d.major < 16 {
		d.printIf(cascade, "cascade ")
		d.printIf(restart, "restart_seqs ")
		d.printf("nrelids %d relids", n)
		for range p.fits(int(n), 4) {
			d.printf(" %d", p.oid())
		}
		return
	}
	var set []string
	if cascade {
		set = append(set, "CASCADE")
	}
	if restart {
		set = append(set, "RESTART_SEQS")
	}
	d.printf("flags: [%s], nrelids: %d, relids:", strings.Join(set, ", "), n)
	d.array(p.fits(int(n), 4), func() { d.printf("%d", p.oid()) })
}

// describeHeapLock is about a row lock, of Heap or Heap2, up to 15.
func describeHeapLock(d *describer, label string) {
	p := &d.main
	xmax, off, bits, flags := p.xid(), p.u16(), p.u8(), p.u8()
	d.printf("off %d: %s %d: flags 0x%02X %s", off, label, xmax, flags, spacedBits(bits))
}

// lockedTuple prints the four fields that deletions and row locks share, from
// 16 on.
func (d *describer) lockedTuple() {
	p := &d.main
	xmax, off, bits, flags := p.xid(), p.u16(), p.u8(), p.u8()
	d.printf("xmax: %d, off: %d, infobits: %s, flags: 0x%02X", xmax, off, listedBits(bits), flags)
}

// infobits are what a record sets in a tuple header (XLHL_ in
// src/include/access/heapam_xlog.h).
var infobits = [...]string{"IS_MULTI", "LOCK_ONLY", "EXCL_LOCK", "KEYSHR_LOCK", "KEYS_UPDATED"}

func setBits(bits uint8) []string {
	var set []string
	for i, name := range infobits {
		if bits&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return set
}

// spacedBits has a space after each name, the last too.
func spacedBits(bits uint8) string {
	var b strings.Builder
	for _, name := range setBits(bits) {
		b.WriteString(name + " ")
	}
	return b.String()
}

func listedBits(bits uint8) string { return "[" + strings.Join(setBits(bits), ", ") + "]" }
