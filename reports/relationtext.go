package reports

import (
	"cmp"
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// relationTable has a row for each relation that people made, one for all
// system catalogs of a database, for they change with every statement that
// changes a table's definition, and nobody looks for them, and one for each
// database that was made.
func (d *Divergence) relationTable() Table {
	t := Table{Columns: []Column{{"relation", false}, {"blocks", true}, {"redo", true}, {"replay", true},
		{"ins", true}, {"upd", true}, {"del", true}, {"note", false}}, Empty: "None was changed."}
	rows, left := d.foldRelations(), 0
	for _, r := range rows {
		if len(t.Rows) == maxRows {
			left++
			continue
		}
		a := r.Activity
		t.Rows = append(t.Rows, []any{r.label, Count(r.SinceFork), Count(r.SinceRedo), Count(r.Restored),
			Count(a.Inserts), Count(a.Updates + a.HotUpdates), Count(a.Deletes), r.note})
	}
	t.Footer = []any{"all", Count(d.Blocks.SinceFork), Count(d.Blocks.SinceRedo), "", "", "", "", ""}
	t.Note = "Blocks touched since the fork, those touched since the redo point, and those of them that replay restores and a rewind leaves alone. Rows since the fork by the log, aborted ones included. Maps of free space and visibility count with their table."
	if d.Source.Known {
		t.Columns = slices.Insert(t.Columns, 2, Column{"both", true})
		for i := range t.Rows {
			t.Rows[i] = slices.Insert(t.Rows[i], 2, any(Count(rows[i].Both)))
		}
		t.Footer = slices.Insert(t.Footer, 2, any(Count(d.Blocks.Both)))
		t.Note = "\"both\" are blocks that the source touched as well. " + t.Note
	}
	if left > 0 {
		t.Note = fmt.Sprintf("%d more are left out; --format json has all. ", left) + t.Note
	}
	return t
}

// relationRow is a row of the relation table.
type relationRow struct {
	RelationChange
	label, note string
	forks       int
}

// foldRelations sums up what is one thing to people: the forks of a relation,
// the system catalogs of a database, a database that was made since the fork.
func (d *Divergence) foldRelations() []relationRow {
	var rows []*relationRow
	folded := map[any]*relationRow{}
	databases := d.newDatabases()
	type systemOf string
	for _, r := range d.Relations {
		if r.SinceRedo == 0 && (r.CutTo == nil || r.Fork != pg.MainFork) {
			continue
		}
		var key any = r.RelFileLocator
		switch {
		case databases[r.DB]:
			key = r.DB
		case r.system():
			key = systemOf(r.Name.Database)
		}
		sum := folded[key]
		if sum == nil {
			sum = &relationRow{RelationChange: RelationChange{RelFork: pg.RelFork{RelFileLocator: r.RelFileLocator}, Name: r.Name}}
			folded[key] = sum
			rows = append(rows, sum)
		}
		sum.forks++
		sum.add(r)
	}
	list := make([]relationRow, 0, len(rows))
	for key, row := range folded {
		switch key := key.(type) {
		case pg.OID:
			row.label, row.note = fmt.Sprintf("database %d (%d files)", key, row.forks), "made or dropped"
			if row.Name != nil && row.Name.Database != "" {
				row.label = fmt.Sprintf("%s (%d files)", row.Name.Database, row.forks)
			}
		case systemOf:
			row.label = fmt.Sprintf("%s: system catalogs (%d)", key, row.forks)
			if key == "" {
				row.label = fmt.Sprintf("shared system catalogs (%d)", row.forks)
			}
		default:
			row.label, row.note = relationName(row.Name, row.RelFork), d.changeNotes(row.RelationChange)
		}
	}
	for _, row := range rows {
		list = append(list, *row)
	}
	slices.SortStableFunc(list, func(a, b relationRow) int {
		return cmp.Or(cmp.Compare(b.SinceFork, a.SinceFork), cmp.Compare(b.SinceRedo, a.SinceRedo))
	})
	return list
}

// system tells whether a relation belongs to the server itself.
func (r *RelationChange) system() bool {
	if r.Name == nil {
		return false
	}
	schema := r.Name.Schema
	if r.Name.Owner != nil {
		schema = r.Name.Owner.Schema
	}
	return schema == "pg_catalog" || schema == "information_schema"
}

func (r *relationRow) add(o RelationChange) {
	r.SinceFork += o.SinceFork
	r.SinceRedo += o.SinceRedo
	r.Both += o.Both
	r.Restored += o.Restored
	if o.Fork == pg.MainFork {
		r.CutTo, r.Changes = o.CutTo, o.Changes
	}
	a := blockmap.Activity(r.Activity)
	a.Add(blockmap.Activity(o.Activity))
	r.Activity = Activity(a)
}

// relationName is what people call a relation, its locator where nobody knows.
func relationName(name *RelationName, rf pg.RelFork) string {
	switch {
	case rf.Rel == 0:
		if name != nil && name.Database != "" {
			return fmt.Sprintf("database %s in tablespace %d", name.Database, rf.Spc)
		}
		return fmt.Sprintf("database %d in tablespace %d", rf.DB, rf.Spc)
	case name == nil:
		return rf.String()
	case name.Relation == "":
		return name.Database + ": " + rf.String()
	}
	s := qualified(name.QualifiedName)
	if name.Database != "" {
		s = name.Database + ": " + s
	}
	if rf.Fork != pg.MainFork {
		s += " (" + rf.Fork.String() + ")"
	}
	if name.Kind == "toast table" && name.Owner != nil {
		s += " of " + qualified(*name.Owner)
	}
	return s
}

// qualified leaves out the two schemas that everybody expects.
func qualified(name pg.QualifiedName) string {
	switch name.Schema {
	case "", "public", "pg_catalog":
		return name.Relation
	}
	return name.Schema + "." + name.Relation
}
