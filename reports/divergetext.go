package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"forkpoint/walinspect/pg"
)

// How many rows of a table people are shown; JSON has all.
const maxRows = 25

// Worst is the gravest finding.
func (d *Divergence) Worst() Severity { return d.Findings.Worst() }

// Document is the report for people: the answer first, then what to know, then
// the tables.
func (d *Divergence) Document() Document {
	doc := Document{Sections: []Section{{Parts: []Part{Text(d.summary()), d.facts()}}}}
	if len(d.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(d.Findings)}})
	}
	if d.Verdict == VerdictDiverged || d.Verdict == VerdictBehind {
		doc.Sections = append(doc.Sections, d.rewindSection())
	}
	if d.Verdict != VerdictDiverged {
		return doc
	}
	doc.Sections = append(doc.Sections,
		Section{"Commits only on the target", []Part{d.commitTable(maxRows)}},
		Section{"Relations changed on the target", []Part{d.relationTable()}})
	if len(d.Transactions.Open)+len(d.Transactions.Prepared) > 0 {
		doc.Sections = append(doc.Sections, Section{"Transactions open at the fork or in doubt", []Part{d.openTable()}})
	}
	if len(d.Events) > 0 {
		doc.Sections = append(doc.Sections, Section{"Files made, cut and removed on the target", []Part{d.eventTable(maxRows)}})
	}
	return doc
}

