package reports

import (
	"fmt"
	"time"
)

// rewindSection says what a rewind would do.
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
	if facts := d.Rewind.facts(); len(facts) > 0 {
		s.Parts = append(s.Parts, facts)
	}
	return s
}

// facts say what a rewind does besides copying.
func (r *RewindCost) facts() Facts {
	var facts Facts
	if r.Replay > 0 {
		facts = append(facts, Fact{"to replay after it", Bytes(r.Replay), "of WAL, from the redo point to the source's end"})
	}
	if e := r.Estimate; e != nil {
		facts = append(facts, Fact{"time, roughly", seconds(e.Copy) + " to copy, " + seconds(e.Replay) + " to replay", e.Basis})
	}
	f := r.Files
	if f == nil {
		return facts
	}
	facts = append(facts, Fact{"files", fmt.Sprintf("%d made, %d set aside", f.Created, f.Removed), "those set aside are kept as evidence"})
	for _, list := range []struct {
		name, note string
		files      []string
	}{
		{"stay as they are", "", f.Kept}, {"become the source's", "", f.Overwritten}, {"slots lost", "the source's consumers have to make them anew", f.LostSlots},
	} {
		if len(list.files) > 0 {
			facts = append(facts, Fact{list.name, shortList(list.files), list.note})
		}
	}
	return facts
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < time.Second {
		return "less than 1s"
	}
	return d.Round(time.Second).String()
}
