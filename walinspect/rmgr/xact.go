package rmgr

import (
	"encoding/binary"
	"fmt"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Operations of resource manager Transaction (XLOG_XACT_ in
// src/include/access/xact.h). The eighth bit of info is not part of them.
const (
	xactOpMask       uint8 = 0x70
	xactHasInfo      uint8 = 0x80
	xactCommit       uint8 = 0x00
	xactPrepare      uint8 = 0x10
	xactAbort        uint8 = 0x20
	xactCommitPrep   uint8 = 0x30
	xactAbortPrep    uint8 = 0x40
	xactAssignment   uint8 = 0x50
	xactInvalidation uint8 = 0x60 // 14 and later
)

// Parts and flags of a commit or abort (XACT_XINFO_ and XACT_COMPLETION_ in
// src/include/access/xact.h).
const (
	xinfoDatabase      uint32 = 0x01
	xinfoSubxacts      uint32 = 0x02
	xinfoRelations     uint32 = 0x04
	xinfoInvals        uint32 = 0x08
	xinfoTwoPhase      uint32 = 0x10
	xinfoOrigin        uint32 = 0x20
	xinfoGID           uint32 = 0x80
	xinfoStats         uint32 = 0x100
	xinfoApplyFeedback uint32 = 0x20000000
	xinfoInitFileInval uint32 = 0x40000000
	xinfoForceSync     uint32 = 0x80000000
)

// XactKind is what a record of resource manager Transaction does.
type XactKind uint8

const (
	XactCommit XactKind = iota + 1
	XactAbort
	XactPrepare
	XactCommitPrepared
	XactAbortPrepared
	XactAssignment   // subtransactions belong to a transaction
	XactInvalidation // cache invalidations of a transaction that goes on
)

var xactKinds = [xactOpMask + 1]XactKind{
	xactCommit: XactCommit, xactAbort: XactAbort, xactPrepare: XactPrepare,
	xactCommitPrep: XactCommitPrepared, xactAbortPrep: XactAbortPrepared,
	xactAssignment: XactAssignment, xactInvalidation: XactInvalidation,
}

// xactKind is false for an operation that there is none of.
func xactKind(info uint8) (XactKind, bool) {
	kind := xactKinds[info&xactOpMask]
	return kind, kind != 0
}

var xactNames = [...]string{
	XactCommit: "commit", XactAbort: "abort", XactPrepare: "prepare",
	XactCommitPrepared: "commit prepared", XactAbortPrepared: "abort prepared",
	XactAssignment: "assignment", XactInvalidation: "invalidation",
}

func (k XactKind) String() string {
	if k == 0 || int(k) >= len(xactNames) {
		return fmt.Sprintf("xact(%d)", uint8(k))
	}
	return xactNames[k]
}

// MarshalText names the kind in JSON.
func (k XactKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Commits tells whether the transaction's changes become visible here.
func (k XactKind) Commits() bool { return k == XactCommit || k == XactCommitPrepared }

// Ends tells whether the transaction is over after the record, one way or the
// other.
func (k XactKind) Ends() bool { return k.Commits() || k == XactAbort || k == XactAbortPrepared }

// Xact is what a record of resource manager Transaction says. Its slices are
// its own, but for Invals.
type Xact struct {
	Kind XactKind
	// XID is the transaction that the record is about. That is not the
	// record's own where a prepared transaction is finished, which may happen
	// in any session, or where subtransactions are assigned.
	XID      pg.XID
	Time     time.Time // when it ended or was prepared, UTC; otherwise zero
	DB, Spc  pg.OID    // the session's, 0 where the record does not say
	Subxacts []pg.XID  // committed or aborted with it, or assigned to it

	// Dropped are the relations whose files the record removes. A prepare
	// removes none: there they are those that a commit would remove, and
	// DroppedOnAbort those that an abort would.
	Dropped        []pg.RelFileLocator
	DroppedOnAbort []pg.RelFileLocator
	Stats          []StatsItem // statistics that go too, 15 and later
	StatsOnAbort   []StatsItem

	TwoPhase  bool   // the record prepares a transaction or finishes a prepared one
	GID       string // its name; one finished without logical decoding has none
	Owner     pg.OID // who prepared it
	HasOrigin bool   // the transaction came by replication
	Origin    uint16
	OriginLSN pg.LSN    // its commit on the origin
	OriginAt  time.Time // and the time there

	Invals            []byte // cache invalidations, 16 bytes each, part of Record.Main
	InitFileInval     bool   // relation cache files are removed
	ApplyFeedback     bool
	ForceSync         bool
	originTime, ended stamp
}

// StatsItem is an object whose cumulative statistics are dropped
// (xl_xact_stats_item in src/include/access/xact.h).
type StatsItem struct {
	Kind   int32
	DB     pg.OID
	Object uint64
}

// xactEnds tells whether the record commits or aborts a transaction.
func xactEnds(rec *walinspect.Record) bool {
	switch rec.Info & xactOpMask {
	case xactCommit, xactAbort, xactCommitPrep, xactAbortPrep:
		return true
	}
	return false
}

// DecodeXact reads a record of resource manager Transaction.
func DecodeXact(rec *walinspect.Record) (Xact, error) {
	kind, known := xactKind(rec.Info)
	if rec.Rmgr != pg.RmgrXact || !known || kind == XactInvalidation && rec.Major() < 14 {
		return Xact{}, badPayload(rec, "a Transaction record")
	}
	p := mainData(rec)
	x := Xact{Kind: kind, XID: rec.XID}
	switch kind {
	case XactPrepare:
		x.readPrepare(&p, rec)
	case XactAssignment:
		x.XID = p.xid()
		x.Subxacts = p.xids(int(p.i32()))
	case XactInvalidation:
		x.Invals = p.take(p.count(invalSize) * invalSize)
	default:
		x.readEnd(&p, rec)
	}
	return x, p.check(rec)
}

// PlainEnd reads a commit or abort that says nothing but when it was, as nearly
// all do; false for any other record, which is for [DecodeXact].
func PlainEnd(rec *walinspect.Record) (kind XactKind, at time.Time, plain bool) {
	kind = xactKinds[rec.Info&xactOpMask]
	if rec.Rmgr != pg.RmgrXact || kind != XactCommit && kind != XactAbort || rec.Info&xactHasInfo != 0 || len(rec.Main) != 8 {
		return 0, time.Time{}, false
	}
	return kind, stamp(binary.LittleEndian.Uint64(rec.Main)).Time(), true
}

// readEnd reads a commit or abort: a time, then whatever parts the flags
// announce, in this order and without alignment.
func (x *Xact) readEnd(p *payload, rec *walinspect.Record) {
	x.setTime(p.time())
	var parts uint32
	if rec.Info&xactHasInfo != 0 {
		parts = p.u32()
	}
	if parts&xinfoDatabase != 0 {
		x.DB, x.Spc = p.oid(), p.oid()
	}
	if parts&xinfoSubxacts != 0 {
		x.Subxacts = p.xids(int(p.i32()))
	}
	if parts&xinfoRelations != 0 {
		x.Dropped = p.locators(int(p.i32()))
	}
	if parts&xinfoStats != 0 && rec.Major() >= 15 {
		x.Stats = p.stats(rec.Major(), int(p.i32()))
	}
	if parts&xinfoInvals != 0 && x.Kind.Commits() {
		x.Invals = p.take(p.count(invalSize) * invalSize)
	}
	if parts&xinfoTwoPhase != 0 {
		x.TwoPhase = true
		x.XID = p.xid()
		if parts&xinfoGID != 0 {
			x.GID = p.cstring()
		}
	}
	if parts&xinfoOrigin != 0 {
		x.HasOrigin, x.Origin = true, rec.Origin
		x.OriginLSN = p.lsn()
		x.setOriginTime(p.time())
	}
	x.InitFileInval = parts&xinfoInitFileInval != 0
	x.ApplyFeedback = parts&xinfoApplyFeedback != 0
	x.ForceSync = parts&xinfoForceSync != 0
}

func (x *Xact) setTime(s stamp)       { x.ended, x.Time = s, s.Time() }
func (x *Xact) setOriginTime(s stamp) { x.originTime, x.OriginAt = s, s.Time() }

// stats reads xl_xact_stats_item, whose object became 64 bits wide in 18.
func (p *payload) stats(major, n int) []StatsItem {
	size := statsItemSize(major)
	if n = p.fits(n, size); n == 0 {
		return nil
	}
	items := make([]StatsItem, n)
	for i := range items {
		items[i] = StatsItem{Kind: p.i32(), DB: p.oid(), Object: uint64(p.u32())}
		if size == 16 {
			items[i].Object |= uint64(p.u32()) << 32
		}
	}
	return items
}

func statsItemSize(major int) int {
	if major >= 18 {
		return 16
	}
	return 12
}
