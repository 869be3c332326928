package rmgr

import (
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// RunningXacts are the transactions in progress, which a hot standby needs to
// take snapshots (xl_running_xacts in src/include/storage/standbydefs.h).
type RunningXacts struct {
	XIDs               []pg.XID // top-level transactions
	Subxacts           []pg.XID // their subtransactions, incomplete after an overflow
	SubxactsOverflowed bool
	NextXID            pg.XID
	OldestRunningXID   pg.XID
	LatestCompletedXID pg.XID
}

// DecodeRunningXacts reads a RUNNING_XACTS record.
func DecodeRunningXacts(rec *walinspect.Record) (RunningXacts, error) {
	if err := expect(rec, pg.RmgrStandby, StandbyRunningXacts); err != nil {
		return RunningXacts{}, err
	}
	p := mainData(rec)
	return p.runningXacts(), p.check(rec)
}

func (p *payload) runningXacts() RunningXacts {
	xacts, subxacts := p.i32(), p.i32()
	r := RunningXacts{SubxactsOverflowed: p.flag()}
	p.align(4)
	r.NextXID, r.OldestRunningXID, r.LatestCompletedXID = p.xid(), p.xid(), p.xid()
	r.XIDs = p.xids(int(xacts))
	r.Subxacts = p.xids(int(subxacts))
	return r
}
