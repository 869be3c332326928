package reports

import (
	"fmt"
	"strings"

	"forkpoint/walinspect/pg"
)

// commitTable has the last commits, at most maxRows of them.
func (d *Divergence) commitTable(maxRows int) Table {
	return transactionTable(d.Transactions.lastCommits, d.Transactions.Commits, maxRows, "committed at")
}

// abortTable has the last of those that were rolled back.
func (d *Divergence) abortTable(maxRows int) Table {
	return transactionTable(d.Transactions.lastAborts, d.Transactions.Aborts, maxRows, "rolled back at")
}

func transactionTable(last []Transaction, all, maxRows int, ended string) Table {
	t := Table{Columns: []Column{{"xid", true}, {ended, false}, {"LSN", true}, {"subxacts", true}, {"records", true}, {"WAL", true}, {"note", false}},
		Empty: "There are none."}
	last = last[max(0, len(last)-maxRows):]
	if len(last) < all {
		t.Note = fmt.Sprintf("The last %d of %d; --format json has all.", len(last), all)
	}
	for _, x := range last {
		var notes []string
		if x.GID != "" {
			notes = append(notes, fmt.Sprintf("prepared as %q", x.GID))
		}
		if x.Origin != 0 {
			notes = append(notes, fmt.Sprintf("from replication origin %d at %s", x.Origin, x.OriginLSN))
		}
		if x.Parent != 0 {
			notes = append(notes, fmt.Sprintf("subtransaction of %d", x.Parent))
		}
		if x.Before {
			notes = append(notes, "began before the fork")
		}
		t.Rows = append(t.Rows, []any{x.XID, x.Time, x.LSN, Count(len(x.Subxacts)), Count(x.Records), Bytes(x.WALBytes), strings.Join(notes, ", ")})
	}
	return t
}

// definitionTable has one row for each catalog that tells of DDL.
func (d *Divergence) definitionTable(maxRows int) Table {
	t := Table{Columns: []Column{{"of", false}, {"catalog", false}, {"rows added", true}, {"changed", true}, {"removed", true}},
		Note: "Rows of the catalogs by the log, rolled back or not: what DDL leaves there."}
	for i, x := range d.Definitions {
		if i == maxRows {
			t.Note = fmt.Sprintf("%d more are left out; --format json has all. ", len(d.Definitions)-i) + t.Note
			break
		}
		catalog := x.Catalog
		if x.Database != "" {
			catalog = x.Database + ": " + catalog
		}
		t.Rows = append(t.Rows, []any{x.Of, catalog, Count(x.Inserts), Count(x.Updates), Count(x.Deletes)})
	}
	return t
}

// eventTable has the first events, at most maxRows of them. What comes or goes
// with a whole database or belongs to the system's own relations is counted
// only.
func (d *Divergence) eventTable(maxRows int) Table {
	t := Table{Columns: []Column{{"LSN", true}, {"xid", true}, {"what", false}, {"of", false}}, Empty: "Only files of the system's own relations."}
	databases := d.newDatabases()
	system, more := 0, 0
	for _, e := range d.Events {
		if e.Relation != nil && (databases[e.Relation.DB] || e.Name != nil && (e.Name.Schema == "pg_catalog" || e.Name.Schema == "pg_toast")) {
			system++
			continue
		}
		if len(t.Rows) == maxRows {
			more++
			continue
		}
		of := e.Detail
		if e.Relation != nil {
			of = relationName(e.Name, pg.RelFork{RelFileLocator: *e.Relation})
		}
		if e.Blocks != nil {
			of += fmt.Sprintf(" to %d blocks", *e.Blocks)
		}
		t.Rows = append(t.Rows, []any{e.LSN, e.XID, string(e.Kind), of})
	}
	var notes []string
	if more > 0 {
		notes = append(notes, fmt.Sprintf("%d more come after these.", more))
	}
	if system > 0 {
		notes = append(notes, fmt.Sprintf("%s of catalogs, TOAST tables and whole databases not shown.", count(system, "event is", "events are")))
	}
	if len(notes) > 0 {
		t.Note = strings.Join(append(notes, "--format json has all."), " ")
	}
	return t
}

// newDatabases are those that were made since the fork.
func (d *Divergence) newDatabases() map[pg.OID]bool {
	list := map[pg.OID]bool{}
	for _, r := range d.Relations {
		if r.Rel == 0 {
			list[r.DB] = true
		}
	}
	return list
}

// sourceTable has what the source changed, the catalogs left out.
func (d *Divergence) sourceTable(maxRows int) Table {
	t := Table{Columns: []Column{{"relation", false}, {"blocks", true}, {"ins", true}, {"upd", true}, {"del", true}, {"WAL", true}}, Empty: "None was changed."}
	catalogs, more := 0, 0
	for _, s := range d.SourceSide {
		if s.Blocks == 0 && s.Rel != 0 {
			continue
		}
		if (&RelationChange{Name: s.Name}).system() {
			catalogs++
			continue
		}
		if len(t.Rows) == maxRows {
			more++
			continue
		}
		a := s.Activity
		t.Rows = append(t.Rows, []any{relationName(s.Name, s.RelFork), Count(s.Blocks), Count(a.Inserts), Count(a.Updates + a.HotUpdates), Count(a.Deletes), Bytes(a.WALBytes)})
	}
	if catalogs+more > 0 {
		t.Note = fmt.Sprintf("%s of the system's catalogs and %s left out; --format json has all.", count(catalogs, "fork", "forks"), count(more, "other", "others"))
	}
	return t
}

// coverageTable has the evidence by range of the log.
func (d *Divergence) coverageTable() Table {
	t := Table{Columns: []Column{{"side", false}, {"from", true}, {"to", true}, {"evidence", false}}, Empty: "Nothing of the log is at hand."}
	words := map[string]string{"wal": "the log, read now", "index": "the catalog", "summary": "WAL summaries: blocks alone", "none": "nothing"}
	for _, c := range d.Coverage {
		evidence := words[c.Evidence]
		if evidence == "" {
			evidence = c.Evidence
		}
		to := any(c.To)
		if c.To == pg.MaxLSN {
			to = "(end)"
		}
		t.Rows = append(t.Rows, []any{c.Side, c.From, to, evidence})
	}
	return t
}

// changeNotes are words for what happened to a relation as a whole.
func (d *Divergence) changeNotes(r RelationChange) string {
	words := map[Change]string{ChangeReplaced: "new files", ChangeOutdated: "old files", ChangeAdvanced: "sequence advanced"}
	var notes []string
	for _, c := range r.Changes {
		switch {
		case c == ChangeTruncated && r.CutTo != nil:
			notes = append(notes, fmt.Sprintf("cut to %d", *r.CutTo))
		case words[c] != "":
			notes = append(notes, words[c])
		default:
			notes = append(notes, string(c))
		}
	}
	if len(notes) == 0 && r.CutTo != nil && r.Fork == pg.MainFork {
		return "with its database"
	}
	return strings.Join(notes, ", ")
}
