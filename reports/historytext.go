package reports

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
)

// Worst is the gravest finding.
func (c *HistoryCheck) Worst() Severity { return c.Findings.Worst() }

// Document is the check for people.
func (c *HistoryCheck) Document() Document {
	doc := Document{Sections: []Section{{Parts: []Part{Text(c.verdict())}}}}
	if len(c.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(c.Findings)}})
	}
	doc.Sections = append(doc.Sections,
		Section{"Timelines", []Part{c.timelineTable()}},
		Section{"History files", []Part{c.fileTable()}})
	return doc
}

// verdict is the first thing a reader sees.
func (c *HistoryCheck) verdict() string {
	var seen []string
	for _, p := range c.Places {
		s := p.Path
		if p.Current != 0 {
			s += fmt.Sprintf(" (on timeline %d, reached %s)", p.Current, p.Reached)
		}
		seen = append(seen, s)
	}
	what := fmt.Sprintf("%s in %s: ", count(len(c.Files), "history file", "history files"), strings.Join(seen, ", "))
	switch worst := c.Worst(); {
	case worst == None && len(c.Files) == 0:
		return what + "the timeline was never switched."
	case worst == None:
		return what + "all are valid and agree with each other."
	default:
		return what + count(len(c.Findings), "finding", "findings") + ", the gravest is " + worst.String() + "."
	}
}

func (c *HistoryCheck) timelineTable() Table {
	t := Table{Columns: []Column{{"timeline", true}, {"from", true}, {"begins at", true}, {"goes on as", false}, {"WAL segments", true}, {"current in", false}, {"reason", false}},
		Empty: "No timelines are known."}
	for _, facts := range c.Timelines {
		row := []any{facts.Timeline, nil, nil, nil, Count(facts.Segments), "", facts.Reason}
		if facts.Parent != 0 {
			row[1], row[2] = facts.Parent, facts.Begin
		}
		if len(facts.Children) > 0 {
			row[3] = joinTimelines(facts.Children)
		}
		var current []string
		for _, p := range c.Places {
			if p.Current == facts.Timeline {
				current = append(current, p.Path)
			}
		}
		row[5] = strings.Join(current, ", ")
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (c *HistoryCheck) fileTable() Table {
	t := Table{Columns: []Column{{"file", false}, {"line", true}, {"timeline", true}, {"until", true}, {"reason", false}},
		Empty: "There are none, as is usual on timeline 1."}
	for _, f := range c.Files {
		name := filepath.Base(f.Path)
		if len(c.Places) > 1 {
			name = f.Path
		}
		if !f.Valid {
			t.Rows = append(t.Rows, []any{name, nil, nil, nil, "not usable, see findings"})
		}
		for i, row := range f.Rows {
			if i > 0 {
				name = ""
			}
			t.Rows = append(t.Rows, []any{name, row.Line, row.Timeline, row.End, row.Reason})
		}
	}
	return t
}

func joinTimelines(list []pg.TimelineID) string {
	var s []string
	for _, tli := range list {
		s = append(s, tli.String())
	}
	return strings.Join(s, ", ")
}

func sortedUnique(list []pg.TimelineID) []pg.TimelineID {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
