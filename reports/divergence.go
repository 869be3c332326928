package reports

import (
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// DivergenceSchema names the JSON form of [Divergence].
const DivergenceSchema = "forkpoint/divergence/1"

// Divergence says where two clusters parted, what the target holds that the
// source does not, and what it takes to rewind it.
type Divergence struct {
	Schema       string            `json:"schema"`
	Verdict      Verdict           `json:"verdict"`
	Cluster      Cluster           `json:"cluster"`
	Target       Branch            `json:"target"`
	Source       Branch            `json:"source"`
	Fork         Fork              `json:"fork"`
	Checkpoint   *CommonCheckpoint `json:"last_common_checkpoint"` // null where none was found
	Transactions Transactions      `json:"transactions"`           // of the target
	Blocks       BlockTotals       `json:"blocks"`
	Relations    []RelationChange  `json:"relations"`
	SourceSide   []SourceChange    `json:"source_relations"` // what the source changed since the fork
	Definitions  []Definitions     `json:"definitions"`
	Events       []Event           `json:"events"` // files made, cut and removed on the target
	Rewind       RewindCost        `json:"rewind"`
	Coverage     []Covered         `json:"coverage"` // what the answer rests on
	Findings     Findings          `json:"findings"`
	Charts       Charts            `json:"-"` // for [Divergence.Page]
}

// Verdict is the answer in one word.
type Verdict string

const (
	// VerdictDiverged: the target has log that the source does not have.
	VerdictDiverged Verdict = "diverged"
	// VerdictBehind: the target can follow the source as it is.
	VerdictBehind Verdict = "behind"
	// VerdictUnknown: the target's log past the fork is not at hand.
	VerdictUnknown Verdict = "unknown"
	// VerdictSame: one timeline on both sides. Histories alone cannot tell
	// whether both wrote the same on it.
	VerdictSame Verdict = "same-timeline"
)

// Cluster is what both sides have in common.
type Cluster struct {
	SystemID    uint64         `json:"system_id,string"`
	Major       int            `json:"major"`
	BlockSize   uint32         `json:"block_size,omitempty"` // of data pages; the log alone does not tell
	SegmentSize pg.SegmentSize `json:"wal_segment_size"`
}

// Branch is one side and its log since the fork.
type Branch struct {
	Path             string        `json:"path,omitempty"` // data directory or server; empty where only the catalog was asked
	Timeline         pg.TimelineID `json:"timeline"`
	State            string        `json:"state,omitempty"` // of the control file
	Checkpoint       pg.LSN        `json:"checkpoint,omitzero"`
	MinRecoveryPoint pg.LSN        `json:"min_recovery_point,omitzero"`
	Reached          pg.LSN        `json:"reached,omitzero"` // how far the log goes at least, without reading it
	Known            bool          `json:"wal_known"`        // its log since the fork was at hand
	End              EndOfWAL      `json:"end_of_wal"`
	WALBytes         uint64        `json:"wal_bytes_since_fork"`
	Records          int64         `json:"records_since_fork"`
	Commits          int           `json:"commits_since_fork"`
	LastCommit       time.Time     `json:"last_commit,omitzero"`
}

// EndOfWAL is where a log ends and why.
type EndOfWAL struct {
	LSN     pg.LSN `json:"lsn"`    // end of the last valid record
	Reason  string `json:"reason"` // see [StopText]
	Natural bool   `json:"natural"`
	Detail  string `json:"detail,omitempty"`
}

// Fork is where the two parted.
type Fork struct {
	LSN      pg.LSN        `json:"lsn,omitzero"`    // left out where they have not parted
	Timeline pg.TimelineID `json:"timeline"`        // the last they share
	Target   pg.TimelineID `json:"target_timeline"` // on which each went on
	Source   pg.TimelineID `json:"source_timeline"`
	Earlier  []Ancestor    `json:"ancestors,omitempty"` // timelines before the last they share, the oldest first
}

// Ancestor is a timeline that both sides left together.
type Ancestor struct {
	Timeline pg.TimelineID `json:"timeline"`
	End      pg.LSN        `json:"end"`
}

// Covered is a part of one side's log and what tells about it.
type Covered struct {
	Side string `json:"side"` // target or source
	pg.Span
	Evidence string `json:"evidence"`         // wal (read now), index (the catalog), none
	Reason   string `json:"reason,omitempty"` // why there is none
}

// CommonCheckpoint is the last checkpoint before the fork: replay after a
// rewind starts at its redo point.
type CommonCheckpoint struct {
	LSN            pg.LSN        `json:"lsn"`
	Redo           pg.LSN        `json:"redo"`
	Timeline       pg.TimelineID `json:"timeline"`
	Time           time.Time     `json:"time"`
	Shutdown       bool          `json:"shutdown"`
	FullPageWrites bool          `json:"full_page_writes"`
}

// BlockTotals counts blocks of the target over all relations and forks. Blocks
// that a cut took away without a record naming them are not counted; Relations
// holds also those that were only made, cut or dropped.
type BlockTotals struct {
	SinceRedo uint64 `json:"since_redo"`
	SinceFork uint64 `json:"since_fork"`
	Relations int    `json:"relations_since_fork"`
	Source    uint64 `json:"source_since_fork"` // touched by the source
	Both      uint64 `json:"both_since_fork"`   // touched by both
}

// RelationName is what people call a relation.
type RelationName struct {
	pg.QualifiedName
	Kind   string            `json:"kind,omitempty"`   // table, index, ...
	Owner  *pg.QualifiedName `json:"owner,omitempty"`  // the table that an index or TOAST table serves
	Former bool              `json:"former,omitempty"` // the name is of a row version that does not count any more
}

// RelationChange is what happened to one fork of a relation on the target.
type RelationChange struct {
	pg.RelFork
	Name      *RelationName   `json:"name,omitempty"`
	Size      *int64          `json:"size_bytes,omitempty"` // of its files on the target; left out where no directory was asked
	Changes   []Change        `json:"changes,omitempty"`    // since the fork; of the main fork
	SinceRedo uint64          `json:"blocks_since_redo"`
	SinceFork uint64          `json:"blocks_since_fork"`
	Restored  uint64          `json:"blocks_restored_by_replay"` // of those touched only before the fork
	Source    uint64          `json:"blocks_source"`             // touched by the source since the fork
	Both      uint64          `json:"blocks_both"`
	CutTo     *pg.BlockNumber `json:"cut_to,omitempty"` // lowest length since the fork; 0 if made or dropped
	Activity  Activity        `json:"activity"`         // since the fork
}

// Change is something that happened to a relation as a whole.
type Change string

const (
	ChangeCreated   Change = "created"
	ChangeDropped   Change = "dropped"
	ChangeTruncated Change = "truncated" // its files were cut
	// ChangeReplaced: the relation got new files, as TRUNCATE, VACUUM FULL,
	// CLUSTER, REINDEX and ALTER TABLE do. ChangeOutdated: these are the old ones.
	ChangeReplaced Change = "rewritten"
	ChangeOutdated Change = "old-files"
	ChangeAdvanced Change = "advanced" // a sequence
	ChangeDatabase Change = "database" // made or dropped with its database
)

// SourceChange is what happened to one fork of a relation on the source since
// the fork.
type SourceChange struct {
	pg.RelFork
	Name     *RelationName   `json:"name,omitempty"`
	Blocks   uint64          `json:"blocks"`
	CutTo    *pg.BlockNumber `json:"cut_to,omitempty"`
	Activity Activity        `json:"activity"`
}

// Definitions counts the rows of a catalog that the target changed since the
// fork: DDL as the log shows it, rolled back or not.
type Definitions struct {
	Database string `json:"database,omitempty"` // empty for what all share
	Catalog  string `json:"catalog"`            // such as pg_proc
	Of       string `json:"of"`                 // what it describes, such as functions
	Inserts  int64  `json:"inserts"`
	Updates  int64  `json:"updates"`
	Deletes  int64  `json:"deletes"`
}

// Activity counts what records did.
type Activity struct {
	Records    int64 `json:"records"`
	Inserts    int64 `json:"inserts"`
	Updates    int64 `json:"updates"`
	HotUpdates int64 `json:"hot_updates"`
	Deletes    int64 `json:"deletes"`
	Images     int64 `json:"images"`
	ImageBytes int64 `json:"image_bytes"`
	WALBytes   int64 `json:"wal_bytes"`
}

// Event is a file operation or a change of settings since the fork.
type Event struct {
	Kind     blockmap.EventKind `json:"kind"`
	LSN      pg.LSN             `json:"lsn"`
	XID      pg.XID             `json:"xid,omitempty"`
	Relation *pg.RelFileLocator `json:"relation,omitempty"`
	Name     *RelationName      `json:"name,omitempty"`
	Blocks   *pg.BlockNumber    `json:"blocks,omitempty"` // length after a truncation
	Detail   string             `json:"detail,omitempty"`
}

// RewindCost is what a rewind would do. Exact holds where both data directories
// were compared; otherwise only the blocks that records name are counted, and
// neither whole files nor WAL.
type RewindCost struct {
	Needed    bool      `json:"needed"`
	Exact     bool      `json:"exact"`
	Forkpoint CopyCost  `json:"forkpoint"`          // forkpoint's rule
	PgRewind  CopyCost  `json:"pg_rewind"`          // every block touched since redo
	Replay    uint64    `json:"replay_bytes"`       // of WAL, from the redo point to the source's end
	Estimate  *Estimate `json:"estimate,omitempty"` // by forkpoint's rule; only where it is exact
	Files     *FileFate `json:"files,omitempty"`    // the same
}

// CopyCost is the cost by one rule.
type CopyCost struct {
	Blocks       uint64 `json:"blocks"`
	RelationData uint64 `json:"relation_bytes"`
	WAL          uint64 `json:"wal_bytes,omitempty"`
	Other        uint64 `json:"other_bytes,omitempty"`
	Total        uint64 `json:"total_bytes"`
}

// Estimate is how long a rewind and the replay after it would take, seconds.
type Estimate struct {
	Copy   float64 `json:"copy_seconds"`
	Replay float64 `json:"replay_seconds"`
	Basis  string  `json:"basis"`
}

// FileFate is what would become of the target's files.
type FileFate struct {
	Created     int      `json:"created"`
	Removed     int      `json:"removed"` // set aside as evidence
	SetAside    uint64   `json:"set_aside_bytes"`
	Kept        []string `json:"kept"`        // of the target, though the source has others
	Overwritten []string `json:"overwritten"` // settings and the like that become the source's
	LostSlots   []string `json:"lost_slots"`  // replication slots
}
