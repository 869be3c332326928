package reports

import (
	"fmt"
	"strings"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// HistoryRepairSchema names the JSON form of [HistoryRepair].
const HistoryRepairSchema = "forkpoint/history-repair/1"

// HistoryRepair tells what a rebuilt history file rests on.
type HistoryRepair struct {
	Schema   string        `json:"schema"`
	Timeline pg.TimelineID `json:"timeline"`
	Path     string        `json:"path"`           // where it was written
	Kept     string        `json:"kept,omitempty"` // the old file
	Rows     []RepairedRow `json:"rows"`
	Findings Findings      `json:"findings"`
}

// RepairedRow is a row and its evidence.
type RepairedRow struct {
	timeline.Entry
	From string `json:"from"`
}

// NewHistoryRepair describes a rebuilt file and checks the bytes as they will
// be read.
func NewHistoryRepair(rebuilt *lineage.Rebuilt, content []byte) *HistoryRepair {
	h := rebuilt.History
	r := &HistoryRepair{Schema: HistoryRepairSchema, Timeline: h.Timeline, Findings: Findings{}}
	for i, row := range h.Entries {
		r.Rows = append(r.Rows, RepairedRow{row, rebuilt.Origins[i]})
	}
	for _, doubt := range rebuilt.Doubts {
		r.Findings.Add(Finding{Code: "repair-doubt", Severity: Warning, Timeline: h.Timeline, Title: "there is evidence for something else",
			Detail: strings.ToUpper(doubt[:1]) + doubt[1:] + ".", Hint: "look at both with forkpoint history validate before you use the file"})
	}
	check := CheckHistory(HistoryPlace{Files: []HistoryFile{{Path: h.Timeline.HistoryName(), Content: content}}})
	r.Findings = append(r.Findings, check.Findings...)
	r.Findings.sort()
	return r
}

// Worst is the gravest finding.
func (r *HistoryRepair) Worst() Severity { return r.Findings.Worst() }

// Document is the repair for people.
func (r *HistoryRepair) Document() Document {
	s := fmt.Sprintf("The history of timeline %d was rebuilt and written to %s.", r.Timeline, r.Path)
	switch {
	case r.Kept != "":
		s += fmt.Sprintf(" What was there before is in %s.", r.Kept)
	case strings.HasSuffix(r.Path, ".forkpoint"):
		s += " No server reads it under this name: look at it, then run the same command with --in-place."
	}
	table := Table{Columns: []Column{{"timeline", true}, {"until", true}, {"evidence", false}, {"reason", false}}}
	for _, row := range r.Rows {
		table.Rows = append(table.Rows, []any{row.Timeline, row.End, row.From, row.Reason})
	}
	doc := Document{Sections: []Section{{Parts: []Part{Text(s)}}, {"Rows", []Part{table}}}}
	if len(r.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(r.Findings)}})
	}
	return doc
}
