package reports

import (
	"fmt"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// HistorySchema names the JSON form of [HistoryCheck].
const HistorySchema = "forkpoint/history/1"

// HistoryPlace is a data directory, an archive or a set of single files whose
// history files are looked at together.
type HistoryPlace struct {
	Path     string
	Files    []HistoryFile
	Segments map[pg.TimelineID]int // WAL segments that lie beside the files

	// Of a data directory; Current is 0 elsewhere.
	Current          pg.TimelineID
	Checkpoint       pg.LSN // start of the latest checkpoint record
	MinRecoveryPoint pg.LSN

	Log    *PlaceLog // what the WAL beside the files tells; nil where it was not read
	Sought bool      // WAL was looked for
}

// reached is how far the place's pages may be ahead.
func (p *HistoryPlace) reached() pg.LSN { return max(p.Checkpoint, p.MinRecoveryPoint) }

// holds tells whether the file is one of the place's own.
func (p *HistoryPlace) holds(path string) bool {
	return slices.ContainsFunc(p.Files, func(f HistoryFile) bool { return f.Path == path })
}

// past tells whether the place has gone past a switch point and so cannot
// follow the timeline that begins there. A switch point belongs to the new
// timeline already.
func (p *HistoryPlace) past(end pg.LSN) bool { return p.Checkpoint >= end || p.MinRecoveryPoint > end }

// HistoryFile is one file as it was read.
type HistoryFile struct {
	Path    string
	Content []byte
	Err     error // why it could not be read
}

// HistoryCheck shows history files and what is wrong with them.
type HistoryCheck struct {
	Schema    string          `json:"schema"`
	Places    []PlaceSummary  `json:"places"`
	Files     []CheckedFile   `json:"files"`
	Timelines []TimelineFacts `json:"timelines"`
	Findings  Findings        `json:"findings"`
}

// PlaceSummary says what was looked at.
type PlaceSummary struct {
	Path    string        `json:"path"`
	Files   int           `json:"files"`
	Current pg.TimelineID `json:"current_timeline,omitempty"`
	Reached pg.LSN        `json:"reached,omitzero"`
}

// CheckedFile is one history file with its rows.
type CheckedFile struct {
	Path     string           `json:"path"`
	Timeline pg.TimelineID    `json:"timeline,omitempty"`
	Valid    bool             `json:"valid"` // a server would read it
	Rows     []timeline.Entry `json:"rows"`
}

// TimelineFacts is what all files together say about one timeline.
type TimelineFacts struct {
	Timeline pg.TimelineID   `json:"timeline"`
	Parent   pg.TimelineID   `json:"parent,omitempty"`
	Begin    pg.LSN          `json:"begin,omitzero"`
	Reason   string          `json:"reason,omitempty"`
	Children []pg.TimelineID `json:"children,omitempty"`
	Files    int             `json:"files"`    // of its own
	Segments int             `json:"segments"` // of WAL, under its number
}

// CheckHistory parses the files and compares them with each other and with
// the data directories that they were found in.
func CheckHistory(places ...HistoryPlace) *HistoryCheck {
	c := &HistoryCheck{Schema: HistorySchema, Files: []CheckedFile{}, Timelines: []TimelineFacts{}, Findings: Findings{}}
	var parsed []parsedHistory
	for _, place := range places {
		c.Places = append(c.Places, PlaceSummary{place.Path, len(place.Files), place.Current, place.reached()})
		for _, f := range place.Files {
			if h := c.parse(f); h != nil {
				parsed = append(parsed, parsedHistory{h, f.Path})
			}
		}
	}
	var histories []*timeline.History
	for _, p := range parsed {
		histories = append(histories, p.History)
		c.checkRows(p)
	}
	c.checkCopies(parsed)
	tree := timeline.NewTree(histories...)
	c.checkConflicts(tree, parsed)
	c.checkAncestors(parsed)
	for _, place := range places {
		c.checkHoles(place, tree)
		c.checkCurrent(place, tree)
		c.checkLog(place, parsed, tree)
	}
	c.checkClusters(places)
	c.checkCompared(places, parsed)
	c.checkLeaves(places, tree)
	c.timelines(tree, places)
	c.Findings.sort()
	return c
}

type parsedHistory struct {
	*timeline.History
	path string
}

// parse reads one file and lists it; nil where a server could not use it.
func (c *HistoryCheck) parse(f HistoryFile) *timeline.History {
	name := historyName(f.Path)
	tli, isName := pg.ParseHistoryName(name)
	checked := CheckedFile{Path: f.Path, Timeline: tli, Rows: []timeline.Entry{}}
	defer func() { c.Files = append(c.Files, checked) }()
	switch {
	case f.Err != nil:
		c.Findings.Add(Finding{Code: "history-unreadable", Severity: Damage, Title: "history file cannot be read",
			Detail: f.Err.Error(), Path: f.Path, Timeline: tli})
		return nil
	case !isName:
		c.Findings.Add(Finding{Code: "history-name", Severity: Damage, Title: fmt.Sprintf("%q is not the name of a history file", name),
			Detail: "A server looks for eight upper-case hexadecimal digits and \".history\" and will not see this file.", Path: f.Path})
		return nil
	case tli == 1:
		c.Findings.Add(Finding{Code: "history-first", Severity: Notice, Timeline: 1, Path: f.Path,
			Title: "timeline 1 has a history file", Detail: "No server reads it: timeline 1 never has ancestors.",
			Rule: "history files begin with timeline 2", Hint: "remove it once you know who made it"})
		return nil
	}
	h, err := timeline.Parse(tli, f.Content)
	if err != nil {
		c.Findings.Add(syntaxFinding(f.Path, tli, err))
		return nil
	}
	if len(h.Entries) == 0 {
		c.Findings.Add(Finding{Code: "history-empty", Severity: Damage, Title: fmt.Sprintf("the history file of timeline %d has no rows", tli),
			Detail: "A server takes it for a timeline without ancestors: it does not look for WAL of older timelines and finds no checkpoint, and pg_rewind finds no common ancestor.",
			Rule:   "every timeline but the first has ancestors", Path: f.Path, Timeline: tli,
			Hint: fmt.Sprintf("fetch %s from the archive or from another node of the cluster, or rebuild it with forkpoint history repair", name)})
		return nil
	}
	checked.Valid, checked.Rows = true, append(checked.Rows, h.Entries...)
	c.checkDialects(f, tli)
	return h
}

// checkRows looks for what a server reads without complaint though it cannot
// be: switch points that go backwards.
func (c *HistoryCheck) checkRows(h parsedHistory) {
	for i, row := range h.Entries {
		if !row.End.Valid() {
			c.Findings.Add(Finding{Code: "history-zero", Severity: Damage, Title: fmt.Sprintf("timeline %d is said to end at 0/0", row.Timeline),
				Detail: "A server takes this for a timeline without end and never goes on to the next one.",
				Rule:   "a switch point is a position in the log", Path: h.path, Line: row.Line, Timeline: h.Timeline,
				Hint: "rebuild the file with forkpoint history repair"})
		}
		if i == 0 {
			continue
		}
		before := h.Entries[i-1]
		if row.End >= before.End {
			continue
		}
		c.Findings.Add(Finding{Code: "history-backwards", Severity: Damage, Title: "switch points go backwards",
			Detail: fmt.Sprintf("Timeline %d is said to end at %s, before it began at %s.", row.Timeline, row.End, before.End),
			Rule:   "switch points never decrease; servers do not check this",
			Path:   h.path, Line: row.Line, Timeline: h.Timeline, LSN: row.End,
			Hint: "rebuild the file with forkpoint history repair, or compare with the file of the same name on the other nodes and in the archive"})
	}
}

// checkConflicts reports timelines that files give different beginnings.
func (c *HistoryCheck) checkConflicts(tree *timeline.Tree, files []parsedHistory) {
	for _, conflict := range tree.Conflicts() {
		var said []string
		for _, s := range conflict.Stories {
			said = append(said, fmt.Sprintf("it left timeline %d at %s (%s)", s.Parent, s.Begin, pathsOf(files, s.Told, conflict.Timeline, s.Branch)))
		}
		c.Findings.Add(Finding{Code: "history-conflict", Severity: Damage, Timeline: conflict.Timeline,
			Title:  fmt.Sprintf("files tell different beginnings of timeline %d", conflict.Timeline),
			Detail: "One says " + strings.Join(said, ", another ") + ".",
			Hint:   "two promotions took the same number, or a file was changed by hand; never let these nodes share an archive"})
	}
}

// pathsOf lists the files that tell a story about a timeline's beginning.
func pathsOf(files []parsedHistory, told []pg.TimelineID, tli pg.TimelineID, b timeline.Branch) string {
	var paths []string
	for _, f := range files {
		if !slices.Contains(told, f.Timeline) {
			continue
		}
		path := f.Path()
		for i := 1; i < len(path); i++ {
			if path[i].Timeline == tli && path[i-1].Timeline == b.Parent && path[i].Begin == b.Begin {
				paths = append(paths, f.path)
			}
		}
	}
	return strings.Join(paths, ", ")
}

// checkAncestors compares each file with those of its ancestors: a child's
// rows begin with all of its parent's.
func (c *HistoryCheck) checkAncestors(files []parsedHistory) {
	for _, child := range files {
		for i, row := range child.Entries {
			for _, parent := range files {
				if parent.Timeline != row.Timeline || agree(child.Entries[:i], parent.Entries) {
					continue
				}
				c.Findings.Add(Finding{Code: "history-ancestors", Severity: Damage, Timeline: child.Timeline, Path: child.path, Line: row.Line,
					Title:  fmt.Sprintf("the ancestors of timeline %d differ from those in its own file", row.Timeline),
					Detail: fmt.Sprintf("Here: %s. In %s: %s.", rowsText(child.Entries[:i]), parent.path, rowsText(parent.Entries)),
					Hint:   "the file with fewer or moved rows was probably edited or cut short; fetch both from the archive"})
			}
		}
	}
}

func agree(a, b []timeline.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y timeline.Entry) bool { return x.Timeline == y.Timeline && x.End == y.End })
}

func rowsText(rows []timeline.Entry) string {
	if len(rows) == 0 {
		return "none"
	}
	var texts []string
	for _, r := range rows {
		texts = append(texts, fmt.Sprintf("%d until %s", r.Timeline, r.End))
	}
	return strings.Join(texts, ", ")
}
