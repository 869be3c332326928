package relname

import (
	"iter"
	"strings"

	"forkpoint/walinspect/pg"
)

// newest keeps of each row, by its OID, the version that counts most.
type newest[T any] map[pg.OID]ranked[T]

type ranked[T any] struct {
	standing standing
	value    T
}

func (n newest[T]) offer(oid pg.OID, s standing, value T) {
	if known, found := n[oid]; !found || s > known.standing {
		n[oid] = ranked[T]{s, value}
	}
}

// current lists the rows that exist.
func (n newest[T]) current() iter.Seq2[pg.OID, T] {
	return func(yield func(pg.OID, T) bool) {
		for oid, r := range n {
			if r.standing != former && !yield(oid, r.value) {
				return
			}
		}
	}
}

// reader is what was read of one database.
type reader struct {
	db       database
	mapped   relMap
	shared   relMap
	current  map[pg.OID]class  // of pg_class
	versions []class           // of pg_class, current and former ones
	schemas  map[pg.OID]string // current ones
	owners   map[pg.OID]pg.OID // table of an index or TOAST table
}

// resolve puts the storage of all current relations into names, and then that
// of former row versions, which stand behind.
func (r *reader) resolve(names *Names) {
	for _, c := range r.current {
		if at, has := r.storage(c); has {
			names.add(at, r.name(c))
		}
	}
	for _, transient := range []bool{false, true} {
		for _, c := range r.versions {
			if c.file == 0 || strings.HasPrefix(c.name, transientPrefix) != transient {
				continue // mapped or without storage: the map has no former values
			}
			if at, has := r.storage(c); has {
				name := r.name(c)
				name.Former = true
				names.add(at, name)
			}
		}
	}
}

// transientPrefix begins the name of a relation that exists while another is
// rewritten, and that takes the old files over (make_new_heap in
// src/backend/commands/cluster.c).
const transientPrefix = "pg_temp_"

// storage gives the relation's place; false if it has none, as a view, or is
// temporary. The files of temporary relations have names of their own, are
// never in the log, and can have the number of another relation.
func (r *reader) storage(c class) (pg.RelFileLocator, bool) {
	const temporary = 't'
	at := pg.RelFileLocator{Spc: c.tablespace, DB: r.db.oid, Rel: c.file}
	if c.shared {
		at.Spc, at.DB = pg.GlobalTablespace, 0
	} else if at.Spc == 0 {
		at.Spc = r.db.tablespace
	}
	if at.Rel == 0 && c.shared {
		at.Rel = r.shared[c.oid]
	} else if at.Rel == 0 {
		at.Rel = r.mapped[c.oid]
	}
	return at, at.Rel != 0 && c.persistence != temporary
}

// name describes a relation. Its owner is the table that it serves in the end:
// the index of a TOAST table belongs to the TOAST table's table.
func (r *reader) name(c class) Name {
	const unlogged = 'u'
	n := Name{QualifiedName: r.qualified(c), OID: c.oid, Kind: c.kind, Unlogged: c.persistence == unlogged}
	if owner := r.owners[c.oid]; owner != 0 {
		if table := r.owners[owner]; table != 0 {
			owner = table
		}
		n.Owner = owner
		if table, known := r.current[owner]; known {
			n.OwnerIs = r.qualified(table)
		}
	}
	return n
}

func (r *reader) qualified(c class) pg.QualifiedName {
	q := pg.QualifiedName{Database: r.db.name, Schema: r.schemas[c.namespace], Relation: c.name}
	if c.shared {
		q.Database = ""
	}
	return q
}
