package blockmap

import "forkpoint/walinspect/pg"

// Entry is what a span of the log did to one relation fork. Make one with
// [NewEntry]; the zero value says "cut to nothing".
type Entry struct {
	// Limit is the lowest length in blocks that the fork was cut to, 0 where
	// it was created or dropped, and [pg.InvalidBlock] where nothing of the
	// kind happened.
	Limit pg.BlockNumber
	// Touched holds the blocks that records name, those beyond Limit too.
	Touched *Set
	// Restored holds the blocks below Limit whose first reference restores
	// them. Every one of them is in Touched.
	Restored *Set
}

// NewEntry returns the entry of a fork that nothing happened to.
func NewEntry() Entry {
	return Entry{Limit: pg.InvalidBlock, Touched: &Set{}, Restored: &Set{}}
}

// IsTouched tells whether the span may have changed block b.
func (e Entry) IsTouched(b pg.BlockNumber) bool {
	return b >= e.Limit || e.Touched.Contains(b)
}

// IsRestored tells whether replay of the span alone restores block b.
func (e Entry) IsRestored(b pg.BlockNumber) bool { return e.Restored.Contains(b) }

// IsCut tells whether the fork was truncated, created or dropped.
func (e Entry) IsCut() bool { return e.Limit != pg.InvalidBlock }

// Equal tells whether both entries say the same.
func (e Entry) Equal(o Entry) bool {
	return e.Limit == o.Limit && e.Touched.Equal(o.Touched) && e.Restored.Equal(o.Restored)
}

// Clone returns an entry that shares no set with e.
func (e Entry) Clone() Entry {
	return Entry{Limit: e.Limit, Touched: e.Touched.Clone(), Restored: e.Restored.Clone()}
}

func (e *Entry) touch(b pg.BlockNumber, restores bool) {
	if restores && b < e.Limit && !e.Touched.Contains(b) {
		e.Restored.Add(b)
	}
	e.Touched.Add(b)
}

func (e *Entry) cut(limit pg.BlockNumber) {
	if limit < e.Limit {
		e.Limit = limit
		e.Restored.RemoveFrom(limit)
	}
}

// append adds what the following span did. The blocks at or above either
// limit leave Restored last, because the cut may lie in either span.
func (e *Entry) append(next Entry) {
	e.Restored.AddSet(next.Restored.Subtract(e.Touched))
	e.Touched.AddSet(next.Touched)
	e.Limit = min(e.Limit, next.Limit)
	e.Restored.RemoveFrom(e.Limit)
}
