package plan

import (
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// Schema names the form of the JSON that a plan is stored and printed in.
const Schema = "forkpoint/plan/1"

// Plan is everything a rewind will do to the target.
type Plan struct {
	Schema     string             `json:"schema"`
	Fork       timeline.ForkPoint `json:"fork"`
	Checkpoint Checkpoint         `json:"checkpoint"` // last one that both clusters share
	Label      Checkpoint         `json:"label"`      // where replay will start: the same, or older for a standby source
	TargetEnd  pg.LSN             `json:"target_end"` // end of the target's log
	Rule       Rule               `json:"rule"`
	Actions    []Action           `json:"actions"`
	Totals     Totals             `json:"totals"`
	Spared     []Spared           `json:"spared,omitempty"`     // blocks left to replay, with proof
	Kept       []string           `json:"kept,omitempty"`       // files of the target that stay though the source has others
	LostSlots  []string           `json:"lost_slots,omitempty"` // replication slots that a rewind drops
	SharedWAL  []string           `json:"-"`                    // segments that both sides have and that stay
	KeptWAL    []string           `json:"kept_wal,omitempty"`   // segments that only the target has and replay needs

	// TargetControl is the target's control file as the plan found it, without
	// the zeros that fill it up. A run
	// that was interrupted after it had replaced the file is resumed from it.
	TargetControl []byte `json:"target_control,omitempty"`
}

// Checkpoint is a checkpoint record and where replay from it begins.
type Checkpoint struct {
	LSN      pg.LSN        `json:"lsn"`
	Redo     pg.LSN        `json:"redo"`
	Timeline pg.TimelineID `json:"timeline"`
}

// Rule says which of the blocks touched before the fork are copied.
type Rule string

const (
	// Exact leaves to replay what replay restores from the log alone.
	Exact Rule = "exact"
	// Classic copies every block touched since redo, as pg_rewind does.
	Classic Rule = "classic"
)

// String, Set and Type make a Rule a command-line flag value.
func (r Rule) String() string { return string(r) }

// Set reads a rule by its name.
func (r *Rule) Set(s string) error {
	if s != string(Exact) && s != string(Classic) {
		return fmt.Errorf("want %s or %s", Exact, Classic)
	}
	*r = Rule(s)
	return nil
}

// Type names the value in help.
func (r Rule) Type() string { return "rule" }

// Kind is what an action does. The kinds are declared in execution order:
// links and directories come before what lies in them, and nothing is removed before all
// that is copied has arrived.
type Kind uint8

const (
	MakeLink  Kind = iota // a tablespace link that only the source has
	MakeDir               // a directory that only the source has
	FetchWAL              // a segment or history file that replay needs
	CopyFile              // a file that is not relation data, or a relation file the target lacks
	CopyForks             // a free space map, visibility map or init fork
	Blocks                // some blocks of a relation file, and its length
	SetAside              // a file that leaves the data directory
	RemoveDir             // a directory that only the target has
)

var kindNames = [...]string{"make-link", "make-dir", "fetch-wal", "copy-file", "copy-fork", "blocks", "set-aside", "remove-dir"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText names the kind in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the reverse of [Kind.MarshalText].
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("unknown kind of action %q", b)
	}
	*k = Kind(i)
	return nil
}

// Action is what happens to one file.
type Action struct {
	Kind       Kind   `json:"kind"`
	Path       string `json:"path"`                  // relative to the data directory, with slashes
	Size       int64  `json:"size,omitempty"`        // bytes at the source
	TargetSize int64  `json:"target_size,omitempty"` // bytes at the target; 0 when it has none
	Link       string `json:"link,omitempty"`        // MakeLink: where it leads
	Reason     Reason `json:"reason"`

	// Blocks of this file that are copied, counted from the start of the file.
	// Blocks past the shorter of the two files are not among them: the tail
	// [TargetSize, Size) is copied whole, or the file is cut to Size.
	Blocks *blockmap.Set `json:"blocks,omitempty"`
	Why    *Why          `json:"why,omitempty"` // of the blocks
}

// Why counts the blocks of an action by what proved that they must be copied.
// A block that several reasons name is counted under the first.
type Why struct {
	After    uint64 `json:"after"`    // touched at or after the fork
	Unproven uint64 `json:"unproven"` // touched before it, not restored by replay
	Hinted   uint64 `json:"hinted"`   // may carry hints that no log tells of
	Spared   uint64 `json:"spared"`   // touched before it, left to replay
}

// Reason is why an action is in the plan, as a short code.
type Reason string

const (
	ReasonSourceOnly  Reason = "only-at-source"
	ReasonTargetOnly  Reason = "only-at-target"
	ReasonNotRelation Reason = "not-relation-data"
	ReasonSideFork    Reason = "side-fork"
	ReasonChanged     Reason = "changed-blocks"
	ReasonReplay      Reason = "needed-for-replay"
	ReasonDiverged    Reason = "diverged-wal"
	ReasonExcluded    Reason = "not-kept-by-a-rewind"
)

// Totals sums a plan up. All sizes are bytes.
type Totals struct {
	Files        int    `json:"files"`         // files that an action touches
	Copied       int64  `json:"copied"`        // most that will be read from the source
	RelationData int64  `json:"relation_data"` // of that: blocks and tails of relations
	WAL          int64  `json:"wal"`           // of that: segments for replay
	Other        int64  `json:"other"`         // of that: everything else
	SetAside     int64  `json:"set_aside"`     // leaves the data directory for the evidence bundle
	PreImages    int64  `json:"pre_images"`    // most that undo will have to keep
	Growth       int64  `json:"growth"`        // most that the target's file systems will have to hold in addition
	SourceSize   int64  `json:"source_size"`   // of all files of the source
	Same         int64  `json:"same"`          // of files that were read on both sides and hold the same
	SameFiles    int    `json:"same_files"`    // these files, which no action touches
	Blocks       uint64 `json:"blocks"`        // copied one by one
	Why          Why    `json:"why"`
	Classic      uint64 `json:"classic_blocks"` // that pg_rewind's rule would copy
}

// count adds one action to the totals.
func (t *Totals) count(a Action, blockSize int64) {
	t.Files++
	grow := max(0, a.Size-a.TargetSize)
	switch a.Kind {
	case MakeDir, MakeLink, RemoveDir:
	case FetchWAL:
		t.WAL += a.Size
		t.Copied += a.Size
		t.PreImages += a.TargetSize
		t.Growth += grow
	case CopyFile, CopyForks:
		t.Other += a.Size
		t.Copied += a.Size
		t.PreImages += a.TargetSize
		t.Growth += grow
	case Blocks:
		bytes := grow
		if a.Blocks != nil {
			bytes += int64(a.Blocks.Len()) * blockSize
			t.Blocks += a.Blocks.Len()
		}
		t.RelationData += bytes
		t.Copied += bytes
		t.PreImages += bytes - grow + max(0, a.TargetSize-a.Size)
		t.Growth += grow
	case SetAside:
		t.SetAside += a.TargetSize
	}
	if a.Why != nil {
		t.Why.After += a.Why.After
		t.Why.Unproven += a.Why.Unproven
		t.Why.Hinted += a.Why.Hinted
		t.Why.Spared += a.Why.Spared
	}
}
