package reports

import (
	"slices"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

const (
	maxBuckets = 60   // of time in a figure
	stripParts = 48   // of a relation in a strip
	maxStrips  = 5000 // relations that get one
)

// Charts are what the figures of a page are drawn from.
type Charts struct {
	History *HistoryFigure // nil without a commit on either side
	Strips  map[pg.RelFork]Strip
}

// chartsOf sums up what the log says by time and by place.
func chartsOf(in DivergenceInput, relations []RelationChange) Charts {
	c := Charts{History: historyFigure(in), Strips: map[pg.RelFork]Strip{}}
	var source *blockmap.Map
	if in.SourceAfter != nil {
		source = in.SourceAfter.Touched
	}
	for _, r := range relations[:min(len(relations), maxStrips)] {
		if r.SinceFork == 0 {
			continue
		}
		mine, _ := in.After.Touched.Get(r.RelFork)
		other, _ := source.Get(r.RelFork)
		c.Strips[r.RelFork] = stripOf(mine.Touched, other.Touched)
	}
	return c
}

// stripOf cuts a relation into equal parts. How long it is the log does not
// say, so it ends with the last block that either side touched.
func stripOf(mine, other *blockmap.Set) Strip {
	length := uint64(0)
	for _, set := range []*blockmap.Set{mine, other} {
		for _, to := range set.Ranges() {
			length = max(length, uint64(to))
		}
	}
	s := Strip{Blocks: length, Parts: make([]StripPart, min(stripParts, length))}
	n := uint64(len(s.Parts))
	if n == 0 {
		return s
	}
	counts := make([]uint64, n)
	spread(mine, length, n, func(part, blocks uint64) { counts[part] += blocks })
	spread(mine.Intersect(other), length, n, func(part, _ uint64) { s.Parts[part].Both = true })
	for i := range s.Parts {
		size := partStart(uint64(i)+1, length, n) - partStart(uint64(i), length, n)
		s.Parts[i].Touched = Percent(float64(counts[i]) / float64(size))
	}
	return s
}

// partStart is the first block of a part.
func partStart(part, length, n uint64) uint64 { return (part*length + n - 1) / n }

// spread tells how many blocks of a set lie in each part.
func spread(set *blockmap.Set, length, n uint64, add func(part, blocks uint64)) {
	for from, to := range set.Ranges() {
		for at := uint64(from); at < uint64(to); {
			part := at * n / length
			end := min(partStart(part+1, length, n), uint64(to))
			add(part, end-at)
			at = end
		}
	}
}

// historyFigure puts the WAL and the commits of both sides into buckets of
// time. The log has times only where transactions end, so the WAL before each
// such record counts for its time.
func historyFigure(in DivergenceInput) *HistoryFigure {
	var from, to time.Time
	for _, log := range []*Log{in.After, in.SourceAfter} {
		if l := log.ledger(); l != nil && !l.First.IsZero() {
			from, to = earlier(from, l.First), later(to, l.Last)
		}
	}
	if from.IsZero() {
		return nil
	}
	f := &HistoryFigure{From: from, To: to, Step: max(time.Second, to.Sub(from)/maxBuckets+1)}
	n := int(to.Sub(from)/f.Step) + 1
	f.Target, f.Source = f.buckets(in.After, in.Fork.LSN, n), f.buckets(in.SourceAfter, in.Fork.LSN, n)
	return f
}

func (f *HistoryFigure) buckets(log *Log, begin pg.LSN, n int) Buckets {
	b := Buckets{WALBytes: make([]uint64, n), Commits: make([]int, n)}
	if log.ledger() == nil {
		return b
	}
	last := 0
	add := func(at time.Time, end pg.LSN, commits int) {
		last = int(at.Sub(f.From) / f.Step)
		b.WALBytes[last] += pg.Span{From: begin, To: end}.Len()
		begin = max(begin, end)
		b.Commits[last] += commits
	}
	for i := range log.Ledger.parts {
		p := &log.Ledger.parts[i]
		if p.first.IsZero() {
			continue
		}
		if p.first.Sub(f.From)/f.Step == p.last.Sub(f.From)/f.Step {
			add(p.last, p.end, p.commits)
			continue
		}
		for _, x := range p.decode(nil) {
			if x.Time.IsZero() {
				continue
			}
			commits := 0
			if x.Kind.Commits() {
				commits = 1
			}
			add(x.Time, x.End, commits)
		}
	}
	b.WALBytes[last] += pg.Span{From: begin, To: log.End.LSN}.Len()
	return b
}

// branchFigure draws the fork; nil where the two have not parted.
func (d *Divergence) branchFigure() []Part {
	if d.Verdict == VerdictSame || !d.Fork.LSN.Valid() {
		return nil
	}
	f := BranchFigure{Earlier: d.Fork.Earlier, Common: d.Fork.Timeline, Fork: d.Fork.LSN}
	if d.Checkpoint != nil {
		f.Checkpoint, f.Redo = d.Checkpoint.LSN, d.Checkpoint.Redo
	}
	for i, side := range []struct {
		role   string
		first  pg.TimelineID
		branch Branch
	}{{"target", d.Fork.Target, d.Target}, {"source", d.Fork.Source, d.Source}} {
		b := side.branch
		f.Branches[i] = FigureBranch{Role: side.role, First: side.first, Timeline: b.Timeline, End: b.End.LSN, WALBytes: b.WALBytes, Commits: b.Commits, Known: b.Known}
		if !b.End.LSN.Valid() {
			f.Branches[i].End = b.Reached
		}
	}
	return []Part{f}
}

// barFigure has the relations that lose most.
func (d *Divergence) barFigure() BarFigure {
	const most = 15
	var bars BarFigure
	for _, r := range d.foldRelations() {
		a := r.Activity
		if r.SinceFork > 0 {
			bars = append(bars, Bar{Label: r.label, Blocks: r.SinceFork, Rows: a.Inserts + a.Updates + a.HotUpdates + a.Deletes})
		}
	}
	slices.SortStableFunc(bars, func(a, b Bar) int {
		switch {
		case a.Blocks != b.Blocks:
			return int(int64(b.Blocks) - int64(a.Blocks))
		default:
			return int(b.Rows - a.Rows)
		}
	})
	return bars[:min(most, len(bars))]
}
