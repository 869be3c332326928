package rewind

import (
	"context"
	"log/slog"
	"time"

	"forkpoint/blockmap"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// BlockIndex answers what a range of the log says. It is the only way in which
// a rewind learns of changed blocks, so that segments that were indexed while
// they existed count as much as those that are still there.
type BlockIndex interface {
	// Touched gathers what the records that begin in span do, in the order of
	// the log. Gaps that no evidence covers are named in the facts; they are
	// not an error, for only the caller knows what it needs.
	Touched(ctx context.Context, path timeline.Path, span pg.Span) (*Facts, error)
	// Marks is Touched without blocks and transactions: gaps, the end,
	// checkpoints and events. It takes little memory however long the log.
	Marks(ctx context.Context, path timeline.Path, span pg.Span) (*Facts, error)
	// Blocks is Touched with more evidence for blocks: WAL summaries fill what
	// would be gaps. Of these parts, Facts.BlocksOnly, nothing else is known.
	Blocks(ctx context.Context, path timeline.Path, span pg.Span) (*Facts, error)
	// TouchedBy gathers the blocks that records of the given transactions
	// touch; a gap in the span is an error.
	TouchedBy(ctx context.Context, path timeline.Path, span pg.Span, xids []pg.XID) (*blockmap.Map, error)
}

// Facts is what a range of the log says.
type Facts struct {
	Blocks      *blockmap.Map
	Restored    []plan.Restored // what Blocks has restored, by segment
	Checkpoints []blockmap.Checkpoint
	Xacts       []blockmap.Xact
	Events      []blockmap.Event
	Snapshots   []blockmap.Snapshot
	XIDs        []blockmap.XIDActivity
	Gaps        []Gap
	BlocksOnly  []pg.Span
	End         pg.LSN // end of the last record read
	Stop        string // why reading ended, see walinspect.StopReason
	StopDetail  string
	Segments    int
	Bytes       int64
	Kept        any // what the index wants to find here again, see [Examination]
}

// Gap is a part of the log that nothing tells about.
type Gap struct {
	Span   pg.Span
	Reason string
}

// Config is what a rewind is to do. Target, Source, NewIndex and StateDir
// must be set.
type Config struct {
	Target   *datadir.Dir
	Source   source.Source
	Archives segment.Source  // where the log of either side may lie besides; may be nil
	Known    lineage.Digests // of segments that the target had; may be nil
	// NewIndex reads a log through the catalog; stored tells whether what the
	// catalog has of segments whose files are gone counts too.
	NewIndex func(wal segment.Source, stored bool) BlockIndex
	StateDir string    // journal and evidence; made when missing
	FS       target.FS // through which all is written; nil is the real one

	DryRun            bool
	Rule              plan.Rule         // zero is [plan.Exact]
	Keep              []string          // globs of files that stay as the target has them
	TablespaceMap     map[string]string // source's link target to the target's
	WriteRecoveryConf bool              // -R
	KeepForkSegment   bool              // see [plan.Input]
	DropUnknownWAL    bool              // see [plan.Input]
	Undo              bool              // keep pre-images
	UndoOptional      bool              // without room for them go on, rather than refuse
	Resume            bool              // refuse where no interrupted rewind is to be gone on with
	Sync              bool
	SyncFS            bool
	AllowUnclean      bool // a target that crashed needs no recovery first
	TrustHistory      bool // one timeline and nothing to compare counts as the same log, as it does for pg_rewind
	AsRecovered       bool // a crash right at the fork counts as past it: recovery would have written a checkpoint there

	Commands Commands

	Log      *slog.Logger
	Progress func(Progress) // called often; may be nil
	Event    func(Event)    // may be nil
	// Evidence writes reports on what was found into a directory of the evidence
	// bundle, before anything of the target changes; may be nil.
	Evidence     func(ctx context.Context, dir string, found *Examination) error
	EvidenceSize int64 // about how many bytes these are
	Now          func() time.Time
}

// Result is what a rewind did, or would do.
type Result struct {
	Schema  string `json:"schema"` // forkpoint/rewind/1
	Needed  bool   `json:"needed"`
	Why     string `json:"why,omitempty"` // when it was not needed
	DryRun  bool   `json:"dry_run"`
	Resumed bool   `json:"resumed"`

	Plan        *plan.Plan `json:"plan,omitempty"`
	Journal     string     `json:"journal,omitempty"` // directory of journal and evidence
	Recovery    bool       `json:"recovery_settings_written"`
	MinRecovery pg.LSN     `json:"min_recovery_point"`
	BundleSize  int64      `json:"bundle_bytes"` // most that journal and evidence were foretold to take
	Written     Written    `json:"written"`
	Times       []Timed    `json:"times"`
	Notes       []string   `json:"notes,omitempty"` // what the operator should know or do next

	Certificate *Certificate `json:"certificate,omitempty"` // of a caller that verified the target
}

// ResultSchema names the form of a [Result] in JSON.
const ResultSchema = "forkpoint/rewind/1"

// Written counts bytes that a run moved.
type Written struct {
	FromSource int64 `json:"from_source"` // read there
	ToTarget   int64 `json:"to_target"`   // written into the data directory
	PreImages  int64 `json:"pre_images"`  // written into the journal
	Equal      int64 `json:"equal"`       // of whole files that were compared and found the same
	Holes      int64 `json:"holes"`       // zeros that became holes in the target's files
}

// Timed is how long a phase took, and parts of it that are worth telling.
type Timed struct {
	Phase   Phase         `json:"phase"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Parts   []Part        `json:"parts,omitempty"`
}

// Part is how long a part of a phase took. Parts do not overlap.
type Part struct {
	Name    string        `json:"part"` // one of the names below
	Elapsed time.Duration `json:"elapsed_ns"`
}

// Names of parts. They appear in JSON and are part of the interface.
const (
	PartCompare  = "compare"   // plan: files of both sides that may be the same
	PartFetch    = "fetch"     // stage, copy: bytes from the source
	PartProof    = "proof"     // stage: every record that replay needs
	PartOldBytes = "old-bytes" // copy: pre-images, read, written and flushed
	PartWrite    = "write"     // copy: into the target
	PartReports  = "reports"   // copy: of the evidence bundle
	PartFlush    = "flush"     // sync: of the target
	PartManifest = "manifest"  // seal: of the evidence bundle
)
