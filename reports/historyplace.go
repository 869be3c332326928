package reports

import (
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// syntaxFinding explains a file that a server refuses.
func syntaxFinding(path string, tli pg.TimelineID, err error) Finding {
	f := Finding{Code: "history-syntax", Severity: Damage, Timeline: tli, Path: path,
		Title: fmt.Sprintf("a server refuses the history file of timeline %d", tli), Detail: err.Error(),
		Hint: "do not edit it: fetch the file from the archive or from another node"}
	var syntax *timeline.SyntaxError
	if !errors.As(err, &syntax) {
		return f
	}
	f.Line, f.Rule = syntax.Line, historyRules[syntax.Rule]
	switch syntax.Rule {
	case timeline.RuleTimeline:
		f.Detail = fmt.Sprintf("The line begins with something else than a timeline number: %q.", syntax.Text)
	case timeline.RuleSwitchpoint:
		f.Detail = fmt.Sprintf("The line has no log position such as 0/3000060 after the timeline: %q.", syntax.Text)
	case timeline.RuleIncreasing:
		f.Detail = fmt.Sprintf("Timelines must increase from line to line: %q.", syntax.Text)
	case timeline.RuleChild:
		f.Detail = fmt.Sprintf("A file may only name timelines below its own number %d: %q.", tli, syntax.Text)
	}
	return f
}

// historyRules are the server's own, in the words of its hints.
var historyRules = map[timeline.Rule]string{
	timeline.RuleTimeline:    "a row begins with a numeric timeline ID",
	timeline.RuleSwitchpoint: "the timeline is followed by a write-ahead log switchpoint location",
	timeline.RuleIncreasing:  "timeline IDs must be in increasing sequence",
	timeline.RuleChild:       "timeline IDs must be less than the child timeline's ID",
}

// checkHoles looks for missing files. A standby that follows the latest
// timeline tries the numbers upwards and stops at the first that is missing
// (findNewestTimeLine in src/backend/access/transam/timeline.c).
func (c *HistoryCheck) checkHoles(place HistoryPlace, tree *timeline.Tree) {
	have := map[pg.TimelineID]bool{}
	var newest pg.TimelineID
	for _, f := range place.Files {
		if tli, ok := pg.ParseHistoryName(historyName(f.Path)); ok && f.Err == nil {
			have[tli] = true
			newest = max(newest, tli)
		}
	}
	if place.Current == 0 && len(place.Files) < 2 {
		return // a single file says nothing about its neighbours
	}
	start := max(place.Current, 1)
	for tli := start + 1; tli < newest; tli++ {
		if have[tli] {
			continue
		}
		c.Findings.Add(Finding{Code: "history-hole", Severity: Warning, Timeline: tli, Path: place.Path,
			Title:  fmt.Sprintf("%s is missing, though later timelines exist", tli.HistoryName()),
			Detail: fmt.Sprintf("A standby that looks for the latest timeline counts upwards and stops before %d; it would not find timeline %d.", tli, newest),
			Hint:   "put the missing file back from the archive or from another node"})
		break
	}
	if place.Current > 1 && !have[place.Current] {
		c.Findings.Add(Finding{Code: "history-missing", Severity: Warning, Timeline: place.Current, Path: place.Path,
			Title:  fmt.Sprintf("%s is missing, the history of the current timeline", place.Current.HistoryName()),
			Detail: "pg_rewind cannot find the common ancestor without it, and a standby with this data cannot start unless its archive has the file.",
			Hint:   fmt.Sprintf("copy %s into pg_wal from the archive or from another node", place.Current.HistoryName())})
	}
}

// checkCurrent finds timelines in a data directory's own pg_wal that the
// directory can no longer follow, because it is past the place where they
// begin. The server says "requested timeline N is not a child of this
// server's history".
func (c *HistoryCheck) checkCurrent(place HistoryPlace, tree *timeline.Tree) {
	if place.Current == 0 {
		return
	}
	for _, tli := range tree.Timelines() {
		path, known := tree.Path(tli)
		if !known || tli == place.Current {
			continue
		}
		step, through := path.Step(place.Current)
		if !through || step.End == pg.MaxLSN || !place.past(step.End) {
			continue
		}
		c.Findings.Add(Finding{Code: "past-switch-point", Severity: Warning, Timeline: tli, LSN: step.End, Path: place.Path,
			Title: fmt.Sprintf("this data directory cannot follow timeline %d as it is", tli),
			Detail: fmt.Sprintf("It is on timeline %d and has reached %s, %d bytes past %s, where timeline %d is left on the way to %d.",
				place.Current, place.reached(), place.reached()-step.End, step.End, place.Current, tli),
			Hint: "see what would be lost with forkpoint report, then use forkpoint rewind"})
	}
}

// timelines lists all that is known of each timeline.
func (c *HistoryCheck) timelines(tree *timeline.Tree, places []HistoryPlace) {
	known := map[pg.TimelineID]*TimelineFacts{}
	order := tree.Timelines()
	for _, place := range places {
		for tli := range place.Segments {
			order = append(order, tli)
		}
		if place.Current != 0 {
			order = append(order, place.Current)
		}
	}
	for _, tli := range sortedUnique(order) {
		facts := &TimelineFacts{Timeline: tli}
		if b, ok := tree.Branch(tli); ok {
			facts.Parent, facts.Begin, facts.Reason = b.Parent, b.Begin, b.Reason
		}
		for _, child := range tree.Children(tli) {
			facts.Children = append(facts.Children, child.Timeline)
		}
		for _, place := range places {
			facts.Segments += place.Segments[tli]
		}
		known[tli] = facts
	}
	for _, f := range c.Files {
		if facts := known[f.Timeline]; facts != nil {
			facts.Files++
		}
	}
	for _, tli := range sortedUnique(order) {
		c.Timelines = append(c.Timelines, *known[tli])
	}
}
