package reports

import (
	"fmt"
	"slices"
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
	doc.Sections = append(doc.Sections, Section{"Commits only on the target", []Part{d.commitTable(maxRows)}})
	if len(d.Transactions.Open)+len(d.Transactions.Prepared) > 0 {
		doc.Sections = append(doc.Sections, Section{"Transactions open at the fork or in doubt", []Part{d.openTable()}})
	}
	doc.Sections = append(doc.Sections, Section{"Relations changed on the target", []Part{d.relationTable()}})
	doc.Sections = append(doc.Sections, d.restSections(maxRows)...)
	return doc
}

// restSections are what both forms of the report end with.
func (d *Divergence) restSections(maxRows int) []Section {
	var list []Section
	if len(d.Definitions) > 0 {
		list = append(list, Section{"Definitions changed on the target", []Part{d.definitionTable(maxRows)}})
	}
	if len(d.Events) > 0 {
		list = append(list, Section{"Files made, cut and removed on the target", []Part{d.eventTable(maxRows)}})
	}
	if d.Source.Known {
		list = append(list, Section{"Relations changed on the source", []Part{d.sourceTable(maxRows)}})
	}
	return append(list, Section{"What this rests on", []Part{d.coverageTable()}})
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
	facts = append(facts, Fact{"fork point", d.Fork.LSN,
		fmt.Sprintf("end of timeline %d in common; target on %d, source on %d", d.Fork.Timeline, d.Fork.Target, d.Fork.Source)})
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
	touched := fmt.Sprintf("since the fork; %d since redo", d.Blocks.SinceRedo)
	if d.Source.Known {
		touched += fmt.Sprintf("; %d by the source as well", d.Blocks.Both)
	} else {
		facts = append(facts, Fact{"source's WAL", "not at hand", "what it changed is not in this report; name an archive with --archive"})
	}
	facts = append(facts,
		Fact{"WAL past the fork", Bytes(d.Target.WALBytes), fmt.Sprintf("%d records", d.Target.Records)},
		Fact{"transactions since the fork", fmt.Sprintf("%d committed, %d aborted, %d in doubt", t.Commits, t.Aborts, len(t.Prepared)),
			fmt.Sprintf("%d open at the fork", len(t.Open))},
		Fact{"blocks touched", Count(d.Blocks.SinceFork), touched})
	if o := d.largeObjects(); o != "" {
		facts = append(facts, Fact{"large objects", o, ""})
	}
	return facts
}

// largeObjects says how many pages of large objects were written.
func (d *Divergence) largeObjects() string {
	var a Activity
	for _, r := range d.Relations {
		if r.Name != nil && r.Name.Schema == "pg_catalog" && r.Name.Relation == "pg_largeobject" && r.Fork == pg.MainFork {
			a.Inserts += r.Activity.Inserts
			a.Updates += r.Activity.Updates + r.Activity.HotUpdates
			a.Deletes += r.Activity.Deletes
		}
	}
	if a == (Activity{}) {
		return ""
	}
	return fmt.Sprintf("%s written, %d changed, %d removed", count(int(a.Inserts), "page", "pages"), a.Updates, a.Deletes)
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
