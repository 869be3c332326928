package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"forkpoint/reports"
)

// stripView is a strip as paths, one for each shade, which keeps pages with
// thousands of relations small.
type stripView struct {
	Title  string
	Width  int
	Levels []stripLevel
}

type stripLevel struct {
	Class string
	Path  string
}

const partWidth = 4

func newStripView(s reports.Strip) *stripView {
	v := &stripView{Width: max(1, len(s.Parts)) * partWidth}
	var paths [5]strings.Builder // by shade; the first holds the marks
	touched, both := 0, 0
	for i, part := range s.Parts {
		if part.Touched > 0 {
			shade := min(4, 1+int(part.Touched*4))
			fmt.Fprintf(&paths[shade], "M%d 1h%dv10h-%dz", i*partWidth, partWidth, partWidth)
			touched++
		}
		if part.Both {
			fmt.Fprintf(&paths[0], "M%d 12h%dv4h-%dz", i*partWidth, partWidth, partWidth)
			both++
		}
	}
	for i, class := range []string{"b", "l1", "l2", "l3", "l4"} {
		if paths[i].Len() > 0 {
			v.Levels = append(v.Levels, stripLevel{class, paths[i].String()})
		}
	}
	v.Title = fmt.Sprintf("blocks 0 to %d: touched in %d of %d parts", max(s.Blocks, 1)-1, touched, len(s.Parts))
	if both > 0 {
		v.Title += fmt.Sprintf(", by both sides in %d", both)
	}
	return v
}

type branchesView struct {
	Title, Common, History, Fork, Checkpoint, Redo string
	Ticks                                          []int // where timelines before the common one end
	ForkX, ForkTextX, CheckpointX                  int
	Branches                                       []branchLine
}

type branchLine struct {
	Role, Name, Facts  string
	Known              bool
	Y, NameY, FactY    int
	BendX, TurnX, EndX int
}

// branchView places the fork. The longer branch reaches to the right edge; the
// other is as much shorter as its log is, but long enough for its label.
func branchView(f reports.BranchFigure) branchesView {
	const forkX, checkpointX, turnX, least, rightX = 380, 230, 440, 700, 870
	v := branchesView{Common: f.Common.String(), History: "common history", Fork: f.Fork.String(), ForkX: forkX, ForkTextX: forkX - 8, CheckpointX: checkpointX}
	if f.Checkpoint.Valid() {
		v.Checkpoint, v.Redo = f.Checkpoint.String(), f.Redo.String()
	}
	if n := len(f.Earlier); n > 0 {
		v.History = "common history, from"
		for i, a := range f.Earlier {
			v.Ticks = append(v.Ticks, 20+(checkpointX-40)*(i+1)/(n+1))
			v.History += fmt.Sprintf(" %d (to %s)", a.Timeline, a.End)
		}
		v.History = shorten(v.History, 70)
	}
	v.Title = fmt.Sprintf("timeline %d parts at %s", f.Common, f.Fork)
	longest := max(f.Branches[0].WALBytes, f.Branches[1].WALBytes, 1)
	for i, b := range f.Branches {
		line := branchLine{Role: b.Role, Known: b.Known, BendX: forkX + 30, TurnX: turnX, Y: 35, NameY: 20, FactY: 55}
		if i == 1 {
			line.Y, line.NameY, line.FactY = 155, 140, 175
		}
		line.Name = fmt.Sprintf("%s, timeline %d", b.Role, b.Timeline)
		if b.First != b.Timeline {
			line.Name = fmt.Sprintf("%s, timeline %d and on to %d", b.Role, b.First, b.Timeline)
		}
		if b.Known {
			line.Facts = fmt.Sprintf("to %s: %s of WAL, %s", b.End, humanize.IBytes(b.WALBytes), plural(int64(b.Commits), "commit"))
		} else {
			line.Facts = "its log since the fork is not at hand, or not all of it"
		}
		line.EndX = least + int(float64(rightX-least)*float64(b.WALBytes)/float64(longest))
		v.Branches = append(v.Branches, line)
	}
	return v
}

func plural(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return humanize.Comma(n) + " " + what
}

type historyPanels struct {
	Caption string
	Panels  []historyPanel
}

type historyPanel struct {
	Title, Top, Half, From, To, Target, Source string
}

func historyView(f reports.HistoryFigure) historyPanels {
	view := historyPanels{Caption: fmt.Sprintf("Each bar is %s. WAL counts for the time of the next commit or abort in it, the only times that a log tells.", plural(int64(f.Step.Round(time.Second)/time.Second), "second"))}
	from, to := cell(f.From), cell(f.To)
	panel := func(title string, target, source []uint64, amount func(uint64) string) {
		top := uint64(1)
		for i := range target {
			top = max(top, target[i], source[i])
		}
		p := historyPanel{Title: title, Top: amount(top), From: from, To: to, Target: bars(target, top, 0), Source: bars(source, top, 1)}
		if top > 1 {
			p.Half = amount((top + 1) / 2)
		}
		view.Panels = append(view.Panels, p)
	}
	panel("WAL volume", f.Target.WALBytes, f.Source.WALBytes, humanize.IBytes)
	panel("Commits", counts(f.Target.Commits), counts(f.Source.Commits), func(n uint64) string { return humanize.Comma(int64(n)) })
	return view
}

func counts(list []int) []uint64 {
	out := make([]uint64, len(list))
	for i, n := range list {
		out[i] = uint64(n)
	}
	return out
}

// bars draws one side's bars: in each part of time the first side has the left
// half, the second the right.
func bars(values []uint64, top uint64, half int) string {
	const left, right, bottom, height = 70.0, 890.0, 140.0, 110.0
	width := (right - left) / float64(len(values))
	bar := min(width*0.42, 24)
	var b strings.Builder
	for i, v := range values {
		if v == 0 {
			continue
		}
		h := max(1, height*float64(v)/float64(top))
		x := left + (float64(i)+0.5)*width
		if half == 0 {
			x -= bar
		}
		fmt.Fprintf(&b, "M%.1f %.1fh%.1fV%gh-%.1fz", x, bottom-h, bar, bottom, bar)
	}
	return b.String()
}

type barsView struct {
	Height int
	Bars   []barLine
}

type barLine struct {
	Label, Full, Amount    string
	Y, TextY, TextX, Width int
}

func barView(f reports.BarFigure) barsView {
	const rowHeight, left, longest, room = 22, 340, 360, 40
	v := barsView{Height: rowHeight*len(f) + 6}
	top := uint64(1)
	for _, b := range f {
		top = max(top, b.Blocks)
	}
	for i, b := range f {
		line := barLine{Full: clean(b.Label), Label: shorten(clean(b.Label), room), Y: i*rowHeight + 4, TextY: i*rowHeight + 16,
			Width: max(2, int(float64(longest)*float64(b.Blocks)/float64(top))), Amount: plural(int64(b.Blocks), "block")}
		if b.Rows > 0 {
			line.Amount += ", " + plural(b.Rows, "row")
		}
		line.TextX = left + line.Width + 8
		v.Bars = append(v.Bars, line)
	}
	return v
}

// shorten leaves out the middle of a long name: what tells names apart is
// often at their ends.
func shorten(s string, room int) string {
	runes := []rune(s)
	if len(runes) <= room {
		return s
	}
	head := room * 2 / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(room-head-1):])
}
