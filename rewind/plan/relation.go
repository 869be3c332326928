package plan

import (
	"forkpoint/blockmap"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// decideRelation plans the blocks of a main fork's file that both sides have.
// A file whose length and blocks stay as they are needs no action.
func (d *decider) decideRelation(s, t *datadir.File) {
	shared := uint32(min(s.Size, t.Size) / d.in.BlockSize)
	first := pg.BlockNumber(s.Rel.Segment * d.in.BlocksPerFile)
	blocks, why := d.changed(s.Path, s.Rel.RelFork, first, shared)
	if t.Size%d.in.BlockSize != 0 && s.Size > t.Size {
		blocks.Add(pg.BlockNumber(shared)) // its server ran out of space while it wrote that block
		why.Unproven++
	}

	if blocks.Empty() && s.Size == t.Size {
		d.plan.Totals.Why.Spared += why.Spared // no action tells of them
		return
	}
	d.add(Action{
		Kind: Blocks, Path: s.Path, Size: s.Size, TargetSize: t.Size,
		Reason: ReasonChanged, Blocks: blocks, Why: &why,
	})
}

// changed gathers the blocks in [first, first+count) of a fork that must come
// from the source, numbered from first, and what proved each.
func (d *decider) changed(path string, rel pg.RelFork, first pg.BlockNumber, count uint32) (*blockmap.Set, Why) {
	end := first + pg.BlockNumber(count)
	after := touchedIn(d.in.After, rel, first, end)
	before := touchedIn(d.in.Before, rel, first, end).Subtract(after)
	hinted := touchedIn(d.in.Hinted, rel, first, end).Subtract(after)

	var why Why
	if d.in.Rule == Exact {
		if entry, ok := d.in.Before.Get(rel); ok {
			spared := before.Intersect(entry.Restored)
			spared.RemoveSet(d.prove(path, rel, first, spared))
			why.Spared = spared.Len()
			before.RemoveSet(spared)
			hinted.RemoveSet(spared)
		}
	}
	hinted.RemoveSet(before)
	why.After, why.Unproven, why.Hinted = after.Len(), before.Len(), hinted.Len()

	blocks := blockmap.NewSet()
	for from, to := range after.Union(before).Union(hinted).Ranges() {
		blocks.AddRange(from-first, to-first)
	}
	return blocks, why
}

// touchedIn is the part of a map's touched blocks of one fork that lies in
// [first, end), what is past the fork's limit included.
func touchedIn(m *blockmap.Map, rel pg.RelFork, first, end pg.BlockNumber) *blockmap.Set {
	if m == nil || first >= end {
		return blockmap.NewSet()
	}
	entry, ok := m.Get(rel)
	if !ok {
		return blockmap.NewSet()
	}
	touched := entry.Touched.Clone()
	if entry.Limit < end {
		touched.AddRange(max(entry.Limit, first), end)
	}
	window := blockmap.NewSet()
	window.AddRange(first, end)
	return touched.Intersect(window)
}

// classicBlocks counts what pg_rewind's rule would copy: every block of a main
// fork that any record since the checkpoint mentions.
func (d *decider) classicBlocks() uint64 {
	all := &blockmap.Map{}
	for _, m := range []*blockmap.Map{d.in.Before, d.in.After} {
		if m != nil {
			all.Append(m)
		}
	}
	var n uint64
	for rel, entry := range all.All() {
		if rel.Fork == pg.MainFork {
			n += entry.Touched.Len()
		}
	}
	return n
}
