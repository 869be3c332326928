package indexer

import (
	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// interpret takes in what a record says beyond its block references.
func (x *extract) interpret(rec *walinspect.Record) error {
	if kind, at, plain := rmgr.PlainEnd(rec); plain {
		x.seg.Xacts = append(x.seg.Xacts, blockmap.Xact{LSN: rec.LSN, End: rec.End, XID: rec.XID, Time: at})
		if kind == rmgr.XactAbort {
			x.seg.Xacts[len(x.seg.Xacts)-1].Kind = blockmap.Abort
		}
		return nil
	}
	var err error
	if x.effects, err = rmgr.Effects(rec, x.effects[:0]); err != nil {
		return err
	}
	for i := range x.effects {
		x.apply(rec, &x.effects[i])
	}
	switch rec.Rmgr {
	case pg.RmgrXact:
		return x.addXact(rec)
	case pg.RmgrStandby:
		if rec.Op() == rmgr.StandbyRunningXacts {
			return x.addSnapshot(rec)
		}
	case pg.RmgrXLOG:
		return x.addXLOG(rec)
	}
	return nil
}

const allForks = 1<<pg.MainFork | 1<<pg.FSMFork | 1<<pg.VMFork | 1<<pg.InitFork

// apply takes in one effect: in the map, where it touches blocks, and as an
// event. The cuts of several forks of one relation by one record are one event.
func (x *extract) apply(rec *walinspect.Record, e *rmgr.Effect) {
	ev := blockmap.Event{LSN: rec.LSN, XID: rec.XID}
	switch e.Kind {
	case rmgr.RelationCreated:
		x.blocks.Fork(e.Rel).Cut(0)
		if e.Rel.Fork == pg.InitFork {
			// The relation is unlogged: of its main fork nothing is logged, not
			// even that it was made, and another relation may have had its number.
			x.blocks.Fork(pg.RelFork{RelFileLocator: e.Rel.RelFileLocator}).Cut(0)
		}
		ev.Kind, ev.Rel, ev.Forks = blockmap.RelationCreated, e.Rel.RelFileLocator, 1<<e.Rel.Fork
	case rmgr.RelationTruncated:
		x.blocks.Fork(e.Rel).Cut(e.Limit)
		if last := x.lastEvent(rec, blockmap.RelationTruncated); last != nil && last.Rel == e.Rel.RelFileLocator {
			last.Forks |= 1 << e.Rel.Fork
			return
		}
		ev.Kind, ev.Rel, ev.Forks, ev.Limit = blockmap.RelationTruncated, e.Rel.RelFileLocator, 1<<e.Rel.Fork, e.Limit
	case rmgr.RelationDropped:
		for fork := pg.MainFork; fork <= pg.InitFork; fork++ {
			x.blocks.Fork(pg.RelFork{RelFileLocator: e.Rel.RelFileLocator, Fork: fork}).Cut(0)
		}
		ev.Kind, ev.Rel, ev.Forks = blockmap.RelationDropped, e.Rel.RelFileLocator, allForks
	case rmgr.DatabaseCreated:
		x.blocks.CutDatabase(e.Spc, e.DB)
		ev.Kind, ev.Spc, ev.DB, ev.SourceSpc, ev.SourceDB = blockmap.DatabaseCreated, e.Spc, e.DB, e.SrcSpc, e.SrcDB
	case rmgr.DatabaseDropped:
		x.blocks.CutDatabase(e.Spc, e.DB)
		ev.Kind, ev.Spc, ev.DB = blockmap.DatabaseDropped, e.Spc, e.DB
	case rmgr.TablespaceCreated:
		ev.Kind, ev.Spc, ev.Path = blockmap.TablespaceCreated, e.Spc, e.Path
	case rmgr.TablespaceDropped:
		ev.Kind, ev.Spc = blockmap.TablespaceDropped, e.Spc
	}
	x.event(ev)
}

func (x *extract) event(e blockmap.Event) { x.seg.Events = append(x.seg.Events, e) }

// lastEvent returns the event before if it is of the same record and kind.
func (x *extract) lastEvent(rec *walinspect.Record, kind blockmap.EventKind) *blockmap.Event {
	n := len(x.seg.Events)
	if n == 0 || x.seg.Events[n-1].LSN != rec.LSN || x.seg.Events[n-1].Kind != kind {
		return nil
	}
	return &x.seg.Events[n-1]
}

func xactKind(k rmgr.XactKind) (kind blockmap.XactKind, known bool) {
	switch k {
	case rmgr.XactCommit:
		return blockmap.Commit, true
	case rmgr.XactAbort:
		return blockmap.Abort, true
	case rmgr.XactPrepare:
		return blockmap.Prepare, true
	case rmgr.XactCommitPrepared:
		return blockmap.CommitPrepared, true
	case rmgr.XactAbortPrepared:
		return blockmap.AbortPrepared, true
	}
	return 0, false
}

func (x *extract) addXact(rec *walinspect.Record) error {
	d, err := rmgr.DecodeXact(rec)
	if err != nil {
		return err
	}
	if d.Kind == rmgr.XactAssignment {
		x.seg.Assignments = append(x.seg.Assignments, blockmap.Assignment{LSN: rec.LSN, Top: d.XID, Subs: d.Subxacts})
		return nil
	}
	kind, known := xactKind(d.Kind)
	if !known {
		return nil
	}
	rest := blockmap.XactRest{Subxacts: d.Subxacts, Dropped: len(d.Dropped), GID: d.GID, Origin: d.Origin, OriginLSN: d.OriginLSN}
	x.seg.Xacts = append(x.seg.Xacts, blockmap.Xact{
		Kind: kind, LSN: rec.LSN, End: rec.End, XID: d.XID, DB: d.DB, Time: d.Time, Rest: rest.OrNil(),
	})
	return nil
}

func (x *extract) addSnapshot(rec *walinspect.Record) error {
	d, err := rmgr.DecodeRunningXacts(rec)
	if err != nil {
		return err
	}
	x.seg.Snapshots = append(x.seg.Snapshots, blockmap.Snapshot{
		LSN: rec.LSN, Next: d.NextXID, OldestRunning: d.OldestRunningXID, LatestCompleted: d.LatestCompletedXID,
		XIDs: d.XIDs, Subxacts: d.Subxacts, Overflow: d.SubxactsOverflowed,
	})
	return nil
}

func (x *extract) addXLOG(rec *walinspect.Record) error {
	ev := blockmap.Event{LSN: rec.LSN, XID: rec.XID}
	switch rec.Op() {
	case rmgr.XLOGCheckpointShutdown, rmgr.XLOGCheckpointOnline:
		return x.addCheckpoint(rec)
	case rmgr.XLOGParameterChange:
		d, err := rmgr.DecodeParameterChange(rec)
		if err != nil {
			return err
		}
		ev.Kind = blockmap.ParameterChange
		ev.Parameters = &blockmap.Parameters{
			MaxConnections: d.MaxConnections, MaxWorkers: d.MaxWorkerProcesses, MaxWALSenders: d.MaxWALSenders,
			MaxPreparedXacts: d.MaxPreparedXacts, MaxLocksPerXact: d.MaxLocksPerXact,
			WALLevel: int32(d.WALLevel), WALLogHints: d.WALLogHints, TrackCommitTime: d.TrackCommitTimestamp,
		}
	case rmgr.XLOGFPWChange:
		on, err := rmgr.DecodeFPWChange(rec)
		if err != nil {
			return err
		}
		ev.Kind, ev.On = blockmap.FullPageWritesChange, on
	case rmgr.XLOGEndOfRecovery:
		d, err := rmgr.DecodeEndOfRecovery(rec)
		if err != nil {
			return err
		}
		ev.Kind, ev.Time, ev.Timeline, ev.PrevTimeline = blockmap.EndOfRecovery, d.Time, d.Timeline, d.PrevTimeline
	case rmgr.XLOGRestorePoint:
		d, err := rmgr.DecodeRestorePoint(rec)
		if err != nil {
			return err
		}
		ev.Kind, ev.Name, ev.Time = blockmap.RestorePoint, d.Name, d.Time
	case rmgr.XLOGBackupEnd:
		at, err := rmgr.DecodeBackupEnd(rec)
		if err != nil {
			return err
		}
		ev.Kind, ev.At = blockmap.BackupEnd, at
	case rmgr.XLOGOverwriteContrecord:
		d, err := rmgr.DecodeOverwrite(rec)
		if err != nil {
			return err
		}
		ev.Kind, ev.At, ev.Time = blockmap.OverwrittenContrecord, d.LSN, d.Time
	case rmgr.XLOGSwitch:
		ev.Kind = blockmap.Switch
	default:
		return nil
	}
	x.event(ev)
	return nil
}

func (x *extract) addCheckpoint(rec *walinspect.Record) error {
	d, err := rmgr.DecodeCheckpoint(rec)
	if err != nil {
		return err
	}
	level := int32(-1)
	if rec.Major() >= 17 {
		level = int32(d.WALLevel)
	}
	x.seg.Checkpoints = append(x.seg.Checkpoints, blockmap.Checkpoint{
		LSN: rec.LSN, End: rec.End, Redo: d.Redo, Timeline: d.Timeline, PrevTimeline: d.PrevTimeline,
		Shutdown: rec.Op() == rmgr.XLOGCheckpointShutdown, FullPageWrites: d.FullPageWrites, WALLevel: level,
		NextXID: d.NextXID, OldestXID: d.OldestXID, OldestActive: d.OldestActiveXID, Time: d.Time,
	})
	return nil
}
