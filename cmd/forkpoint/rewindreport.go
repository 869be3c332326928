package main

import (
	"fmt"
	"strings"
	"time"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
)

// maxActions is how many files of a plan people are shown; JSON has all.
const maxActions = 40

// rewindReport shows what a rewind did or would do. Its JSON is the result.
type rewindReport struct {
	*rewind.Result
	target string
	undone bool
	undo   string // command that takes the rewind back
}

// Worst is nothing: what stands in the way of a rewind is an error.
func (r *rewindReport) Worst() reports.Severity { return reports.None }

// Document is the result for people.
func (r *rewindReport) Document() reports.Document {
	sections := []reports.Section{{Parts: []reports.Part{reports.Text(r.summary())}}}
	switch p := r.Plan; {
	case p != nil && r.DryRun:
		sections[0].Parts = append(sections[0].Parts, append(append(placeFacts(p), costFacts(p)...), r.bundleFact()))
		sections = append(sections,
			reports.Section{Title: "What would be done", Parts: []reports.Part{planKinds(p)}},
			reports.Section{Title: "Files, in the order of execution", Parts: []reports.Part{planFiles(p)}})
		sections = append(sections, lostAndKept(p)...)
	case p != nil:
		sections[0].Parts = append(sections[0].Parts, append(placeFacts(p), r.doneFacts()...))
		sections = append(sections, reports.Section{Title: "What was done", Parts: []reports.Part{planKinds(p)}})
		sections = append(sections, lostAndKept(p)...)
	}
	if r.Certificate != nil {
		verified := (&verifyReport{r.Certificate}).Document().Sections
		verified[0].Title = "Verification"
		sections = append(sections, verified...)
	}
	if len(r.Notes) > 0 {
		sections = append(sections, reports.Section{Title: "Note", Parts: []reports.Part{reports.Text(strings.Join(r.Notes, "\n"))}})
	}
	if next := r.next(); next != "" {
		section := reports.Section{Title: "Next", Parts: []reports.Part{reports.Text(next)}}
		if r.Needed && !r.DryRun && !r.undone && r.Journal != "" {
			section.Parts = append(section.Parts, reports.Text("What was overwritten or removed is kept. Until the server is started, all of it can be put back:"),
				reports.Facts{{Name: "kept in", Value: r.Journal}, {Name: "put back by", Value: r.undo}}) // unbroken, to be copied
		}
		sections = append(sections, section)
	}
	return reports.Document{Sections: sections}
}

func (r *rewindReport) summary() string {
	switch {
	case r.undone && !r.Needed:
		return "Nothing to undo: " + r.Why + "."
	case r.undone:
		return fmt.Sprintf("The rewind is undone: %s is as it was before.", r.target)
	case !r.Needed:
		return "No rewind is needed: " + r.Why + "."
	case r.DryRun:
		return fmt.Sprintf("%s would be rewound to the fork. Nothing was changed.", r.target)
	case r.Resumed:
		return fmt.Sprintf("The rewind that was interrupted is finished: %s can follow the source.", r.target)
	}
	return fmt.Sprintf("Done: %s can follow the source.", r.target)
}

// next says what to type.
func (r *rewindReport) next() string {
	switch {
	case r.DryRun && r.Needed:
		return "Run the same command without --dry-run. See what would be lost with forkpoint report first."
	case r.undone || r.DryRun:
		return ""
	case !r.Needed && r.Recovery:
		return "standby.signal and primary_conninfo are written. Start the server. It comes up as a standby of the source."
	case !r.Needed:
		return "No recovery settings were written. Make it a standby, unless it is one (standby.signal and primary_conninfo, or run again with --write-recovery-conf), then start the server."
	}
	if r.Recovery {
		return "Start the server. It comes up as a standby of the source."
	}
	return "Make it a standby (standby.signal and primary_conninfo, or --write-recovery-conf next time), then start the server. Without that it would come up as a primary of its own."
}

func placeFacts(p *plan.Plan) reports.Facts {
	return reports.Facts{
		{Name: "fork point", Value: p.Fork.LSN, Note: fmt.Sprintf("end of timeline %d in common; the target's WAL ended at %s", p.Fork.Timeline, p.TargetEnd)},
		{Name: "last common checkpoint", Value: p.Checkpoint.LSN, Note: fmt.Sprintf("redo %s, timeline %d", p.Checkpoint.Redo, p.Checkpoint.Timeline)},
	}
}

// bundleFact says what journal and evidence would take.
func (r *rewindReport) bundleFact() reports.Fact {
	return reports.Fact{Name: "evidence bundle, at most", Value: reports.Bytes(r.BundleSize), Note: "in the state directory; before compression"}
}

