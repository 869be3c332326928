package rmgr

import "forkpoint/walinspect"

// invalSize is the length of a SharedInvalidationMessage
// (src/include/storage/sinval.h).
const invalSize = 16

// readPrepare reads the image of the two-phase state file that a PREPARE
// record is (xl_xact_prepare in src/include/access/xact.h): a header, then
// arrays that each begin on a multiple of 8. What the resource managers keep
// behind them is left alone.
//
//	 0       4           8     12         16           24      28
//	+-------+-----------+-----+----------+------------+-------+---------
//	| magic | total len | xid | database | prepared at| owner | counts…
//	+-------+-----------+-----+----------+------------+-------+---------
func (x *Xact) readPrepare(p *payload, rec *walinspect.Record) {
	x.TwoPhase = true
	p.skip(8)
	x.XID = p.xid()
	x.DB = p.oid()
	x.setTime(p.time())
	x.Owner = p.oid()
	subxacts, commitRels, abortRels := p.i32(), p.i32(), p.i32()
	var commitStats, abortStats int32
	if rec.Major() >= 15 {
		commitStats, abortStats = p.i32(), p.i32()
	}
	invals := p.i32()
	x.InitFileInval = p.flag()
	p.align(2)
	gidLen := int(p.u16())
	x.OriginLSN = p.lsn()
	x.setOriginTime(p.time())
	x.HasOrigin, x.Origin = rec.Origin != 0, rec.Origin

	p.align(8)
	x.GID = p.fixedString(p.fits(gidLen, 1))
	p.align(8)
	x.Subxacts = p.xids(int(subxacts))
	p.align(8)
	x.Dropped = p.locators(int(commitRels))
	p.align(8)
	x.DroppedOnAbort = p.locators(int(abortRels))
	p.align(8)
	x.Stats = p.stats(rec.Major(), int(commitStats))
	p.align(8)
	x.StatsOnAbort = p.stats(rec.Major(), int(abortStats))
	p.align(8)
	x.Invals = p.take(p.fits(int(invals), invalSize) * invalSize)
}
