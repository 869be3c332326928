package rmgr

func describeStandby(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case StandbyLock:
		for range p.count(12) {
			d.printf("xid %d db %d rel %d ", p.xid(), p.oid(), p.oid())
		}
	case StandbyRunningXacts:
		describeRunningXacts(d)
	case StandbyInvalidations:
		db, spc, initFile := p.oid(), p.oid(), p.flag()
		p.align(4)
		d.invalidations(p.take(p.count(invalSize)*invalSize), db, spc, initFile)
	}
}

func describeRunningXacts(d *describer) {
	r := d.main.runningXacts()
	d.printf("nextXid %d latestCompletedXid %d oldestRunningXid %d", r.NextXID, r.LatestCompletedXID, r.OldestRunningXID)
	if len(r.XIDs) > 0 {
		d.printf("; %d xacts:", len(r.XIDs))
		for _, xid := range r.XIDs {
			d.printf(" %d", xid)
		}
	}
	if d.major < 16 {
		d.printIf(r.SubxactsOverflowed, "; subxid ovf")
		return
	}
	d.printIf(r.SubxactsOverflowed, "; subxid overflowed")
	if len(r.Subxacts) > 0 {
		d.printf("; %d subxacts:", len(r.Subxacts))
		for _, xid := range r.Subxacts {
			d.printf(" %d", xid)
		}
	}
}
