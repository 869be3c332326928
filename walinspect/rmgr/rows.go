package rmgr

import (
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Operations of resource managers Heap and Heap2 (XLOG_HEAP_ and XLOG_HEAP2_
// in src/include/access/heapam_xlog.h). The eighth bit of info, for a page made
// anew, is not part of them.
const (
	heapOpMask    uint8 = 0x70
	heapInsert    uint8 = 0x00
	heapDelete    uint8 = 0x10
	heapUpdate    uint8 = 0x20
	heapTruncate  uint8 = 0x30
	heapHotUpdate uint8 = 0x40
	heapConfirm   uint8 = 0x50
	heapLock      uint8 = 0x60
	heapInplace   uint8 = 0x70

	heap2Rewrite     uint8 = 0x00
	heap2Visible     uint8 = 0x40 // up to 18
	heap2MultiInsert uint8 = 0x50
	heap2LockUpdated uint8 = 0x60
	heap2NewCID      uint8 = 0x70

	insertSpeculative uint8 = 0x04 // XLH_INSERT_IS_SPECULATIVE
	deleteSuper       uint8 = 0x08 // XLH_DELETE_IS_SUPER
)

// RowCounts tells how many rows the record inserts, updates and deletes in the
// relation of its first block reference. upd counts all updates, and hot those
// of them that needed no index entry, as pg_stat_all_tables does.
//
// It reads main data only, since block data is left out where the page has an
// image. A row that INSERT … ON CONFLICT puts down provisionally counts when it
// is confirmed and not at all when it is withdrawn. Whether rows count in the
// end is up to the end of the transaction. System catalogs and TOAST tables are
// relations like others here.
func RowCounts(rec *walinspect.Record) (ins, upd, hot, del int) {
	p := mainData(rec)
	op := rec.Info & heapOpMask
	switch {
	case rec.Rmgr == pg.RmgrHeap2 && op == heap2MultiInsert:
		p.skip(2)
		return int(p.u16()), 0, 0, 0
	case rec.Rmgr != pg.RmgrHeap:
		return 0, 0, 0, 0
	}
	switch op {
	case heapInsert:
		if p.skip(2); p.u8()&insertSpeculative == 0 {
			ins = 1
		}
	case heapConfirm:
		ins = 1
	case heapUpdate:
		upd = 1
	case heapHotUpdate:
		upd, hot = 1, 1
	case heapDelete:
		if p.skip(7); p.u8()&deleteSuper == 0 {
			del = 1
		}
	}
	return ins, upd, hot, del
}