// doneFacts says what was moved and how long it took.
func (r *rewindReport) doneFacts() reports.Facts {
	w := r.Written
	facts := reports.Facts{
		{Name: "read from the source", Value: reports.Bytes(w.FromSource), Note: "of " + bytesText(r.Plan.Totals.SourceSize) + " there"},
		{Name: "written to the target", Value: reports.Bytes(w.ToTarget), Note: bytesText(w.Equal) + " were equal and left alone"},
		{Name: "old bytes kept", Value: reports.Bytes(w.PreImages)},
		{Name: "blocks copied", Value: reports.Count(r.Plan.Totals.Blocks), Note: fmt.Sprintf("%d left to replay", r.Plan.Totals.Why.Spared)},
		{Name: "consistent from", Value: r.MinRecovery, Note: "replay has to reach it before the server takes connections"},
	}
	var total time.Duration
	var phases []string
	for _, t := range r.Times {
		total += t.Elapsed
		var parts []string
		for _, p := range t.Parts {
			parts = append(parts, fmt.Sprintf("%s %s", p.Name, p.Elapsed.Round(time.Millisecond)))
		}
		phase := fmt.Sprintf("%s %s", t.Phase, t.Elapsed.Round(time.Millisecond))
		if len(parts) > 0 {
			phase += " (" + strings.Join(parts, ", ") + ")"
		}
		phases = append(phases, phase)
	}
	return append(facts, reports.Fact{Name: "took", Value: total, Note: strings.Join(phases, ", ")})
}

// costFacts says what a rewind would move.
func costFacts(p *plan.Plan) reports.Facts {
	t := p.Totals
	return reports.Facts{
		{Name: "to copy, at most", Value: reports.Bytes(t.Copied), Note: "of " + bytesText(t.SourceSize) + " at the source"},
		{Name: "relation data", Value: reports.Bytes(t.RelationData), Note: fmt.Sprintf("%d blocks; %d were touched since redo", t.Blocks, t.Classic)},
		{Name: "blocks touched after the fork", Value: reports.Count(t.Why.After)},
		{Name: "blocks not restored by replay", Value: reports.Count(t.Why.Unproven), Note: "touched between redo and fork"},
		{Name: "blocks with unlogged hints", Value: reports.Count(t.Why.Hinted), Note: "possibly; of transactions open at the fork, or dead index entries"},
		{Name: "blocks left to replay", Value: reports.Count(t.Why.Spared), Note: "each restored by a full-page image or an initialisation; --format json names the WAL"},
		{Name: "WAL for replay", Value: reports.Bytes(t.WAL)},
		{Name: "other files", Value: reports.Bytes(t.Other), Note: "compared, and copied where they differ"},
		{Name: "set aside", Value: reports.Bytes(t.SetAside), Note: "leaves the data directory, kept as evidence"},
		{Name: "old bytes to keep, at most", Value: reports.Bytes(t.PreImages)},
	}
}

func bytesText(n int64) string {
	const mb = 1 << 20
	if n >= 10*mb {
		return fmt.Sprintf("%d MB", n/mb)
	}
	return fmt.Sprintf("%d kB", n>>10)
}

// planKinds sums the actions up by kind.
func planKinds(p *plan.Plan) reports.Table {
	t := reports.Table{Columns: []reports.Column{{Title: "action"}, {Title: "files", Right: true}, {Title: "bytes at the source", Right: true}, {Title: "bytes at the target", Right: true}}, Empty: "Nothing."}
	for i := 0; i < len(p.Actions); {
		kind, files, size, old := p.Actions[i].Kind, 0, int64(0), int64(0)
		for ; i < len(p.Actions) && p.Actions[i].Kind == kind; i++ {
			files++
			size += p.Actions[i].Size
			old += p.Actions[i].TargetSize
		}
		t.Rows = append(t.Rows, []any{kind.String(), reports.Count(files), reports.Bytes(size), reports.Bytes(old)})
	}
	return t
}

// planFiles lists the actions one by one.
func planFiles(p *plan.Plan) reports.Table {
	t := reports.Table{Columns: []reports.Column{{Title: "action"}, {Title: "file"}, {Title: "blocks", Right: true}, {Title: "size", Right: true}, {Title: "why"}}}
	left := 0
	for _, a := range p.Actions {
		if len(t.Rows) == maxActions || a.Kind == plan.CopyForks {
			left++
			continue
		}
		row := []any{a.Kind.String(), a.Path, nil, reports.Bytes(max(a.Size, 0)), string(a.Reason)}
		if a.Blocks != nil {
			row[2] = reports.Count(a.Blocks.Len())
		}
		if a.Size != a.TargetSize && a.Kind == plan.Blocks {
			row[4] = fmt.Sprintf("%s, was %s", a.Reason, bytesText(a.TargetSize))
		}
		t.Rows = append(t.Rows, row)
	}
	if left > 0 {
		t.Note = fmt.Sprintf("%d more, maps of free space and visibility among them; --format json has all.", left)
	}
	return t
}

func lostAndKept(p *plan.Plan) []reports.Section {
	var sections []reports.Section
	if len(p.LostSlots) > 0 {
		sections = append(sections, reports.Section{Title: "Replication slots that the target loses", Parts: []reports.Part{reports.Text(strings.Join(p.LostSlots, ", "))}})
	}
	if len(p.Kept) > 0 {
		sections = append(sections, reports.Section{Title: "Files that stay as the target has them", Parts: []reports.Part{reports.Text(strings.Join(p.Kept, ", "))}})
	}
	return sections
}
