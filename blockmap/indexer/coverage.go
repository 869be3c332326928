package indexer

import (
	"slices"

	"forkpoint/walinspect/pg"
)

// Rung is a kind of evidence for what a part of the log touched. The names
// appear in reports and are part of the interface.
type Rung string

const (
	RungWAL     Rung = "wal"     // the log itself, read now
	RungIndex   Rung = "index"   // the catalog
	RungSummary Rung = "summary" // WAL summaries of the server, 17 and later
)

// Covered is a part of the log of which all records that begin in it are
// accounted for.
type Covered struct {
	pg.Span
	Rung Rung `json:"rung"`
}

// Coverage is the parts of the log that evidence covers, in order and without
// overlap.
type Coverage []Covered

// Gaps lists the parts of a span that nothing covers.
func (c Coverage) Gaps(span pg.Span) []pg.Span {
	var gaps []pg.Span
	at := span.From
	for _, part := range c {
		if part.To <= at {
			continue
		}
		if part.From >= span.To {
			break
		}
		if at < part.From {
			gaps = append(gaps, pg.Span{From: at, To: part.From})
		}
		at = part.To
	}
	if at < span.To {
		gaps = append(gaps, pg.Span{From: at, To: span.To})
	}
	return gaps
}

// Complete tells whether the whole span is covered.
func (c Coverage) Complete(span pg.Span) bool { return len(c.Gaps(span)) == 0 }

// add appends a part that follows those before it.
func (c *Coverage) add(span pg.Span, rung Rung) {
	if span.Empty() {
		return
	}
	if n := len(*c); n > 0 && (*c)[n-1].To == span.From && (*c)[n-1].Rung == rung {
		(*c)[n-1].To = span.To
		return
	}
	*c = append(*c, Covered{span, rung})
}

// Rungs lists the kinds of evidence that the coverage rests on.
func (c Coverage) Rungs() []Rung {
	var rungs []Rung
	for _, part := range c {
		if !slices.Contains(rungs, part.Rung) {
			rungs = append(rungs, part.Rung)
		}
	}
	return rungs
}
