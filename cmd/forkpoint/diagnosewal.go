package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/walsummary"
)

// segments lists the WAL that a rewind and the replay after it need, and where
// each segment is.
func (g *diagnosing) segments(ctx context.Context) error {
	x := g.exam
	if !x.Parted || x.Fork.Same() || !x.Needed && len(x.Problems) == 0 {
		return nil
	}
	size := g.ends.targetControl.SegmentSize
	from := x.Label.Redo
	if !from.Valid() {
		from = min(x.Target.Control.CheckpointCopy.Redo, x.Fork.LSN) // at least
		for _, p := range x.Problems {
			if name, err := pg.ParseSegmentName(filepath.Base(p.Path), size); err == nil {
				from = min(from, size.Start(name.Number)) // where the search for the checkpoint ended
			}
		}
	}
	held, err := g.held(ctx, size)
	if err != nil {
		return err
	}
	end := max(x.TargetEnd, x.Target.Control.Checkpoint, x.Fork.LSN)
	g.need(ctx, held, x.Target.Path, pg.Span{From: from, To: end}, false)
	if x.SourceEnd.LSN.Valid() {
		g.need(ctx, held, x.Source.Path, pg.Span{From: from, To: x.SourceEnd.LSN}, true)
	}
	return nil
}

// heldBy are the segments that each place lists.
type heldBy struct {
	target, source map[string]bool
	archives       []map[string]bool
	names          []string // of the archives
	summaries      []walsummary.Name
}

func (g *diagnosing) held(ctx context.Context, size pg.SegmentSize) (*heldBy, error) {
	h := &heldBy{}
	var err error
	if h.target, err = listNames(ctx, g.ends.folder(g.ends.target), size); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if h.source, err = listNames(ctx, rewind.NewSourceWAL(g.ends.source, size), size); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	for _, archive := range g.ends.archives {
		names, err := listNames(ctx, archive, size)
		if err != nil {
			return nil, err
		}
		h.archives, h.names = append(h.archives, names), append(h.names, archive.String())
	}
	entries, _ := os.ReadDir(filepath.Join(g.ends.target.Path(), "pg_wal", "summaries")) // 17 and later
	for _, e := range entries {
		if name, is := walsummary.ParseName(e.Name()); is {
			h.summaries = append(h.summaries, name)
		}
	}
	return h, nil
}

func listNames(ctx context.Context, s segment.Source, size pg.SegmentSize) (map[string]bool, error) {
	names := map[string]bool{}
	for info, err := range s.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", s, err)
		}
		names[info.Name.Format(size)] = true
	}
	return names, nil
}

// need adds the segments of a span of one path. Before the fork both sides
// have the same bytes; what the source has after it is not the target's, and
// the other way round.
func (g *diagnosing) need(ctx context.Context, h *heldBy, path timeline.Path, span pg.Span, replay bool) {
	size := g.ends.targetControl.SegmentSize
	for n := size.Number(span.From); size.Start(n) < span.To; n++ {
		shared := size.Span(n).To <= g.exam.Fork.LSN
		need := reports.SegmentNeed{Where: []string{}, Replay: replay, Blocks: !replay}
		for i, tli := range path.SegmentTimelines(size, n) {
			name := size.Name(tli, n)
			if i == 0 {
				need.Name = name
			}
			where := g.places(ctx, h, name, tli, size.Span(n), replay, shared)
			if len(where) > 0 {
				need.Name, need.Where = name, where
				break
			}
		}
		// Past the fork a segment of one name is another for each side.
		if need.Name == "" || shared && g.merge(need) {
			continue
		}
		g.d.Segments = append(g.d.Segments, need)
	}
}

// merge joins the needs for one segment.
func (g *diagnosing) merge(need reports.SegmentNeed) bool {
	for i := range g.d.Segments {
		if s := &g.d.Segments[i]; s.Name == need.Name {
			s.Blocks, s.Replay = s.Blocks || need.Blocks, s.Replay || need.Replay
			return true
		}
	}
	return false
}

