package rmgr

import "forkpoint/walinspect/pg"

func describeXact(d *describer) {
	kind, known := xactKind(d.op())
	if !known || kind == XactInvalidation && d.major < 14 {
		return
	}
	x, err := DecodeXact(d.rec)
	d.main.short = err != nil
	switch kind {
	case XactPrepare:
		describePrepare(d, &x)
	case XactAssignment:
		d.printf("xtop %d: subxacts:", x.XID)
		for _, xid := range x.Subxacts {
			d.printf(" %d", xid)
		}
	case XactInvalidation:
		d.invalidations(x.Invals, 0, 0, false)
	default:
		describeEnd(d, &x)
	}
}

// describeEnd is about commits and aborts. What an abort drops came to be
// printed behind its origin when both were added in 15.
func describeEnd(d *describer, x *Xact) {
	if x.TwoPhase {
		d.printf("%d: ", x.XID)
	}
	d.print(d.time(x.ended))
	d.dropped("rels", x.Dropped)
	d.subxacts(x.Subxacts)
	if !x.Kind.Commits() {
		if d.major >= 15 {
			d.origin(x)
			d.stats("", x.Stats)
		}
		return
	}
	d.stats("", x.Stats)
	d.invalidations(x.Invals, x.DB, x.Spc, x.InitFileInval)
	d.printIf(x.ApplyFeedback && d.major >= 15, "; apply_feedback")
	d.printIf(x.ForceSync, "; sync")
	d.origin(x)
}

func describePrepare(d *describer, x *Xact) {
	d.printf("gid %s: %s", x.GID, d.time(x.ended))
	d.dropped("rels(commit)", x.Dropped)
	d.dropped("rels(abort)", x.DroppedOnAbort)
	d.stats("commit ", x.Stats)
	d.stats("abort ", x.StatsOnAbort)
	d.subxacts(x.Subxacts)
	d.invalidations(x.Invals, x.DB, 0, x.InitFileInval)
	if d.major >= 15 {
		d.origin(x)
	}
}

func (d *describer) dropped(label string, rels []pg.RelFileLocator) {
	if len(rels) == 0 {
		return
	}
	d.printf("; %s:", label)
	for _, rel := range rels {
		d.print(" " + d.path(pg.RelFork{RelFileLocator: rel}))
	}
}

func (d *describer) subxacts(xids []pg.XID) {
	if len(xids) == 0 {
		return
	}
	d.print("; subxacts:")
	for _, xid := range xids {
		d.printf(" %d", xid)
	}
}

func (d *describer) stats(label string, items []StatsItem) {
	if len(items) == 0 {
		return
	}
	d.printf("; %sdropped stats:", label)
	for _, s := range items {
		d.printf(" %d/%d/%d", s.Kind, s.DB, s.Object)
	}
}

func (d *describer) origin(x *Xact) {
	if x.HasOrigin {
		d.printf("; origin: node %d, lsn %s, at %s", x.Origin, d.lsn(x.OriginLSN), d.time(x.originTime))
	}
}

// invalidations prints messages of 16 bytes (SharedInvalidationMessage in
// src/include/storage/sinval.h): a signed type first, at 4 a database, at 8
// what in it is no longer valid.
func (d *describer) invalidations(msgs []byte, db, spc pg.OID, initFile bool) {
	if len(msgs) == 0 {
		return
	}
	if initFile {
		d.printf("; relcache init file inval dbid %d tsid %d", db, spc)
	}
	d.print("; inval msgs:")
	for p := (payload{b: msgs}); p.left() >= invalSize; {
		kind := int8(p.u8())
		p.skip(3)
		inDB, object := p.oid(), p.oid()
		p.skip(4)
		switch {
		case kind >= 0:
			d.printf(" catcache %d", kind)
		case kind == -1:
			d.printf(" catalog %d", object)
		case kind == -2:
			d.printf(" relcache %d", object)
		case kind == -3:
			d.print(" smgr")
		case kind == -4:
			d.printf(" relmap db %d", inDB)
		case kind == -5:
			d.printf(" snapshot %d", object)
		case kind == -6 && d.major >= 18:
			d.printf(" relsync %d", object)
		default:
			d.printf(" unrecognized id %d", kind)
		}
	}
}
