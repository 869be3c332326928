package reports

import (
	"cmp"
	"fmt"
	"slices"
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
	Xacts       []blockmap.Xact
	Assignments []blockmap.Assignment
	Snapshots   []blockmap.Snapshot
	XIDs        []blockmap.XIDActivity
	Records     int64
	Gaps        []Gap
	Widened     []pg.Span // where only whole segments are known, so that counts are too high
	BlocksOnly  []pg.Span // where only blocks are known, from WAL summaries
	End         EndOfWAL
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
	Rewind         *RewindCost          // of the files themselves; nil to count blocks only
	Names          Names
}

// Names finds what is known of a relation by its storage.
type Names func(pg.RelFileLocator) (RelationName, bool)

// Diverge judges what was gathered.
func Diverge(in DivergenceInput) *Divergence {
	d := &Divergence{
		Schema:  DivergenceSchema,
		Cluster: in.Cluster,
		Target:  branch(in.Target, in.Fork.LSN, in.After),
		Source:  branch(in.Source, in.Fork.LSN, in.SourceAfter),
		Fork:    Fork{in.Fork.LSN, in.Fork.Timeline, in.Fork.Target, in.Fork.Source},
	}
	if in.Fork.Same() {
		return d.sameTimeline(in)
	}
	if c := in.Checkpoint; c != nil {
		d.Checkpoint = &CommonCheckpoint{c.LSN, c.Redo, c.Timeline, c.Time, c.Shutdown, c.FullPageWrites}
	}
	d.Transactions = gatherTransactions(in.Before, in.After)
	d.relations(in)
	d.Charts = chartsOf(in, d.Relations)
	d.Events = events(in.After, in.Names)
	d.judge(in)
	d.cost(in)
	d.Findings = findDivergence(in, d)
	d.Findings.sort()
	return d
}

// judge gives the verdict. A checkpoint that a target wrote at its shutdown is
// log past the fork too: then its pages may be newer than the fork.
func (d *Divergence) judge(in DivergenceInput) {
	reached := max(d.Target.End.LSN, in.Target.MinRecoveryPoint, in.Target.Checkpoint)
	switch {
	case reached > in.Fork.LSN:
		d.Verdict = VerdictDiverged
	case len(in.After.Gaps) > 0:
		d.Verdict = VerdictUnknown
	default:
		d.Verdict = VerdictBehind
	}
}

// sameTimeline is the report on two clusters whose histories do not part. How
// far each has come is known from the control files alone.
func (d *Divergence) sameTimeline(in DivergenceInput) *Divergence {
	d.Verdict, d.Fork.LSN = VerdictSame, pg.InvalidLSN
	d.Transactions = gatherTransactions(nil, in.After)
	d.Relations, d.Events, d.Findings = []RelationChange{}, []Event{}, Findings{}
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

func branch(n Node, fork pg.LSN, log *Log) Branch {
	b := Branch{Path: n.Path, Timeline: n.Timeline, State: n.State, Checkpoint: n.Checkpoint, MinRecoveryPoint: n.MinRecoveryPoint, Reached: n.reached()}
	if log == nil {
		return b
	}
	b.Known, b.End, b.Records = len(log.Gaps)+len(log.BlocksOnly) == 0, log.End, log.Records
	b.WALBytes = pg.Span{From: fork, To: log.End.LSN}.Len()
	for _, x := range log.Xacts {
		if x.Kind.Commits() {
			b.Commits++
			b.LastCommit = later(b.LastCommit, x.Time)
		}
	}
	return b
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// relations lists the forks that the target touched since the redo point, the
// most changed first.
func (d *Divergence) relations(in DivergenceInput) {
	all := &blockmap.Map{}
	var before *blockmap.Map
	if in.Before != nil {
		before = in.Before.Touched
		all.Append(before)
	}
	all.Append(in.After.Touched)
	var source *blockmap.Map
	if in.SourceAfter != nil {
		source = in.SourceAfter.Touched
	}
	d.Relations = []RelationChange{}
	changed := map[pg.RelFileLocator]bool{}
	for rf, entry := range all.All() {
		pre, _ := before.Get(rf)
		post, since := in.After.Touched.Get(rf)
		other, _ := source.Get(rf)
		r := RelationChange{RelFork: rf, Name: nameOf(in.Names, rf.RelFileLocator), SinceRedo: entry.Touched.Len(),
			SinceFork: post.Touched.Len(), Restored: pre.Restored.Subtract(post.Touched).Len(),
			Source: other.Touched.Len(), Both: post.Touched.Intersect(other.Touched).Len(),
			Activity: Activity(in.After.Activity[rf])}
		if post.IsCut() {
			r.CutTo = &post.Limit
		}
		if since && rf.Rel != 0 && !changed[rf.RelFileLocator] {
			changed[rf.RelFileLocator] = true
			d.Blocks.Relations++
		}
		d.Blocks.SinceRedo += r.SinceRedo
		d.Blocks.SinceFork += r.SinceFork
		d.Blocks.Both += r.Both
		d.Relations = append(d.Relations, r)
	}
	d.Blocks.Source = source.Blocks()
	slices.SortStableFunc(d.Relations, func(a, b RelationChange) int {
		return cmp.Or(cmp.Compare(b.SinceFork, a.SinceFork), cmp.Compare(b.SinceRedo, a.SinceRedo))
	})
}

func nameOf(names Names, rel pg.RelFileLocator) *RelationName {
	if names == nil {
		return nil
	}
	if name, known := names(rel); known {
		return &name
	}
	return nil
}

// cost takes the cost from the compared files, or counts the blocks of main
// forks by both rules.
func (d *Divergence) cost(in DivergenceInput) {
	if in.Rewind != nil {
		d.Rewind = *in.Rewind
		return
	}
	d.Rewind.Needed = d.Verdict == VerdictDiverged
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

// events lists what the target did to files since the fork.
func events(log *Log, names Names) []Event {
	list := []Event{}
	for _, e := range log.Events {
		out := Event{Kind: e.Kind, LSN: e.LSN, XID: e.XID}
		switch e.Kind {
		case blockmap.RelationCreated, blockmap.RelationTruncated, blockmap.RelationDropped:
			out.Relation, out.Name = &e.Rel, nameOf(names, e.Rel)
			if e.Kind == blockmap.RelationTruncated {
				out.Blocks = &e.Limit
			}
		case blockmap.DatabaseCreated, blockmap.DatabaseDropped:
			out.Detail = fmt.Sprintf("database %d in tablespace %d", e.DB, e.Spc)
		case blockmap.TablespaceCreated, blockmap.TablespaceDropped:
			out.Detail = fmt.Sprintf("tablespace %d %s", e.Spc, e.Path)
		case blockmap.FullPageWritesChange:
			out.Detail = fmt.Sprintf("full_page_writes = %t", e.On)
		case blockmap.RestorePoint:
			out.Detail = e.Name
		case blockmap.EndOfRecovery:
			out.Detail = fmt.Sprintf("from timeline %d to %d", e.PrevTimeline, e.Timeline)
		}
		list = append(list, out)
	}
	return list
}
