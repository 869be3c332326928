package reports

import (
	"fmt"
	"maps"
	"slices"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// PlaceLog is what the log in a place says about timelines.
type PlaceLog struct {
	SystemID    uint64
	SegmentSize pg.SegmentSize
	Held        map[pg.TimelineID][]uint64 // segment numbers, ascending
	Ready       []pg.SegmentName           // marked as not archived yet
	Switches    []lineage.Switch
	Unread      []lineage.Unread
	Borders     []Border
	Twins       []Twin // compared with the places before
}

// Border is what the log says about a switch point.
type Border struct {
	Timeline pg.TimelineID // that is left
	LSN      pg.LSN
	lineage.Border
}

// Twin is the comparison of one timeline's segments with those of another
// place.
type Twin struct {
	Other      string
	Timeline   pg.TimelineID
	Comparison *lineage.Comparison
}

// checkClusters finds WAL of different clusters among the places.
func (c *HistoryCheck) checkClusters(places []HistoryPlace) {
	var first *HistoryPlace
	for i, place := range places {
		switch {
		case place.Log == nil:
		case first == nil:
			first = &places[i]
		case place.Log.SystemID != first.Log.SystemID:
			c.Findings.Add(Finding{Code: "other-cluster", Severity: Damage, Path: place.Path, Title: "WAL of two clusters",
				Detail: fmt.Sprintf("Here the system identifier is %d, in %s it is %d. Timelines of the two have nothing to do with each other.", place.Log.SystemID, first.Path, first.Log.SystemID),
				Rule:   "nodes and archives of one cluster have one system identifier", Hint: "look at the two clusters one after the other"})
		}
	}
}

// checkLog holds the files against the log.
func (c *HistoryCheck) checkLog(place HistoryPlace, files []parsedHistory, tree *timeline.Tree) {
	if place.Log == nil {
		return
	}
	for _, f := range files {
		if len(place.Files) > 0 && !place.holds(f.path) {
			continue // its own place is held against its own log
		}
		for i, b := range f.Branches() {
			if row := f.Entries[i]; c.checkSwitch(place, f, row, b.Timeline) {
				c.checkBorder(place, f, row)
			}
		}
	}
	c.checkUnknownTimelines(place, tree)
	c.checkReady(place, tree)
	for _, twin := range place.Log.Twins {
		c.checkTwin(place, twin)
	}
}

// checkSwitch compares a row with the record that begins the child timeline.
// It is false where that record has settled the matter.
func (c *HistoryCheck) checkSwitch(place HistoryPlace, f parsedHistory, row timeline.Entry, child pg.TimelineID) (open bool) {
	for _, sw := range place.Log.Switches {
		if sw.Timeline != child {
			continue
		}
		if sw.Parent == row.Timeline && sw.LSN == row.End {
			return false
		}
		c.Findings.Add(Finding{Code: "switch-record", Severity: Damage, Timeline: child, LSN: row.End, Path: f.path, Line: row.Line,
			Title:  fmt.Sprintf("the WAL tells another beginning of timeline %d", child),
			Detail: fmt.Sprintf("The file says that it left timeline %d at %s. The %s record in %s says that it left timeline %d at %s.", row.Timeline, row.End, sw.Record, sw.Path, sw.Parent, sw.LSN),
			Rule:   "a timeline begins with an END_OF_RECOVERY or CHECKPOINT_SHUTDOWN record at its switch point",
			Hint:   "the file was edited, or the segment is of another promotion that took the same number; forkpoint history repair goes by the WAL"})
		return false
	}
	return true
}

func (c *HistoryCheck) checkBorder(place HistoryPlace, f parsedHistory, row timeline.Entry) {
	for _, b := range place.Log.Borders {
		if b.Timeline != row.Timeline || b.LSN != row.End {
			continue
		}
		switch b.Verdict {
		case lineage.BorderInside:
			c.Findings.Add(Finding{Code: "switch-inside-record", Severity: Damage, Timeline: f.Timeline, LSN: row.End, Path: f.path, Line: row.Line,
				Title:  fmt.Sprintf("the switch point %s is inside a record of timeline %d", row.End, row.Timeline),
				Detail: fmt.Sprintf("In the WAL of %s the record there ends at %s. No server can have left the timeline in the middle of a record.", place.Path, b.Last),
				Rule:   "a switch point is the end of a record",
				Hint:   "either the row was changed, or this WAL is of another branch under the same number; forkpoint history repair goes by the WAL"})
		case lineage.BorderBeyond:
			c.Findings.Add(Finding{Code: "switch-beyond-wal", Severity: Notice, Timeline: f.Timeline, LSN: row.End, Path: f.path, Line: row.Line,
				Title:  fmt.Sprintf("the WAL of timeline %d in %s ends before the switch point", row.Timeline, place.Path),
				Detail: fmt.Sprintf("It ends at %s, and the timeline was left at %s. This place holds less than the node that was promoted had.", b.Last, row.End),
				Hint:   "normal for a node that was behind or for an archive that lacks the last segment; damage for the node that was promoted"})
		}
	}
}

// checkUnknownTimelines finds segments that no history accounts for.
func (c *HistoryCheck) checkUnknownTimelines(place HistoryPlace, tree *timeline.Tree) {
	known := tree.Timelines()
	for _, tli := range slices.Sorted(maps.Keys(place.Log.Held)) {
		if tli == 1 || tli == place.Current || slices.Contains(known, tli) {
			continue
		}
		held := place.Log.Held[tli]
		c.Findings.Add(Finding{Code: "segment-unknown-timeline", Severity: Warning, Timeline: tli, Path: place.Path,
			Title:  fmt.Sprintf("WAL of timeline %d, which no history file knows", tli),
			Detail: fmt.Sprintf("%s from %s on. No server can replay them without %s.", count(len(held), "segment", "segments"), place.Log.SegmentSize.Name(tli, held[0]), tli.HistoryName()),
			Rule:   "every timeline but the first has a history file",
			Hint:   fmt.Sprintf("fetch %s from the node that wrote the segments, or rebuild it: forkpoint history repair %d %s", tli.HistoryName(), tli, segment.ShellWord(place.Path))})
	}
}

// checkReady finds segments that wait to be archived though the rest of the
// cluster has left their timeline before.
func (c *HistoryCheck) checkReady(place HistoryPlace, tree *timeline.Tree) {
	for _, child := range tree.Timelines() {
		b, found := tree.Branch(child)
		if !found || place.Current != 0 && descends(tree, place.Current, child) {
			continue
		}
		var names []string
		for _, ready := range place.Log.Ready {
			if ready.Timeline == b.Parent && place.Log.SegmentSize.Span(ready.Number).To > b.Begin {
				names = append(names, ready.Format(place.Log.SegmentSize))
			}
		}
		if len(names) == 0 {
			continue
		}
		c.Findings.Add(Finding{Code: "ready-diverged", Severity: Warning, Timeline: b.Parent, LSN: b.Begin, Path: place.Path,
			Title:  fmt.Sprintf("%s past the fork wait to be archived", count(len(names), "segment", "segments")),
			Detail: fmt.Sprintf("Timeline %d left timeline %d at %s. %s would go into the archive under names that others may hold with other contents: %s.", child, b.Parent, b.Begin, count(len(names), "This segment", "These segments"), shortList(names)),
			Rule:   "a segment that holds log past the fork is archived by nobody but the branch that went on",
			Hint:   "archive_command should refuse to overwrite; remove the .ready files or keep the archiver off until this node was rewound"})
	}
}

// descends tells whether the path to tli leads over an ancestor.
func descends(tree *timeline.Tree, tli, ancestor pg.TimelineID) bool {
	path, known := tree.Path(tli)
	_, through := path.Step(ancestor)
	return known && through
}

func (c *HistoryCheck) checkTwin(place HistoryPlace, twin Twin) {
	r := twin.Comparison
	if !r.Differs {
		c.notCompared(place, twin)
		return
	}
	size := place.Log.SegmentSize
	name := size.Name(twin.Timeline, size.Number(r.At))
	where := fmt.Sprintf("The first record that differs is at %s", r.At)
	if r.Earlier {
		where = fmt.Sprintf("The first records that can be compared, at %s, differ already; they may have parted before", r.At)
	}
	c.Findings.Add(Finding{Code: "segment-two-contents", Severity: Damage, Timeline: twin.Timeline, LSN: r.At, Path: place.Path,
		Title:  fmt.Sprintf("segment %s has two contents", name),
		Detail: fmt.Sprintf("%s: here %s, in %s %s. Two servers wrote on timeline %d.", where, markText(r.A), twin.Other, markText(r.B), twin.Timeline),
		Rule:   "one segment name has one content wherever it lies",
		Hint:   "never let both into one archive; forkpoint diagnose with both nodes says which one can be rewound to the other"})
}

// markText describes a record by what a person can compare with pg_waldump.
func markText(m lineage.Mark) string {
	if !m.Record {
		return fmt.Sprintf("the log ends at %s (%s)", m.LSN, StopText(string(m.Stop)))
	}
	s := fmt.Sprintf("a %s record of %d bytes with checksum %08X", m.Rmgr, m.Length, m.CRC)
	if m.XID != 0 {
		s += fmt.Sprintf(" of transaction %d", m.XID)
	}
	return s
}
