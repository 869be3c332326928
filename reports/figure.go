package reports

import (
	"time"

	"forkpoint/walinspect/pg"
)

// Page is a report that has more to show where there is room for it: figures
// and whole tables.
type Page interface {
	Report
	// Page is the report for people with a browser.
	Page() Document
}

// Figures are parts that only a page shows; what they tell must be in a table
// or a sentence as well.

// BranchFigure draws where two branches left their common history.
type BranchFigure struct {
	Common     pg.TimelineID
	Earlier    []Ancestor // timelines before the common one, oldest first
	Fork       pg.LSN
	Checkpoint pg.LSN // 0 where unknown
	Redo       pg.LSN
	Branches   [2]FigureBranch // target, then source
}

// FigureBranch is one of the branches of a [BranchFigure].
type FigureBranch struct {
	Role     string
	First    pg.TimelineID // on which it left the common history
	Timeline pg.TimelineID // on which it is now
	End      pg.LSN        // 0 where unknown
	WALBytes uint64
	Commits  int
	Known    bool
}

// HistoryFigure shows WAL and commits of both branches over time.
type HistoryFigure struct {
	From, To time.Time
	Step     time.Duration // a bucket's width
	Target   Buckets
	Source   Buckets
}

// Buckets are sums for equal parts of time.
type Buckets struct {
	WALBytes []uint64
	Commits  []int
}

// BarFigure compares relations by what was lost of them.
type BarFigure []Bar

// Bar is one relation.
type Bar struct {
	Label  string
	Blocks uint64
	Rows   int64
}

// Strip is a table cell: the blocks of a relation from first to last, in equal
// parts, with how many of each part were touched.
type Strip struct {
	Blocks uint64 // length of the whole in blocks
	Parts  []StripPart
}

// StripPart is a part of a [Strip].
type StripPart struct {
	Touched Percent // of its blocks, by the target
	Both    bool    // at least one of them by the source as well
}

func (BranchFigure) part()  {}
func (HistoryFigure) part() {}
func (BarFigure) part()     {}
