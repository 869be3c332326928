package rmgr

import "forkpoint/walinspect/pg"

func describeSmgr(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case smgrCreate:
		rel := pg.RelFork{RelFileLocator: p.locator(), Fork: pg.ForkNumber(p.i32())}
		d.print(d.path(rel))
	case smgrTruncate:
		limit := p.u32()
		rel := pg.RelFork{RelFileLocator: p.locator()}
		d.printf("%s to %d blocks flags %d", d.path(rel), limit, p.i32())
	}
}

func describeDbase(d *describer) {
	p := &d.main
	op, drop := d.rec.Op(), dbaseDrop15
	if d.major <= 14 {
		drop = dbaseDrop13
	}
	switch op {
	case dbaseCreate:
		db, spc, srcDB, srcSpc := p.oid(), p.oid(), p.oid(), p.oid()
		d.printf("copy dir %d/%d to %d/%d", srcSpc, srcDB, spc, db)
	case drop:
		d.print("dir")
		db := p.oid()
		for range p.count(4) {
			d.printf(" %d/%d", p.oid(), db)
		}
	case dbaseCreateLog:
		db, spc := p.oid(), p.oid()
		d.printf("create dir %d/%d", spc, db)
	}
}

func describeTblspc(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case tblspcCreate:
		d.printf("%d \"%s\"", p.oid(), p.cstring())
	case tblspcDrop:
		d.printf("%d", p.oid())
	}
}

// describeRelMap is about a relation map file that is written anew. 13 and 14
// print its size as unsigned, which makes no difference for any real size.
func describeRelMap(d *describer) {
	if p := &d.main; d.rec.Op() == 0x00 {
		d.printf("database %d tablespace %d size %d", p.oid(), p.oid(), p.i32())
	}
}

func describeSeq(d *describer) {
	if d.rec.Op() == 0x00 {
		d.printf("rel %s", d.main.locator())
	}
}