func (g *diagnosing) places(ctx context.Context, h *heldBy, name string, tli pg.TimelineID, span pg.Span, replay, shared bool) []string {
	var where []string
	if h.target[name] && (!replay || shared) {
		where = append(where, "target")
	}
	if h.source[name] && (replay || shared) {
		where = append(where, "source")
	}
	for i, names := range h.archives {
		if names[name] {
			where = append(where, "archive "+h.names[i])
		}
	}
	if replay || len(where) > 0 {
		return where
	}
	c := g.ends.targetControl
	key := blockmap.SegmentKey{SystemID: c.SystemID, SegmentSize: c.SegmentSize, Name: pg.SegmentName{Timeline: tli, Number: c.SegmentSize.Number(span.From)}}
	if variants, err := g.ends.catalog.Variants(ctx, key); err == nil && len(variants) > 0 {
		where = append(where, "index")
	}
	if len(where) == 0 {
		if _, missing := walsummary.Cover(h.summaries, tli, span); len(missing) == 0 && len(h.summaries) > 0 {
			where = append(where, "summaries")
		}
	}
	return where
}

// nowhere turns missing segments into a problem, where the checks of the
// rewind did not come so far.
func (g *diagnosing) nowhere(problems *[]reports.Problem) {
	missing := g.d.Missing()
	if len(missing) == 0 {
		return
	}
	reason := "They were looked for in " + strings.Join(g.soughtIn(), ", ") + "."
	for i := range *problems {
		switch rewind.Check((*problems)[i].Check) {
		case rewind.CheckCheckpoint, rewind.CheckCoverage, rewind.CheckReplay:
			(*problems)[i].Reason = fmt.Sprintf("Nowhere: %s. %s", strings.Join(missing, ", "), reason)
			if len(g.opts.ends.archives) > 0 || g.opts.ends.restore || g.opts.ends.restoreWith != "" {
				g.d.Verdict = reports.RemedyPerson
				g.d.Reason = fmt.Sprintf("A rewind needs WAL that is in none of the places named: %s. Find it, or take a new base backup after forkpoint report has shown what only this node holds.", strings.Join(missing, ", "))
			}
			return
		}
	}
	*problems = append(*problems, reports.Problem{Check: string(rewind.CheckReplay), Side: string(rewind.Source), Found: "WAL that is needed is nowhere: " + strings.Join(missing, ", "),
		Next: "name an archive that has it with --archive", Reason: reason})
}

func (g *diagnosing) soughtIn() []string {
	places := []string{"pg_wal of the target", "pg_wal of the source", "the catalog"}
	for _, archive := range g.ends.archives {
		places = append(places, archive.String())
	}
	return places
}

// sought says, where a history is missing, where it was looked for, and whether
// an archive has it.
func (g *diagnosing) sought(ctx context.Context) error {
	for _, p := range g.exam.Problems {
		if p.Check != rewind.CheckHistory {
			continue
		}
		tli := g.exam.Target.Timeline
		if p.Side == rewind.Source {
			tli = g.exam.Source.Timeline
		}
		g.fact("%s of the %s was looked for in %s.", tli.HistoryName(), p.Side, strings.Join([]string{"pg_wal of the target", "pg_wal of the source"}, " and "))
		for _, archive := range g.ends.archives {
			f, err := archive.Open(ctx, tli.HistoryName())
			if err != nil {
				g.fact("%s does not have it either: %v.", archive, err)
				continue
			}
			f.Close() // read only
			g.fact("%s has it: %s.", archive, f.Path)
			g.d.Next = append(g.d.Next, fmt.Sprintf("cp %s %s/", segment.ShellWord(f.Path), segment.ShellWord(filepath.Join(g.ends.target.Path(), "pg_wal"))))
		}
	}
	return nil
}
