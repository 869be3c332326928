package blockmap

import (
	"time"

	"forkpoint/walinspect/pg"
)

// EventKind names an [Event]. The names are stored and appear in reports.
type EventKind string

const (
	RelationCreated       EventKind = "relation-created"
	RelationTruncated     EventKind = "relation-truncated"
	RelationDropped       EventKind = "relation-dropped"
	DatabaseCreated       EventKind = "database-created"
	DatabaseDropped       EventKind = "database-dropped"
	TablespaceCreated     EventKind = "tablespace-created"
	TablespaceDropped     EventKind = "tablespace-dropped"
	ParameterChange       EventKind = "parameter-change"
	FullPageWritesChange  EventKind = "full-page-writes"
	EndOfRecovery         EventKind = "end-of-recovery"
	RestorePoint          EventKind = "restore-point"
	BackupEnd             EventKind = "backup-end"
	Switch                EventKind = "switch"
	TimelineBegin         EventKind = "timeline-begin"
	OverwrittenContrecord EventKind = "overwritten-contrecord"
)

// Event is something in the log that concerns files, settings or timelines
// rather than single blocks. Which fields are set depends on the kind.
type Event struct {
	Kind EventKind
	LSN  pg.LSN
	XID  pg.XID

	// Relation events. Forks holds one bit per fork number. Limit is the
	// length in blocks that the main fork was cut to.
	Rel   pg.RelFileLocator
	Forks uint8
	Limit pg.BlockNumber

	// Database and tablespace events: Spc and DB, and for a database made by
	// file copy the directory it was copied from.
	Spc, DB             pg.OID
	SourceSpc, SourceDB pg.OID
	Path                string // of a new tablespace

	// ParameterChange.
	Parameters *Parameters

	// FullPageWritesChange: the new state.
	On bool

	// EndOfRecovery: what the record says. TimelineBegin: of the page on which
	// the record begins, and of the page of the record before.
	Timeline, PrevTimeline pg.TimelineID

	// EndOfRecovery, RestorePoint, OverwrittenContrecord.
	Time time.Time
	// RestorePoint: its name.
	Name string
	// OverwrittenContrecord: where the record began whose rest was lost.
	// BackupEnd: where the backup began. TimelineBegin: the last record on
	// pages of the timeline before.
	At pg.LSN
}

// Parameters are the server settings that the log carries
// (XLOG_PARAMETER_CHANGE).
type Parameters struct {
	MaxConnections   int32 `json:"max_connections"`
	MaxWorkers       int32 `json:"max_worker_processes"`
	MaxWALSenders    int32 `json:"max_wal_senders"`
	MaxPreparedXacts int32 `json:"max_prepared_transactions"`
	MaxLocksPerXact  int32 `json:"max_locks_per_transaction"`
	WALLevel         int32 `json:"wal_level"`
	WALLogHints      bool  `json:"wal_log_hints"`
	TrackCommitTime  bool  `json:"track_commit_timestamp"`
}
