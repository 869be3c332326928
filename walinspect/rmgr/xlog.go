package rmgr

import (
	"fmt"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// DecodeCheckpoint reads a checkpoint record, online or at shutdown.
func DecodeCheckpoint(rec *walinspect.Record) (pgcontrol.Checkpoint, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGCheckpointShutdown, XLOGCheckpointOnline); err != nil {
		return pgcontrol.Checkpoint{}, err
	}
	c, err := pgcontrol.DecodeCheckpoint(rec.Major(), rec.Main)
	if err != nil {
		return c, fmt.Errorf("record at %s on timeline %d: %w", rec.LSN, rec.Timeline, err)
	}
	return c, nil
}

// ParameterChange are the settings that a standby must match or that tell how
// much the log holds, written when one of them changed over a restart
// (xl_parameter_change in src/include/access/xlog_internal.h).
type ParameterChange struct {
	MaxConnections       int32
	MaxWorkerProcesses   int32
	MaxWALSenders        int32
	MaxPreparedXacts     int32
	MaxLocksPerXact      int32
	WALLevel             pgcontrol.WALLevel
	WALLogHints          bool
	TrackCommitTimestamp bool
}

// DecodeParameterChange reads a PARAMETER_CHANGE record.
func DecodeParameterChange(rec *walinspect.Record) (ParameterChange, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGParameterChange); err != nil {
		return ParameterChange{}, err
	}
	p := mainData(rec)
	c := ParameterChange{
		MaxConnections:       p.i32(),
		MaxWorkerProcesses:   p.i32(),
		MaxWALSenders:        p.i32(),
		MaxPreparedXacts:     p.i32(),
		MaxLocksPerXact:      p.i32(),
		WALLevel:             pgcontrol.WALLevel(p.i32()),
		WALLogHints:          p.flag(),
		TrackCommitTimestamp: p.flag(),
	}
	return c, p.check(rec)
}

// EndOfRecovery is where a promoted server began its timeline
// (xl_end_of_recovery in src/include/access/xlog_internal.h).
type EndOfRecovery struct {
	Time         time.Time
	Timeline     pg.TimelineID
	PrevTimeline pg.TimelineID
	WALLevel     pgcontrol.WALLevel // 17 and later
	end          stamp
}

// DecodeEndOfRecovery reads an END_OF_RECOVERY record.
func DecodeEndOfRecovery(rec *walinspect.Record) (EndOfRecovery, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGEndOfRecovery); err != nil {
		return EndOfRecovery{}, err
	}
	p := mainData(rec)
	e := EndOfRecovery{end: p.time(), Timeline: pg.TimelineID(p.u32()), PrevTimeline: pg.TimelineID(p.u32())}
	e.Time = e.end.Time()
	if rec.Major() >= 17 {
		e.WALLevel = pgcontrol.WALLevel(p.i32())
	}
	return e, p.check(rec)
}

// DecodeFPWChange reads an FPW_CHANGE record: whether full_page_writes is on
// from here.
func DecodeFPWChange(rec *walinspect.Record) (bool, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGFPWChange); err != nil {
		return false, err
	}
	p := mainData(rec)
	on := p.flag()
	return on, p.check(rec)
}

// RestorePoint is a named place that recovery can stop at (xl_restore_point
// in src/include/access/xlog_internal.h).
type RestorePoint struct {
	Name string
	Time time.Time
}

// restorePointLen is MAXFNAMELEN, the length of the name's array.
const restorePointLen = 64

// DecodeRestorePoint reads a RESTORE_POINT record.
func DecodeRestorePoint(rec *walinspect.Record) (RestorePoint, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGRestorePoint); err != nil {
		return RestorePoint{}, err
	}
	p := mainData(rec)
	r := RestorePoint{Time: p.time().Time(), Name: p.fixedString(restorePointLen)}
	return r, p.check(rec)
}

// Overwrite is a record that took the place of a lost continuation
// (xl_overwrite_contrecord in src/include/access/xlog_internal.h).
type Overwrite struct {
	LSN  pg.LSN // start of the record that was given up
	Time time.Time
	at   stamp
}

// DecodeOverwrite reads an OVERWRITE_CONTRECORD record.
func DecodeOverwrite(rec *walinspect.Record) (Overwrite, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGOverwriteContrecord); err != nil {
		return Overwrite{}, err
	}
	p := mainData(rec)
	o := Overwrite{LSN: p.lsn(), at: p.time()}
	o.Time = o.at.Time()
	return o, p.check(rec)
}

// DecodeBackupEnd reads a BACKUP_END record: where the backup began.
func DecodeBackupEnd(rec *walinspect.Record) (pg.LSN, error) {
	if err := expect(rec, pg.RmgrXLOG, XLOGBackupEnd); err != nil {
		return pg.InvalidLSN, err
	}
	p := mainData(rec)
	lsn := p.lsn()
	return lsn, p.check(rec)
}
