package main

import (
	"fmt"
	"time"

	"forkpoint/reports"
	"forkpoint/rewind/journal"
	"forkpoint/walinspect/pg"
)

// evidenceBundle is a bundle in a list.
type evidenceBundle struct {
	ID       string        `json:"id"`
	Dir      string        `json:"dir"`
	Stage    journal.Stage `json:"stage"`
	Started  time.Time     `json:"started"`
	Target   string        `json:"target"`
	Source   string        `json:"source"`
	Fork     pg.LSN        `json:"fork"`
	Timeline pg.TimelineID `json:"fork_timeline"`
	Undo     bool          `json:"undo"` // old bytes were kept
	Size     int64         `json:"journal_bytes"`
	Damage   string        `json:"damage,omitempty"` // what is wrong with its log
}

func bundleOf(s *journal.Summary) evidenceBundle {
	return evidenceBundle{
		ID: s.Header.ID, Dir: s.Dir, Stage: s.Stage, Started: s.Header.Started, Target: s.Header.Target,
		Source: s.Header.Source, Fork: s.Header.Fork, Timeline: s.Header.ForkTimeline, Undo: s.Header.Undo, Size: s.Size, Damage: s.Damage,
	}
}

type evidenceList struct {
	Schema  string           `json:"schema"`
	Bundles []evidenceBundle `json:"bundles"`
}

// Document lists the bundles for people.
func (r *evidenceList) Document() reports.Document {
	t := reports.Table{
		Columns: []reports.Column{{Title: "id"}, {Title: "stage"}, {Title: "started"}, {Title: "fork"}, {Title: "old bytes", Right: true}, {Title: "source"}},
		Empty:   "There is no evidence bundle.",
	}
	for _, b := range r.Bundles {
		stage := b.Stage.String()
		if b.Damage != "" {
			stage += ", damaged"
		}
		t.Rows = append(t.Rows, []any{b.ID, stage, b.Started.Format(time.DateTime), b.Fork, reports.Bytes(b.Size), b.Source})
	}
	return reports.Document{Sections: []reports.Section{{Parts: []reports.Part{t}}}}
}

// evidenceFile is a name that a rewind changed.
type evidenceFile struct {
	Path string `json:"path"`
	Was  string `json:"was,omitempty"`
	Size int64  `json:"size,omitempty"`
	At   string `json:"kept_at,omitempty"`
}

type evidenceShow struct {
	Schema  string         `json:"schema"`
	Bundle  evidenceBundle `json:"bundle"`
	Changed []evidenceFile `json:"changed"`
	Kept    []evidenceFile `json:"kept"`
}

// Worst is nothing: a bundle is what it is.
func (r *evidenceShow) Worst() reports.Severity { return reports.None }

// Document shows the bundle for people.
func (r *evidenceShow) Document() reports.Document {
	b := r.Bundle
	facts := reports.Facts{
		{Name: "bundle", Value: b.Dir},
		{Name: "rewind", Value: b.ID, Note: b.Stage.String() + ", started " + b.Started.Format(time.DateTime) + " UTC"},
		{Name: "target", Value: b.Target},
		{Name: "source", Value: b.Source},
		{Name: "fork point", Value: b.Fork, Note: fmt.Sprintf("timeline %d", b.Timeline)},
		{Name: "names changed", Value: reports.Count(len(r.Changed))},
		{Name: "files set aside", Value: reports.Count(len(r.Kept))},
		{Name: "old bytes", Value: reports.Bytes(b.Size), Note: "compressed"},
	}
	kept := reports.Table{Columns: []reports.Column{{Title: "file"}, {Title: "kept at"}}, Empty: "No file was set aside."}
	for i, f := range r.Kept {
		if i == maxActions {
			kept.Note = fmt.Sprintf("%d more; --format json has all.", len(r.Kept)-i)
			break
		}
		kept.Rows = append(kept.Rows, []any{f.Path, f.At})
	}
	return reports.Document{Sections: []reports.Section{
		{Parts: []reports.Part{facts}},
		{Title: "Files set aside", Parts: []reports.Part{kept}},
	}}
}

type evidenceVerify struct {
	Schema string         `json:"schema"`
	Bundle evidenceBundle `json:"bundle"`
	Files  int            `json:"files"`
	Wrong  []string       `json:"wrong"`
	Next   string         `json:"next,omitempty"` // what to run
}

// Worst is damage where anything does not fit.
func (r *evidenceVerify) Worst() reports.Severity {
	if len(r.Wrong) > 0 {
		return reports.Damage
	}
	return reports.None
}

// Document says what was found.
func (r *evidenceVerify) Document() reports.Document {
	if len(r.Wrong) == 0 {
		return reports.Document{Sections: []reports.Section{{Parts: []reports.Part{
			reports.Text(fmt.Sprintf("%s: %d files are as the manifest says, and the journal is whole.", r.Bundle.ID, r.Files))}}}}
	}
	t := reports.Table{Columns: []reports.Column{{Title: "what does not fit"}}}
	for _, w := range r.Wrong {
		t.Rows = append(t.Rows, []any{w})
	}
	parts := []reports.Part{t}
	if r.Next != "" {
		parts = append(parts, reports.Text(r.Next))
	}
	return reports.Document{Sections: []reports.Section{{Parts: parts}}}
}
