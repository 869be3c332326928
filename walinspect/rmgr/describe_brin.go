package rmgr

func describeBRIN(d *describer) {
	p := &d.main
	switch d.op() {
	case 0x00: // CREATE_INDEX
		pages, version := p.u32(), p.u16()
		d.printf("v%d pagesPerRange %d", version, pages)
	case 0x10: // INSERT
		d.printf("heapBlk %d pagesPerRange %d offnum %d", p.u32(), p.u32(), p.u16())
	case 0x20: // UPDATE
		oldOff := p.u16()
		p.align(4)
		d.printf("heapBlk %d pagesPerRange %d old offnum %d, new offnum %d", p.u32(), p.u32(), oldOff, p.u16())
	case 0x30: // SAMEPAGE_UPDATE
		d.printf("offnum %d", p.u16())
	case 0x40: // REVMAP_EXTEND
		d.printf("targetBlk %d", p.u32())
	case 0x50: // DESUMMARIZE
		pages, block, off := p.u32(), p.u32(), p.u16()
		d.printf("pagesPerRange %d, heapBlk %d, page offset %d", pages, block, off)
	}
}
