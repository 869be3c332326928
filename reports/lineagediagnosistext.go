package reports

import (
	"fmt"
	"strings"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// Document is the diagnosis for people: verdict and next command first.
func (d *Diagnosis) Document() Document {
	head := "Verdict: " + remedyTexts[d.Verdict]
	if d.Verdict == RemedyRewindAfter {
		head += ": " + strings.Join(d.After, "; ")
	}
	parts := []Part{Text(head + ".")}
	if d.Reason != "" {
		parts = append(parts, Text(d.Reason))
	}
	if len(d.Next) > 0 {
		parts = append(parts, Text("Next:"), commands(d.Next))
	}
	doc := Document{Sections: []Section{{Parts: parts}}}
	if len(d.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(d.Findings)}})
	}
	doc.Sections = append(doc.Sections, Section{"Facts", []Part{d.nodeTable(), bullets(d.Facts)}})
	if len(d.Inferences) > 0 {
		doc.Sections = append(doc.Sections, Section{"Inferences", []Part{bullets(d.Inferences)}})
	}
	if len(d.Histories) > 0 {
		doc.Sections = append(doc.Sections, Section{"Histories side by side", []Part{d.historyTable()}})
	}
	if len(d.Segments) > 0 {
		doc.Sections = append(doc.Sections, Section{"WAL that is needed", []Part{d.segmentTable()}})
	}
	return doc
}

// commands are shown unbroken, to be copied.
func commands(list []string) Part {
	var facts Facts
	for i, c := range list {
		facts = append(facts, Fact{Name: fmt.Sprint(i + 1), Value: c})
	}
	return facts
}

func bullets(list []string) Part {
	if len(list) == 0 {
		return Text("None.")
	}
	return Text("* " + strings.Join(list, "\n* "))
}

func (d *Diagnosis) nodeTable() Table {
	t := Table{Columns: []Column{{"", false}, {"target", false}, {"source", false}}}
	row := func(name string, of func(DiagnosedNode) any) {
		t.Rows = append(t.Rows, []any{name, of(d.Target), of(d.Source)})
	}
	row("name", func(n DiagnosedNode) any { return n.Name })
	row("kind", func(n DiagnosedNode) any { return n.Kind })
	row("system identifier", func(n DiagnosedNode) any { return known(n.SystemID != 0, fmt.Sprint(n.SystemID)) })
	row("version", func(n DiagnosedNode) any { return known(n.Major != 0, fmt.Sprintf("PostgreSQL %d", n.Major)) })
	row("state", func(n DiagnosedNode) any { return known(n.State != "", n.State) })
	row("timeline", func(n DiagnosedNode) any { return known(n.Timeline != 0, n.Timeline.String()) })
	row("timeline of its last checkpoint", func(n DiagnosedNode) any { return known(n.ControlTimeline != 0, n.ControlTimeline.String()) })
	row("log reaches", func(n DiagnosedNode) any { return known(n.Reached.Valid(), n.Reached.String()) })
	return t
}

func known(is bool, s string) any {
	if !is {
		return nil
	}
	return s
}

func (d *Diagnosis) historyTable() Table {
	t := Table{Columns: []Column{{"target", false}, {"from", true}, {"until", true}, {"source", false}, {"from", true}, {"until", true}, {"", false}}}
	parted := false
	for _, p := range d.Histories {
		note := ""
		if !p.Same && !parted {
			note, parted = "<- the first row that differs", true
		} else if p.Same && p.Target.End != p.Source.End {
			note = "<- the last timeline in common"
		}
		t.Rows = append(t.Rows, append(append(stepCells(p.Target), stepCells(p.Source)...), note))
	}
	return t
}

func stepCells(s *timeline.Step) []any {
	if s == nil {
		return []any{nil, nil, nil}
	}
	end := any("now")
	if s.End != pg.MaxLSN {
		end = s.End
	}
	return []any{s.Timeline.String(), s.Begin, end}
}

// shownSegments is how many rows are printed where all segments are found.
const shownSegments = 12

func (d *Diagnosis) segmentTable() Table {
	t := Table{Columns: []Column{{"segment", false}, {"needed for", false}, {"where", false}}}
	for _, s := range d.Segments {
		var uses []string
		if s.Blocks {
			uses = append(uses, "changed blocks")
		}
		if s.Replay {
			uses = append(uses, "replay")
		}
		where := strings.Join(s.Where, ", ")
		if where == "" {
			where = "NOWHERE"
		} else if len(t.Rows) >= shownSegments {
			continue
		}
		t.Rows = append(t.Rows, []any{s.Name, strings.Join(uses, ", "), where})
	}
	if left := len(d.Segments) - len(t.Rows); left > 0 {
		t.Note = fmt.Sprintf("%d more were found; --format json lists them.", left)
	}
	return t
}
