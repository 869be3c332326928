package indexer

import (
	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/walsummary"
)

// Summaries are WAL summaries of the cluster whose log is read. A summary does
// not name its cluster, so they must come from the data directory itself
// (walsummary.Dir), where servers put only what they summarized themselves and
// base backups put nothing.
//
// # What a summary proves
//
// The summarizer reads the log as this package does: every block reference
// except those to free space maps, and creation, truncation and dropping of
// relations and databases as limits (src/backend/postmaster/walsummarizer.c).
// It writes no summary of log under wal_level = minimal, so that log is a hole
// between two summaries. For the main fork of a relation a block that no
// summary lists and no limit reaches is therefore unchanged.
//
// For the other forks that does not hold. Free space maps are in no summary, and
// before 17.11 and 18.6 the visibility map was missing where a record changed it
// together with a page of the main fork. Nobody may take such a block for
// unchanged, whatever told about it: package blockmap says the same of the log
// itself, and a rewind copies or compares those forks whole.
//
// A summary cannot be cut: it may tell about blocks that the log around the gap
// changed. That is too much and never too little.
type Summaries interface {
	List() ([]walsummary.Name, error)
	Read(walsummary.Name) (*walsummary.Summary, error)
}

// summarized fills a gap from summaries, as far as they reach without a hole on
// the timelines that the path has there, and returns what is still missing. It
// must be called in the order of the log.
func (s *scan) summarized(gap pg.Span) (missing []pg.Span, err error) {
	names, err := s.ix.opts.Summaries.List()
	if err != nil {
		return nil, err
	}
	r := s.result
	for _, step := range s.path {
		span := gap.Intersect(step.Span())
		if span.Empty() {
			continue
		}
		of := names
		if s.suspect[step.Timeline] {
			of = nil // branches gave out its number twice: whose summaries these are is not known
		}
		missing = append(missing, s.readSummaries(of, step.Timeline, span)...)
	}
	at := gap.From
	for _, hole := range append(missing, pg.Span{From: gap.To, To: gap.To}) {
		if filled := (pg.Span{From: at, To: hole.From}); !filled.Empty() {
			r.Coverage.add(filled, RungSummary)
			r.BlocksOnly = append(r.BlocksOnly, filled)
		}
		at = hole.To
	}
	if len(missing) == 0 && gap.To == s.span.To && gap.To != pg.MaxLSN {
		r.Stop, r.StopDetail = walinspect.StopLimit, ""
	}
	return missing, nil
}

// readSummaries takes in what the summaries of one timeline say of a span, and
// returns the holes. One that cannot be read, as when the server has just
// removed it, leaves a hole.
func (s *scan) readSummaries(names []walsummary.Name, tli pg.TimelineID, span pg.Span) []pg.Span {
	used, _ := walsummary.Cover(names, tli, span)
	var read []walsummary.Name
	for _, n := range used {
		summary, err := s.ix.opts.Summaries.Read(n)
		if err != nil {
			s.ix.opts.Log.Warn("WAL summary is of no use", "path", n.String(), "err", err)
			continue
		}
		s.result.Blocks.Append(summaryMap(summary))
		read = append(read, n)
	}
	_, holes := walsummary.Cover(read, tli, span)
	return holes
}

// summaryMap is what a summary says, in the words of package blockmap.
func summaryMap(s *walsummary.Summary) *blockmap.Map {
	m := &blockmap.Map{}
	for e := range s.Entries() {
		if e.WholeDatabase() {
			m.CutDatabase(e.Rel.Spc, e.Rel.DB)
			continue
		}
		if e.Limit != pg.InvalidBlock {
			m.Cut(e.Rel, e.Limit)
			if e.Rel.Fork == pg.InitFork { // see [extract.apply]
				m.Cut(pg.RelFork{RelFileLocator: e.Rel.RelFileLocator}, 0)
			}
		}
		for b := range e.Blocks() {
			m.Touch(pg.BlockTag{RelFork: e.Rel, Block: b}, false)
		}
	}
	return m
}
