package reports

import (
	"fmt"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
)

// How many rows the tables of a page have; JSON has all.
const (
	maxPageRelations = 10000
	maxPageRows      = 2000
)

// Page is the report for a browser: the order is that of [Divergence.Document],
// with figures, and with whole tables at the end.
func (d *Divergence) Page() Document {
	doc := Document{Title: "Divergence report", Sections: []Section{{Parts: []Part{Text(d.summary()), d.facts()}}}}
	if len(d.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(d.Findings)}})
	}
	if tree := d.branchFigure(); tree != nil {
		doc.Sections = append(doc.Sections, Section{"Where they parted", tree})
	}
	if d.Charts.History != nil {
		doc.Sections = append(doc.Sections, Section{"Since the fork", []Part{*d.Charts.History}})
	}
	if d.Verdict != VerdictSame {
		doc.Sections = append(doc.Sections, d.rewindSection())
	}
	if d.Verdict != VerdictDiverged {
		return doc
	}
	if bars := d.barFigure(); len(bars) > 0 {
		doc.Sections = append(doc.Sections, Section{"Relations by loss", []Part{bars}})
	}
	doc.Sections = append(doc.Sections, Section{"Relations changed on the target", []Part{d.relationPageTable()}},
		Section{"Commits only on the target", []Part{d.commitTable(maxPageRows)}})
	if len(d.Transactions.Open)+len(d.Transactions.Prepared) > 0 {
		doc.Sections = append(doc.Sections, Section{"Transactions open at the fork or in doubt", []Part{d.openTable()}})
	}
	if len(d.Events) > 0 {
		doc.Sections = append(doc.Sections, Section{"Files made, cut and removed on the target", []Part{d.eventTable(maxPageRows)}})
	}
	return doc
}

// relationPageTable has every fork of every relation by itself, with a strip of
// the blocks.
func (d *Divergence) relationPageTable() Table {
	t := Table{Columns: []Column{{"relation", false}, {"kind", false}, {"blocks", true}, {"both", true}, {"since redo", true}, {"by replay", true},
		{"inserted", true}, {"updated", true}, {"HOT", true}, {"deleted", true}, {"WAL", true}, {"touched blocks, first to last", false}, {"note", false}},
		Empty: "None was changed."}
	notes := d.fileNotes()
	for i, r := range d.Relations {
		if i == maxPageRelations {
			t.Note = fmt.Sprintf("The first %d of %d; --format json has all. ", maxPageRelations, len(d.Relations))
			break
		}
		kind := ""
		if r.Name != nil {
			kind = r.Name.Kind
		}
		var strip any = ""
		if s, drawn := d.Charts.Strips[r.RelFork]; drawn {
			strip = s
		}
		note := ""
		if r.CutTo != nil {
			note = strings.Join(notes[r.RelFileLocator], ", ")
		}
		a := r.Activity
		t.Rows = append(t.Rows, []any{relationName(r.Name, r.RelFork), kind, Count(r.SinceFork), Count(r.Both), Count(r.SinceRedo), Count(r.Restored),
			Count(a.Inserts), Count(a.Updates), Count(a.HotUpdates), Count(a.Deletes), Bytes(a.WALBytes), strip, note})
	}
	t.Note += "Blocks touched since the fork, those of them that the source touched as well, blocks touched since the redo point, and those that replay restores and a rewind leaves alone. Rows by the log, aborted ones included. In a strip the darker a part, the more of its blocks were touched; a mark below says that the source touched some of the same blocks."
	return t
}

// fileNotes says what became of each relation's files.
func (d *Divergence) fileNotes() map[pg.RelFileLocator][]string {
	notes := map[pg.RelFileLocator][]string{}
	for _, e := range d.Events {
		if e.Relation == nil {
			continue
		}
		note := strings.TrimPrefix(string(e.Kind), "relation-")
		if e.Blocks != nil {
			note = fmt.Sprintf("cut to %d", *e.Blocks)
		}
		if list := notes[*e.Relation]; !slices.Contains(list, note) {
			notes[*e.Relation] = append(list, note)
		}
	}
	return notes
}
