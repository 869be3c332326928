package rmgr

import (
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// EffectKind is what happens to files.
type EffectKind uint8

const (
	// RelationCreated: the fork Rel is made, empty.
	RelationCreated EffectKind = iota + 1
	// RelationTruncated: the fork Rel ends at block Limit from here on.
	RelationTruncated
	// RelationDropped: all forks of Rel are removed; Rel.Fork is the main one.
	RelationDropped
	// DatabaseCreated: the directory of database DB is made in tablespace Spc.
	// With FileCopy it is filled from SrcDB in SrcSpc, file by file, and no
	// record names a block of it; otherwise the blocks follow in the log.
	DatabaseCreated
	// DatabaseDropped: the directory of DB in Spc is removed. A database in
	// several tablespaces has one effect for each.
	DatabaseDropped
	// TablespaceCreated and TablespaceDropped: the directory of Spc.
	TablespaceCreated
	TablespaceDropped
)

var effectNames = [...]string{
	RelationCreated: "relation-created", RelationTruncated: "relation-truncated",
	RelationDropped: "relation-dropped", DatabaseCreated: "database-created",
	DatabaseDropped: "database-dropped", TablespaceCreated: "tablespace-created",
	TablespaceDropped: "tablespace-dropped",
}

func (k EffectKind) String() string {
	if k == 0 || int(k) >= len(effectNames) {
		return "unknown"
	}
	return effectNames[k]
}

// MarshalText names the kind in JSON.
func (k EffectKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Effect is one thing that a record does to files beyond the blocks that it
// refers to. Which fields are set depends on Kind.
type Effect struct {
	Kind          EffectKind
	Rel           pg.RelFork
	Limit         pg.BlockNumber // blocks left of a cut fork
	DB, Spc       pg.OID
	SrcDB, SrcSpc pg.OID
	FileCopy      bool
	Path          string // of a tablespace that is made
}

// Effects appends to dst what the record does to files beyond the blocks that
// it refers to. Nearly all records do nothing, and for these it only looks at
// the header.
//
// The error matches [ErrUnknownEffect] where the record says that it changes
// files but not in a way that is known, and [ErrPayload] where its payload is
// malformed. dst is then returned as it was.
func Effects(rec *walinspect.Record, dst []Effect) ([]Effect, error) {
	switch rec.Rmgr {
	case pg.RmgrXact:
		return xactEffects(rec, dst)
	case pg.RmgrSmgr:
		return smgrEffects(rec, dst)
	case pg.RmgrDbase:
		return dbaseEffects(rec, dst)
	case pg.RmgrTblspc:
		return tblspcEffects(rec, dst)
	}
	if rec.Special() {
		return dst, unknownEffect(rec)
	}
	return dst, nil
}

// xactEffects finds the relations that go with the end of a transaction. A
// PREPARE lists them too, but they stay until its COMMIT or ABORT PREPARED,
// which repeats the list.
func xactEffects(rec *walinspect.Record, dst []Effect) ([]Effect, error) {
	if !xactEnds(rec) {
		if rec.Special() {
			return dst, unknownEffect(rec)
		}
		return dst, nil
	}
	p := mainData(rec)
	p.skip(8) // when it ended
	if rec.Info&xactHasInfo == 0 || p.u32()&xinfoRelations == 0 && !p.short {
		return dst, nil
	}
	x, err := DecodeXact(rec)
	if err != nil {
		return dst, err
	}
	for _, rel := range x.Dropped {
		dst = append(dst, Effect{Kind: RelationDropped, Rel: pg.RelFork{RelFileLocator: rel}})
	}
	return dst, nil
}

// Flags of a TRUNCATE record (SMGR_TRUNCATE_ in
// src/include/catalog/storage_xlog.h).
const (
	truncateMain int32 = 1
	truncateVM   int32 = 2
	truncateFSM  int32 = 4
	truncateAll        = truncateMain | truncateVM | truncateFSM
)

func smgrEffects(rec *walinspect.Record, dst []Effect) ([]Effect, error) {
	p := mainData(rec)
	switch rec.Op() {
	case smgrCreate:
		rel := p.locator()
		fork := p.i32()
		if p.short || fork < 0 || fork > int32(pg.InitFork) {
			return dst, badPayload(rec, "a relation and its fork in 16")
		}
		return append(dst, Effect{Kind: RelationCreated, Rel: pg.RelFork{RelFileLocator: rel, Fork: pg.ForkNumber(fork)}}), nil
	case smgrTruncate:
		limit := pg.BlockNumber(p.u32())
		rel := p.locator()
		flags := p.i32()
		if p.short {
			return dst, badPayload(rec, "a length, a relation and flags in 20")
		}
		if flags == 0 || flags&^truncateAll != 0 {
			return dst, unknownEffect(rec)
		}
		return appendTruncation(dst, rel, limit, flags), nil
	}
	return dst, unknownEffect(rec)
}

// appendTruncation adds an effect for each fork that is cut. The record has
// the length of the main fork only. How many pages of the maps that leaves
// depends on the size of data pages, and pages before the new end change too
// (the last page of the visibility map, the upper levels of the free space
// map), so a cut map counts as cut to nothing.
func appendTruncation(dst []Effect, rel pg.RelFileLocator, limit pg.BlockNumber, flags int32) []Effect {
	cut := func(bit int32, fork pg.ForkNumber, limit pg.BlockNumber) {
		if flags&bit != 0 {
			dst = append(dst, Effect{Kind: RelationTruncated, Rel: pg.RelFork{RelFileLocator: rel, Fork: fork}, Limit: limit})
		}
	}
	cut(truncateMain, pg.MainFork, limit)
	cut(truncateFSM, pg.FSMFork, 0)
	cut(truncateVM, pg.VMFork, 0)
	return dst
}

func dbaseEffects(rec *walinspect.Record, dst []Effect) ([]Effect, error) {
	p := mainData(rec)
	op, drop := rec.Op(), dbaseDrop15
	if rec.Major() <= 14 {
		drop = dbaseDrop13
	}
	switch op {
	case dbaseCreate:
		e := Effect{Kind: DatabaseCreated, FileCopy: true, DB: p.oid(), Spc: p.oid(), SrcDB: p.oid(), SrcSpc: p.oid()}
		if p.short {
			return dst, badPayload(rec, "two databases and their tablespaces in 16")
		}
		return append(dst, e), nil
	case drop:
		db := p.oid()
		n := p.count(4)
		if p.short {
			return dst, badPayload(rec, "a database and its tablespaces")
		}
		for range n {
			dst = append(dst, Effect{Kind: DatabaseDropped, DB: db, Spc: p.oid()})
		}
		return dst, nil
	case dbaseCreateLog:
		e := Effect{Kind: DatabaseCreated, DB: p.oid(), Spc: p.oid()}
		if p.short {
			return dst, badPayload(rec, "a database and its tablespace in 8")
		}
		return append(dst, e), nil
	}
	return dst, unknownEffect(rec)
}

func tblspcEffects(rec *walinspect.Record, dst []Effect) ([]Effect, error) {
	p := mainData(rec)
	e := Effect{Kind: TablespaceCreated, Spc: p.oid()}
	switch {
	case rec.Special(), rec.Op() != tblspcCreate && rec.Op() != tblspcDrop:
		return dst, unknownEffect(rec)
	case p.short:
		return dst, badPayload(rec, "a tablespace in 4")
	case rec.Op() == tblspcDrop:
		e.Kind = TablespaceDropped
	default:
		if e.Path = p.cstring(); p.short {
			return dst, badPayload(rec, "a tablespace and the path of its directory")
		}
	}
	return append(dst, e), nil
}