// summary answers in one or two sentences.
func (d *Divergence) summary() string {
	switch {
	case d.Verdict == VerdictBehind:
		return fmt.Sprintf("The target has not diverged: its log ends at %s and the source left timeline %d at %s. It can follow the source as it is.",
			d.Target.End.LSN, d.Fork.Timeline, d.Fork.LSN)
	case d.Verdict == VerdictUnknown:
		return fmt.Sprintf("The source left timeline %d at %s. What the target did after that is not known: see the findings.", d.Fork.Timeline, d.Fork.LSN)
	case d.Verdict == VerdictSame:
		return fmt.Sprintf("Both clusters are on timeline %d; by their histories neither has left the other.", d.Fork.Timeline)
	case d.Transactions.Commits == 0:
		return fmt.Sprintf("The clusters parted at %s. The target went on by %d bytes of WAL, but no transaction was committed there since: nothing would be lost by a rewind.",
			d.Fork.LSN, d.Target.WALBytes)
	}
	t := d.Transactions
	s := fmt.Sprintf("The target holds %s that the source does not have", count(t.Commits, "commit", "commits"))
	if t.First.Equal(t.Last) {
		s += fmt.Sprintf(", made at %s", stamp(t.First))
	} else {
		s += fmt.Sprintf(", made between %s and %s (%s)", stamp(t.First), stamp(t.Last), t.Last.Sub(t.First).Round(time.Second))
	}
	return s + fmt.Sprintf(". They and all else since the fork changed %s of %s. A rewind throws these changes away.",
		count(int(d.Blocks.SinceFork), "block", "blocks"), count(d.Blocks.Relations, "relation", "relations"))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func (d *Divergence) facts() Facts {
	facts := Facts{
		{"target", pathOr(d.Target.Path), fmt.Sprintf("timeline %d%s", d.Target.Timeline, withState(d.Target.State))},
		{"source", pathOr(d.Source.Path), fmt.Sprintf("timeline %d%s", d.Source.Timeline, withState(d.Source.State))},
	}
	if d.Verdict == VerdictSame {
		return append(facts,
			Fact{"target has reached", d.Target.Reached, ""}, Fact{"source has reached", d.Source.Reached, ""})
	}
	facts = append(facts, Facts{
		{"fork point", d.Fork.LSN, fmt.Sprintf("end of timeline %d in common; the source went on as %d, the target as %d", d.Fork.Timeline, d.Fork.Source, d.Fork.Target)},
	}...)
	if c := d.Checkpoint; c != nil {
		facts = append(facts, Fact{"last common checkpoint", c.LSN, fmt.Sprintf("redo %s, timeline %d, %s", c.Redo, c.Timeline, stamp(c.Time))})
	} else {
		facts = append(facts, Fact{"last common checkpoint", "not found", ""})
	}
	facts = append(facts, Fact{"target's WAL ends at", d.Target.End.LSN, StopText(d.Target.End.Reason)})
	if d.Source.Known {
		facts = append(facts, Fact{"source's WAL ends at", d.Source.End.LSN,
			fmt.Sprintf("%s since the fork", count(d.Source.Commits, "commit", "commits"))})
	}
	t := d.Transactions
	if d.Verdict == VerdictBehind {
		return facts
	}
	return append(facts,
		Fact{"WAL past the fork", Bytes(d.Target.WALBytes), fmt.Sprintf("%d records", d.Target.Records)},
		Fact{"transactions since the fork", fmt.Sprintf("%d committed, %d aborted, %d in doubt", t.Commits, t.Aborts, len(t.Prepared)),
			fmt.Sprintf("%d open at the fork", len(t.Open))},
		Fact{"blocks touched", Count(d.Blocks.SinceFork), fmt.Sprintf("since the fork; %d since redo", d.Blocks.SinceRedo)})
}

func pathOr(path string) string {
	if path == "" {
		return "(from the catalog)"
	}
	return path
}

func withState(state string) string {
	if state == "" {
		return ""
	}
	return ", " + state
}

func (d *Divergence) rewindSection() Section {
	s := Section{Title: "A rewind would copy"}
	if !d.Rewind.Needed {
		s.Title = "Rewind"
		s.Parts = []Part{Text("None is needed.")}
		return s
	}
	table := Table{Columns: []Column{{"rule", false}, {"blocks", true}, {"relation data", true}}}
	if d.Rewind.Exact {
		table.Columns = append(table.Columns, Column{"WAL", true}, Column{"other files", true}, Column{"in all", true})
	}
	for _, rule := range []struct {
		name string
		cost CopyCost
	}{{"forkpoint", d.Rewind.Forkpoint}, {"pg_rewind", d.Rewind.PgRewind}} {
		row := []any{rule.name, Count(rule.cost.Blocks), Bytes(rule.cost.RelationData)}
		if d.Rewind.Exact {
			row = append(row, Bytes(rule.cost.WAL), Bytes(rule.cost.Other), Bytes(rule.cost.Total))
		}
		table.Rows = append(table.Rows, row)
	}
	table.Note = "forkpoint leaves blocks to replay that the WAL before the fork restores."
	if !d.Rewind.Exact {
		table.Note += " Only blocks that records name are counted; relations that were made or cut, files that are not relations, and WAL come on top."
	}
	s.Parts = []Part{table}
	return s
}

// commitTable has the last commits, at most maxRows of them.
func (d *Divergence) commitTable(maxRows int) Table {
	t := Table{Columns: []Column{{"xid", true}, {"committed at", false}, {"LSN", true}, {"subxacts", true}, {"records", true}, {"WAL", true}, {"note", false}},
		Empty: "There are none."}
	shown := d.Transactions.Committed
	if n := len(shown); n > maxRows {
		shown = shown[n-maxRows:]
		t.Note = fmt.Sprintf("The last %d of %d; --format json has all.", maxRows, n)
	}
	for _, x := range shown {
		var notes []string
		if x.GID != "" {
			notes = append(notes, fmt.Sprintf("prepared as %q", x.GID))
		}
		if x.Origin != 0 {
			notes = append(notes, fmt.Sprintf("from replication origin %d at %s", x.Origin, x.OriginLSN))
		}
		if x.Before {
			notes = append(notes, "began before the fork")
		}
		t.Rows = append(t.Rows, []any{x.XID, x.Time, x.LSN, Count(len(x.Subxacts)), Count(x.Records), Bytes(x.WALBytes), strings.Join(notes, ", ")})
	}
	return t
}

func (d *Divergence) openTable() Table {
	t := Table{Columns: []Column{{"xid", true}, {"on the target", false}, {"LSN", true}, {"name", false}}}
	for _, x := range d.Transactions.Open {
		row := []any{x.XID, x.Outcome, nil, x.GID}
		if x.LSN.Valid() {
			row[2] = x.LSN
		}
		t.Rows = append(t.Rows, row)
	}
	for _, x := range d.Transactions.Prepared {
		if !slices.ContainsFunc(d.Transactions.Open, func(o OpenAtFork) bool { return o.XID == x.XID }) {
			t.Rows = append(t.Rows, []any{x.XID, "prepared, in doubt", x.LSN, x.GID})
		}
	}
	return t
}

// eventTable has the first events, at most maxRows of them.
func (d *Divergence) eventTable(maxRows int) Table {
	t := Table{Columns: []Column{{"LSN", true}, {"xid", true}, {"what", false}, {"of", false}}}
	shown := d.Events
	if n := len(shown); n > maxRows {
		shown = shown[:maxRows]
		t.Note = fmt.Sprintf("The first %d of %d; --format json has all.", maxRows, n)
	}
	for _, e := range shown {
		of := e.Detail
		if e.Relation != nil {
			of = relationName(e.Name, pg.RelFork{RelFileLocator: *e.Relation})
		}
		if e.Blocks != nil {
			of += fmt.Sprintf(" to %d blocks", *e.Blocks)
		}
		t.Rows = append(t.Rows, []any{e.LSN, e.XID, string(e.Kind), of})
	}
	return t
}
