package blockmap

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"forkpoint/walinspect/pg"
)

// Map holds what a span of the log touched, by relation fork. The zero value
// is an empty map, and a nil *Map reads as one.
//
// A database whose directory was created or dropped has an entry of its own,
// with relation number 0, main fork and limit 0. All entries of relations in
// it then have limit 0 and nothing restored.
type Map struct {
	entries map[pg.RelFork]*Entry
	cutDBs  map[database]bool
}

type database struct{ spc, db pg.OID }

func databaseOf(rf pg.RelFork) database { return database{rf.Spc, rf.DB} }

// Touch records a reference to a block. restores tells whether replay of the
// referring record gives the page its contents whatever it held before.
func (m *Map) Touch(tag pg.BlockTag, restores bool) { m.entry(tag.RelFork).touch(tag.Block, restores) }

// Cut records that a fork was cut to limit blocks; creating and dropping it
// are cuts to 0.
func (m *Map) Cut(rf pg.RelFork, limit pg.BlockNumber) {
	if rf.Rel == 0 {
		m.CutDatabase(rf.Spc, rf.DB)
		return
	}
	m.entry(rf).cut(limit)
}

// CutDatabase records that the directory of a database in a tablespace was
// created or dropped.
func (m *Map) CutDatabase(spc, db pg.OID) {
	d := database{spc, db}
	if m.cutDBs[d] {
		return
	}
	if m.cutDBs == nil {
		m.cutDBs = map[database]bool{}
	}
	m.cutDBs[d] = true
	m.entry(DatabaseFork(spc, db))
	for rf, e := range m.entries {
		if databaseOf(rf) == d {
			e.cut(0)
		}
	}
}

// DatabaseFork is the key under which a map keeps that the whole directory of
// a database was touched.
func DatabaseFork(spc, db pg.OID) pg.RelFork {
	return pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: spc, DB: db}}
}

// Append adds what the span after m's touched. next is left as it is and
// shares nothing with m afterwards.
func (m *Map) Append(next *Map) {
	if next == nil {
		return
	}
	for d := range next.cutDBs {
		m.CutDatabase(d.spc, d.db)
	}
	for rf, e := range next.entries {
		m.entry(rf).append(*e)
	}
}

// FirstRestored is what next, the span after m's, restores of the blocks of main
// forks that m did not touch.
func (m *Map) FirstRestored(next *Map) map[pg.RelFork]*Set {
	first := map[pg.RelFork]*Set{}
	for rf, e := range next.entries {
		if rf.Fork != pg.MainFork || e.Restored.Empty() {
			continue
		}
		restored := e.Restored.Clone()
		if before, known := m.entries[rf]; known {
			restored.RemoveSet(before.Touched)
		}
		if !restored.Empty() {
			first[rf] = restored
		}
	}
	return first
}

// Put sets the entry of a fork, as read from where [Map.All] was stored. What
// an entry cannot say, such as a restored block that was not touched, is left
// out. The map owns e.Touched afterwards.
func (m *Map) Put(rf pg.RelFork, e Entry) {
	if rf.Rel == 0 {
		m.CutDatabase(rf.Spc, rf.DB)
		return
	}
	dst := m.entry(rf)
	dst.Limit = min(dst.Limit, e.Limit)
	dst.Touched = cmp.Or(e.Touched, &Set{})
	dst.Restored = e.Restored.Intersect(dst.Touched)
	dst.Restored.RemoveFrom(dst.Limit)
}

// Get returns what happened to a fork, false where nothing did. Every relation
// of a database that was created or dropped is cut to nothing. The sets belong
// to the map.
func (m *Map) Get(rf pg.RelFork) (Entry, bool) {
	e, found := m.Own(rf)
	if !found && m != nil && m.cutDBs[databaseOf(rf)] {
		e.Limit = 0
		return e, true
	}
	return e, found
}

// Own returns the entry that the map itself holds under a key, without what
// the fork's database says about it, as [Map.All] yields it.
func (m *Map) Own(rf pg.RelFork) (Entry, bool) {
	if m != nil {
		if e, found := m.entries[rf]; found {
			return *e, true
		}
	}
	return NewEntry(), false
}

// All yields the forks in the order of [pg.RelFork.Compare]. An entry with
// relation number 0 stands for a whole database directory and so comes before
// the relations in it.
func (m *Map) All() iter.Seq2[pg.RelFork, Entry] {
	return func(yield func(pg.RelFork, Entry) bool) {
		if m == nil {
			return
		}
		for _, rf := range slices.SortedFunc(maps.Keys(m.entries), pg.RelFork.Compare) {
			if !yield(rf, *m.entries[rf]) {
				return
			}
		}
	}
}

// Len is the number of entries.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// Blocks is the number of blocks that records named, over all forks.
func (m *Map) Blocks() uint64 {
	var n uint64
	if m != nil {
		for _, e := range m.entries {
			n += e.Touched.Len()
		}
	}
	return n
}

// Equal tells whether both maps say the same.
func (m *Map) Equal(o *Map) bool {
	if m.Len() != o.Len() {
		return false
	}
	for rf, e := range m.All() {
		other, found := o.entries[rf]
		if !found || !e.Equal(*other) {
			return false
		}
	}
	return true
}

// Clone returns a map that shares nothing with m.
func (m *Map) Clone() *Map {
	c := &Map{}
	c.Append(m)
	return c
}

// entry returns the entry of a fork, made where it was missing and cut where
// its database is.
func (m *Map) entry(rf pg.RelFork) *Entry {
	if e, found := m.entries[rf]; found {
		return e
	}
	if m.entries == nil {
		m.entries = map[pg.RelFork]*Entry{}
	}
	e := NewEntry()
	if m.cutDBs[databaseOf(rf)] {
		e.Limit = 0
	}
	m.entries[rf] = &e
	return &e
}
