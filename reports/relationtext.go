package reports

import (
	"fmt"

	"forkpoint/walinspect/pg"
)

// relationTable has a row for each relation that people made, and one for all
// system catalogs of a database: they change with every statement that changes
// a table's definition, and nobody looks for them.
func (d *Divergence) relationTable() Table {
	t := Table{Columns: []Column{{"relation", false}, {"blocks", true}, {"both", true}, {"redo", true}, {"replay", true},
		{"ins", true}, {"upd", true}, {"del", true}, {"note", false}}, Empty: "None was changed."}
	rows, left := d.foldCatalogs(), 0
	for _, r := range rows {
		if len(t.Rows) == maxRows {
			left++
			continue
		}
		a := r.Activity
		t.Rows = append(t.Rows, []any{r.label, Count(r.SinceFork), Count(r.Both), Count(r.SinceRedo), Count(r.Restored),
			Count(a.Inserts), Count(a.Updates + a.HotUpdates), Count(a.Deletes), d.changeNotes(r.RelationChange)})
	}
	t.Footer = []any{"all", Count(d.Blocks.SinceFork), Count(d.Blocks.Both), Count(d.Blocks.SinceRedo), "", "", "", "", ""}
	t.Note = "Blocks touched since the fork, those of them that the source touched as well, blocks touched since the redo point, and those of them that replay restores and a rewind leaves alone. Rows since the fork by the log, aborted ones included."
	if left > 0 {
		t.Note = fmt.Sprintf("%d more are left out; --format json has all. ", left) + t.Note
	}
	return t
}

// relationRow is a row of the relation table.
type relationRow struct {
	RelationChange
	label string
}

// foldCatalogs leaves out side forks that only came or went with their
// relation and sums up the system catalogs of each database.
func (d *Divergence) foldCatalogs() []relationRow {
	var rows []relationRow
	folded := map[string]int{} // index into rows by database
	counts := map[string]int{}
	for _, r := range d.Relations {
		if r.SinceRedo == 0 && (r.CutTo == nil || r.Fork != pg.MainFork) {
			continue
		}
		if r.Name == nil || r.Name.Schema != "pg_catalog" {
			rows = append(rows, relationRow{r, relationName(r.Name, r.RelFork)})
			continue
		}
		db := r.Name.Database
		i, seen := folded[db]
		if !seen {
			i = len(rows)
			folded[db] = i
			rows = append(rows, relationRow{})
		}
		counts[db]++
		sum := &rows[i]
		sum.SinceFork += r.SinceFork
		sum.SinceRedo += r.SinceRedo
		sum.Both += r.Both
		sum.Restored += r.Restored
		sum.Activity.Inserts += r.Activity.Inserts
		sum.Activity.Updates += r.Activity.Updates
		sum.Activity.HotUpdates += r.Activity.HotUpdates
		sum.Activity.Deletes += r.Activity.Deletes
	}
	for db, i := range folded {
		rows[i].label = fmt.Sprintf("%s: system catalogs (%d)", db, counts[db])
		if db == "" {
			rows[i].label = fmt.Sprintf("shared system catalogs (%d)", counts[db])
		}
	}
	return rows
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
