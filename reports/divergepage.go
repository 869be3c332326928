package reports

import (
	"fmt"
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
	if d.Transactions.Aborts > 0 {
		doc.Sections = append(doc.Sections, Section{"Rolled back on the target", []Part{d.abortTable(maxPageRows)}})
	}
	if len(d.Transactions.Open)+len(d.Transactions.Prepared) > 0 {
		doc.Sections = append(doc.Sections, Section{"Transactions open at the fork or in doubt", []Part{d.openTable()}})
	}
	doc.Sections = append(doc.Sections, d.restSections(maxPageRows)...)
	return doc
}

// relationPageTable has every fork of every relation by itself, with a strip of
// the blocks.
func (d *Divergence) relationPageTable() Table {
	t := Table{Columns: []Column{{"relation", false}, {"kind", false}, {"size", true}, {"blocks", true}, {"both", true}, {"redo", true}, {"replay", true},
		{"inserted", true}, {"updated", true}, {"HOT", true}, {"deleted", true}, {"images", true}, {"WAL", true}, {"touched blocks", false}, {"note", false}},
		Empty: "None was changed."}
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
		var size any
		if r.Size != nil {
			size = Bytes(*r.Size)
		}
		a := r.Activity
		t.Rows = append(t.Rows, []any{relationName(r.Name, r.RelFork), kind, size, Count(r.SinceFork), Count(r.Both), Count(r.SinceRedo), Count(r.Restored),
			Count(a.Inserts), Count(a.Updates), Count(a.HotUpdates), Count(a.Deletes), Count(a.Images), Bytes(a.WALBytes), strip, d.changeNotes(r)})
	}
	t.Note += "Blocks touched since the fork, those of them that the source touched as well, blocks touched since the redo point, and those that replay restores and a rewind leaves alone. Rows by the log, aborted ones included. In a strip the stronger the colour of a part, the more of its blocks were touched; a mark below says that the source touched some of the same blocks."
	return t
}
