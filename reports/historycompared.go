package reports

import (
	"fmt"
	"slices"
	"strings"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// checkCompared names the switch points of which no WAL says whether they
// hold. Nothing is wrong with them; nothing shows either that nothing is.
func (c *HistoryCheck) checkCompared(places []HistoryPlace, files []parsedHistory) {
	if !slices.ContainsFunc(places, func(p HistoryPlace) bool { return p.Sought }) {
		return
	}
	var open []string
	var seen []timeline.Branch
	for _, f := range files {
		for _, b := range f.Branches() {
			b.Reason = ""
			if slices.Contains(seen, b) {
				continue
			}
			seen = append(seen, b)
			if why, known := heldAgainst(places, b); !known {
				if why != "" {
					why = " (" + why + ")"
				}
				open = append(open, fmt.Sprintf("that timeline %d left timeline %d at %s%s", b.Timeline, b.Parent, b.Begin, why))
			}
		}
	}
	if len(open) == 0 {
		return
	}
	c.Findings.Add(Finding{Code: "switch-not-compared", Severity: Notice,
		Title:  fmt.Sprintf("%d of %s could not be held against WAL", len(open), count(len(seen), "switch point", "switch points")),
		Detail: "No WAL of the places named shows " + shortList(open) + ".",
		Rule:   "the record that begins a timeline, or the border of a record on its parent, shows a switch point",
		Hint:   "name an archive or a node that has the segments of the switch as well"})
}

// checkLeaves finds branches in an archive that none of the nodes is on: a
// server that follows the latest timeline goes to the one with the highest
// number, whoever made it.
func (c *HistoryCheck) checkLeaves(places []HistoryPlace, tree *timeline.Tree) {
	var current, archived []pg.TimelineID
	for _, place := range places {
		if place.Current != 0 {
			current = append(current, place.Current)
			continue
		}
		for _, f := range place.Files {
			if tli, ok := pg.ParseHistoryName(historyName(f.Path)); ok {
				archived = append(archived, tli)
			}
		}
	}
	if len(current) == 0 {
		return
	}
	for _, tli := range sortedUnique(archived) {
		b, branched := tree.Branch(tli)
		if !branched || len(tree.Children(tli)) > 0 || slices.Contains(current, tli) {
			continue
		}
		c.Findings.Add(Finding{Code: "leaf-without-node", Severity: Notice, Timeline: tli, LSN: b.Begin,
			Title:  fmt.Sprintf("none of the nodes named is on timeline %d", tli),
			Detail: fmt.Sprintf("It left timeline %d at %s, and nothing left it. A server that restores from where its history file lies, with recovery_target_timeline = latest, goes there if no later one is found.", b.Parent, b.Begin),
			Rule:   "each branch in an archive is that of a node in use",
			Hint:   "if a test or a recovery to a point in time left it, move its history file and segments out of the archive"})
	}
}

// heldAgainst tells whether the log of a place says anything about a switch
// point, and if none does, what is in the way; "" where no place has any.
func heldAgainst(places []HistoryPlace, b timeline.Branch) (why string, known bool) {
	for _, place := range places {
		if place.Log == nil {
			continue
		}
		size := place.Log.SegmentSize
		at := size.Number(max(b.Begin, 1) - 1)
		if why == "" {
			why = fmt.Sprintf("neither %s nor %s is at hand", size.Name(b.Parent, at), size.Name(b.Timeline, size.Number(b.Begin)))
		}
		for _, sw := range place.Log.Switches {
			if sw.Timeline == b.Timeline {
				return "", true
			}
		}
		for _, border := range place.Log.Borders {
			if border.Timeline != b.Parent || border.LSN != b.Begin {
				continue
			}
			if border.Verdict != lineage.BorderUnknown {
				return "", true
			}
			if border.Why != "" && slices.Contains(place.Log.Held[b.Parent], at) {
				why = fmt.Sprintf("%s in %s: %s", size.Name(b.Parent, at), place.Path, border.Why)
			}
		}
		for _, u := range place.Log.Unread {
			if u.Timeline == b.Timeline {
				why = fmt.Sprintf("%s in %s: %s", u.File, place.Path, u.Why)
			}
		}
	}
	return why, false
}

// notCompared tells of segments under one name that were not compared to their
// end.
func (c *HistoryCheck) notCompared(place HistoryPlace, twin Twin) {
	r := twin.Comparison
	if r.Unsure == "" {
		return
	}
	alike := ""
	if r.Alike > r.From {
		alike = fmt.Sprintf(" All records from %s to %s are the same.", r.From, r.Alike)
	}
	c.Findings.Add(Finding{Code: "segment-not-compared", Severity: Notice, Timeline: twin.Timeline, LSN: r.Alike, Path: place.Path,
		Title:  fmt.Sprintf("WAL of timeline %d was not all compared with that in %s", twin.Timeline, twin.Other),
		Detail: strings.ToUpper(r.Unsure[:1]) + r.Unsure[1:] + "." + alike,
		Rule:   "one segment name has one content wherever it lies",
		Hint:   "forkpoint inspect --check with either place looks at its segments alone"})
}
