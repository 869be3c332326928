package rmgr

import "forkpoint/walinspect/pgcontrol"

func describeXLOG(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case XLOGCheckpointShutdown, XLOGCheckpointOnline:
		describeCheckpoint(d)
	case XLOGNextOID:
		d.printf("%d", p.oid())
	case XLOGBackupEnd:
		d.print(d.lsn(p.lsn()))
	case XLOGParameterChange:
		describeParameters(d)
	case XLOGRestorePoint:
		p.skip(8) // when it was made
		d.print(p.fixedString(restorePointLen))
	case XLOGFPWChange:
		d.printf("%t", p.flag())
	case XLOGEndOfRecovery:
		end := p.time()
		d.printf("tli %d; prev tli %d; time %s", p.u32(), p.u32(), d.time(end))
		if d.major >= 17 {
			d.print("; wal_level " + walLevel(p.i32()))
		}
	case XLOGOverwriteContrecord:
		d.printf("lsn %s; time %s", d.lsn(p.lsn()), d.time(p.time()))
	case XLOGCheckpointRedo:
		if d.major >= 17 {
			d.print("wal_level " + walLevel(p.i32()))
		}
	case XLOGLogicalDecodingState:
		if d.major >= 19 {
			d.printf("%t", p.flag())
		}
	}
}

func describeCheckpoint(d *describer) {
	c, err := pgcontrol.DecodeCheckpoint(d.major, d.rec.Main)
	if err != nil {
		d.main.short = true
		return
	}
	d.printf("redo %s; tli %d; prev tli %d; fpw %t; ", d.lsn(c.Redo), c.Timeline, c.PrevTimeline, c.FullPageWrites)
	if d.major >= 17 {
		d.printf("wal_level %s; ", walLevel(int32(c.WALLevel)))
	}
	if d.major >= 19 {
		d.printf("logical decoding %t; ", c.LogicalDecoding)
	}
	d.printf("xid %s; oid %d; multi %d; offset %d; ", epochXID(c.NextXID), c.NextOID, c.NextMulti, c.NextMultiOffset)
	d.printf("oldest xid %d in DB %d; oldest multi %d in DB %d; ", c.OldestXID, c.OldestXIDDB, c.OldestMulti, c.OldestMultiDB)
	d.printf("oldest/newest commit timestamp xid: %d/%d; ", c.OldestCommitTS, c.NewestCommitTS)
	d.printf("oldest running xid %d; ", c.OldestActiveXID)
	if d.rec.Op() == XLOGCheckpointShutdown {
		d.print("shutdown")
	} else {
		d.print("online")
	}
}

func describeParameters(d *describer) {
	p := &d.main
	d.printf("max_connections=%d max_worker_processes=%d max_wal_senders=%d max_prepared_xacts=%d max_locks_per_xact=%d",
		p.i32(), p.i32(), p.i32(), p.i32(), p.i32())
	d.printf(" wal_level=%s wal_log_hints=%s track_commit_timestamp=%s", walLevel(p.i32()), onOff(p.flag()), onOff(p.flag()))
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// walLevel is the name of a level, or what descriptions have in place of one.
func walLevel(level int32) string {
	switch l := pgcontrol.WALLevel(level); l {
	case pgcontrol.WALLevelMinimal, pgcontrol.WALLevelReplica, pgcontrol.WALLevelLogical:
		return l.String()
	}
	return "?"
}
