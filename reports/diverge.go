package reports

import (
	"fmt"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// Log is what a range of one side's log says, in the order of the log.
type Log struct {
	Span        pg.Span
	Touched     *blockmap.Map
	Activity    map[pg.RelFork]blockmap.Activity
	Checkpoints []blockmap.Checkpoint
	Events      []blockmap.Event
	Ledger      *Ledger
	Records     int64
	Coverage    []Covered // without the side
	Gaps        []Gap
	Widened     []pg.Span // where only whole segments are known, so that counts are too high
	BlocksOnly  []pg.Span // where only blocks are known, from WAL summaries
	End         EndOfWAL
}

// ledger is nil where there is no log.
func (l *Log) ledger() *Ledger {
	if l == nil {
		return nil
	}
	return l.Ledger
}

// Gap is a part of the log that nothing tells about.
type Gap struct {
	pg.Span
	Reason string `json:"reason"`
}

// Node is one of the two clusters that are compared.
type Node struct {
	Path             string
	Timeline         pg.TimelineID
	State            string
	Clean            bool // shut down in good order
	Running          bool
	Checkpoint       pg.LSN
	MinRecoveryPoint pg.LSN
	Reached          pg.LSN // end of a live server's WAL; 0 where it was not asked
	HintsLogged      bool   // checksums or wal_log_hints
	HasControl       bool   // the fields above but Path and Timeline are known
}

// DivergenceInput is what a [Divergence] is made from.
type DivergenceInput struct {
	Cluster        Cluster
	Target, Source Node
	Fork           timeline.ForkPoint
	Checkpoint     *blockmap.Checkpoint // last before the fork, nil if none was found
	Before         *Log                 // of the target, from redo to the fork; nil without a checkpoint
	After          *Log                 // of the target, from the fork to its end
	SourceAfter    *Log                 // of the source; nil where its log is not at hand
	Earlier        []Ancestor
	Rewind         *RewindCost          // of the files themselves; nil to count blocks only
	Sizes          map[pg.RelFork]int64 // of the target's files, bytes; nil where they are not at hand
	Names          Names                // of the target's relations; may be nil
	SourceNames    Names                // of the source's
	Problems       Findings             // what would keep a rewind from being done
}

// Names finds what people call things by their numbers.
type Names interface {
	Relation(pg.RelFileLocator) (RelationName, bool)
	Database(pg.OID) (string, bool)
	Tablespace(pg.OID) (string, bool)
}

// Diverge judges what was gathered.
func Diverge(in DivergenceInput) *Divergence {
	if in.Names == nil {
		in.Names = noNames{}
	}
	if in.SourceNames == nil {
		in.SourceNames = noNames{}
	}
	d := &Divergence{
		Schema:  DivergenceSchema,
		Cluster: in.Cluster,
		Target:  branch(in.Target, in.Fork.LSN, in.After),
		Source:  branch(in.Source, in.Fork.LSN, in.SourceAfter),
		Fork:    Fork{in.Fork.LSN, in.Fork.Timeline, in.Fork.Target, in.Fork.Source, in.Earlier},
	}
	if in.Fork.Same() {
		return d.sameTimeline(in)
	}
	if c := in.Checkpoint; c != nil {
		d.Checkpoint = &CommonCheckpoint{c.LSN, c.Redo, c.Timeline, c.Time, c.Shutdown, c.FullPageWrites}
	}
	d.Verdict = in.Verdict()
	d.Transactions = gatherTransactions(in.After)
	d.Events = events(in.After, in.Names)
	d.relations(in)
	d.sourceRelations(in)
	d.Definitions = definitions(d.Relations)
	d.Charts = chartsOf(in, d.Relations)
	d.cost(in)
	d.Coverage = coverage(in)
	d.Findings = append(findDivergence(in, d), in.Problems...)
	d.Findings.sort()
	return d
}

// Verdict is the answer in one word. A checkpoint that a target wrote at its
// shutdown is log past the fork too: then its pages may be newer than the fork.
func (in *DivergenceInput) Verdict() Verdict {
	reached := max(in.After.End.LSN, in.Target.MinRecoveryPoint, in.Target.Checkpoint)
	switch {
	case in.Fork.Same():
		return VerdictSame
	case reached > in.Fork.LSN:
		return VerdictDiverged
	case len(in.After.Gaps) > 0:
		return VerdictUnknown
	}
	return VerdictBehind
}

// sameTimeline is the report on two clusters whose histories do not part. How
// far each has come is known from the control files alone.
func (d *Divergence) sameTimeline(in DivergenceInput) *Divergence {
	d.Verdict, d.Fork.LSN = VerdictSame, pg.InvalidLSN
	d.Transactions = gatherTransactions(in.After)
	d.Relations, d.SourceSide, d.Definitions, d.Events, d.Coverage, d.Findings = []RelationChange{}, []SourceChange{}, []Definitions{}, []Event{}, []Covered{}, Findings{}
	f := Finding{Code: "same-timeline", Severity: Notice, Timeline: in.Target.Timeline,
		Title:  "both clusters are on the same timeline",
		Detail: "Their histories do not part. They can only have diverged if two servers were promoted independently under one number, which histories do not show."}
	if reached, other := in.Target.reached(), in.Source.reached(); reached > other {
		f.Code, f.Severity, f.LSN = "ahead-on-same-timeline", Warning, other
		f.Title = "the target is ahead of the source on the same timeline"
		f.Detail = fmt.Sprintf("It has reached %s, the source %s. Both were written to under one timeline number, unless the source has gone on since its last checkpoint.", reached, other)
		f.Hint = "compare the end of both logs with forkpoint inspect"
	}
	d.Findings.Add(f)
	d.Findings.running(in.Target)
	return d
}

// reached is how far the log goes at least.
func (n Node) reached() pg.LSN { return max(n.Checkpoint, n.MinRecoveryPoint, n.Reached) }

// unread is a place past the fork that the node's control file names and the
// log, which was read up to end, does not reach; 0 if there is none. A
// checkpoint is named by the start of its record.
func (n Node) unread(fork, end pg.LSN) pg.LSN {
	switch {
	case n.MinRecoveryPoint > max(fork, end):
		return n.MinRecoveryPoint
	case n.Checkpoint.Valid() && n.Checkpoint >= max(fork, end):
		return n.Checkpoint
	}
	return pg.InvalidLSN
}

func branch(n Node, fork pg.LSN, log *Log) Branch {
	b := Branch{Path: n.Path, Timeline: n.Timeline, State: n.State, Checkpoint: n.Checkpoint, MinRecoveryPoint: n.MinRecoveryPoint, Reached: n.reached()}
	if log == nil {
		return b
	}
	b.Known = len(log.Gaps)+len(log.BlocksOnly) == 0 && (log.End.Natural || log.End.Reason == "missing-segment") && !n.unread(fork, log.End.LSN).Valid()
	b.End, b.Records = log.End, log.Records
	b.WALBytes = pg.Span{From: fork, To: log.End.LSN}.Len()
	if l := log.Ledger; l != nil {
		b.Commits, b.LastCommit = l.sums.Commits, l.sums.Last
	}
	return b
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// cost takes the cost from the compared files, or counts the blocks of main
// forks by both rules.
func (d *Divergence) cost(in DivergenceInput) {
	if in.Rewind != nil {
		d.Rewind = *in.Rewind
		return
	}
	d.Rewind.Needed = d.Verdict == VerdictDiverged
	if c := in.Checkpoint; c != nil {
		d.Rewind.Replay = pg.Span{From: c.Redo, To: max(in.Fork.LSN, d.Source.End.LSN, d.Source.Reached)}.Len()
	}
	for _, r := range d.Relations {
		if r.Fork == pg.MainFork && r.Rel != 0 {
			d.Rewind.PgRewind.Blocks += r.SinceRedo
			d.Rewind.Forkpoint.Blocks += r.SinceRedo - r.Restored
		}
	}
	if c := in.Checkpoint; c != nil && !c.FullPageWrites {
		d.Rewind.Forkpoint.Blocks = d.Rewind.PgRewind.Blocks
	}
	for _, cost := range []*CopyCost{&d.Rewind.Forkpoint, &d.Rewind.PgRewind} {
		cost.RelationData = cost.Blocks * uint64(in.Cluster.BlockSize)
		cost.Total = cost.RelationData
	}
}
