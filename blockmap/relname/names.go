package relname

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"forkpoint/walinspect/pg"
)

// Kind is what a relation is: the letter in pg_class.relkind.
type Kind byte

const (
	Table    Kind = 'r'
	Index    Kind = 'i'
	Sequence Kind = 'S'
	Toast    Kind = 't'
	MatView  Kind = 'm'
)

var kindNames = map[Kind]string{Table: "table", Index: "index", Sequence: "sequence", Toast: "toast table", MatView: "materialized view"}

func (k Kind) String() string {
	if name, known := kindNames[k]; known {
		return name
	}
	return fmt.Sprintf("relation of kind %q", byte(k))
}

// KindNamed is the kind that [Kind.String] gives this name, 0 for an unknown
// one.
func KindNamed(name string) Kind {
	for k, text := range kindNames {
		if text == name {
			return k
		}
	}
	return 0
}

// MarshalText names the kind in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Name is what there is to say about a relation. The database of a shared
// relation is empty.
type Name struct {
	pg.QualifiedName
	OID      pg.OID           `json:"oid"`
	Kind     Kind             `json:"kind"`
	Unlogged bool             `json:"unlogged,omitempty"`
	Owner    pg.OID           `json:"owner,omitempty"`     // table that an index or TOAST table serves, in the end; else 0
	OwnerIs  pg.QualifiedName `json:"owner_name,omitzero"` // its name
	Former   bool             `json:"former,omitempty"`    // of a row version that was replaced, deleted or never committed
}

// Names maps storage to names. The zero value is empty and ready.
type Names struct {
	relations   map[pg.RelFileLocator]Name
	databases   map[pg.OID]string
	tablespaces map[pg.OID]string
	skipped     []error
}

// Lookup finds the relation whose storage this is.
func (n *Names) Lookup(r pg.RelFileLocator) (Name, bool) {
	name, found := n.relations[r]
	return name, found
}

// Database is the name of a database.
func (n *Names) Database(oid pg.OID) (string, bool) {
	name, found := n.databases[oid]
	return name, found
}

// Tablespace is the name of a tablespace.
func (n *Names) Tablespace(oid pg.OID) (string, bool) {
	name, found := n.tablespaces[oid]
	return name, found
}

// All lists the relations in the order of their storage.
func (n *Names) All() iter.Seq2[pg.RelFileLocator, Name] {
	return func(yield func(pg.RelFileLocator, Name) bool) {
		for _, r := range slices.SortedFunc(maps.Keys(n.relations), pg.RelFileLocator.Compare) {
			if !yield(r, n.relations[r]) {
				return
			}
		}
	}
}

// Len is the number of relations.
func (n *Names) Len() int { return len(n.relations) }

// Skipped tells what could not be read, by database; the names of the rest are
// complete.
func (n *Names) Skipped() []error { return slices.Clone(n.skipped) }

// Merge adds the names of other. What n knows already stays, unless only as a
// former name.
func (n *Names) Merge(other *Names) {
	for r, name := range other.relations {
		n.add(r, name)
	}
	n.init()
	for oid, name := range other.databases {
		n.databases[oid] = name
	}
	for oid, name := range other.tablespaces {
		n.tablespaces[oid] = name
	}
	n.skipped = append(n.skipped, other.skipped...)
}

// Add puts in the name of a relation, and that of its database. What n knows
// already stays, unless only as a former name.
func (n *Names) Add(r pg.RelFileLocator, name Name) {
	n.add(r, name)
	if _, known := n.databases[r.DB]; !known && r.DB != 0 && name.QualifiedName.Database != "" {
		n.databases[r.DB] = name.QualifiedName.Database
	}
}

func (n *Names) add(r pg.RelFileLocator, name Name) {
	n.init()
	if known, found := n.relations[r]; !found || known.Former && !name.Former {
		n.relations[r] = name
	}
}

func (n *Names) init() {
	if n.relations == nil {
		n.relations, n.databases, n.tablespaces = map[pg.RelFileLocator]Name{}, map[pg.OID]string{}, map[pg.OID]string{}
	}
}
