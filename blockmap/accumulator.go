package blockmap

import (
	"math/bits"

	"forkpoint/walinspect/pg"
)

// Accumulator gathers the references of many records at the speed of the
// decoder and becomes a [Map] in the end. It does what a Map does with the same
// calls, only with plain bit arrays in place of compressed sets. The zero value
// is ready.
type Accumulator struct {
	forks  map[pg.RelFork]*ForkAccumulator
	recent [recentForks]*ForkAccumulator
	cuts   Map // databases only
}

const recentForks = 64

// Fork returns the accumulator of one fork, which stays valid until Map.
func (a *Accumulator) Fork(rf pg.RelFork) *ForkAccumulator {
	slot := &a.recent[(uint32(rf.Rel)*4+uint32(rf.Fork)+uint32(rf.DB)<<4)%recentForks]
	if f := *slot; f != nil && f.rel == rf {
		return f
	}
	f := a.forks[rf]
	if f == nil {
		if a.forks == nil {
			a.forks = map[pg.RelFork]*ForkAccumulator{}
		}
		f = &ForkAccumulator{rel: rf, limit: pg.InvalidBlock}
		a.forks[rf] = f
	}
	*slot = f
	return f
}

// CutDatabase is [Map.CutDatabase].
func (a *Accumulator) CutDatabase(spc, db pg.OID) { a.cuts.CutDatabase(spc, db) }

// Map returns what was gathered, and the activity of the forks that had any.
func (a *Accumulator) Map() (*Map, map[pg.RelFork]Activity) {
	m := a.cuts.Clone()
	activity := map[pg.RelFork]Activity{}
	var blocks []uint32
	for rf, f := range a.forks {
		if f.Activity != (Activity{}) {
			activity[rf] = f.Activity
		}
		if f.first == nil && f.limit == pg.InvalidBlock {
			continue
		}
		var e Entry
		e, blocks = f.entry(blocks)
		m.Put(rf, e)
	}
	return m, activity
}

// ForkAccumulator gathers the blocks of one fork.
type ForkAccumulator struct {
	Activity Activity

	rel   pg.RelFork
	limit pg.BlockNumber
	// Leaves lie in near by their number up to nearLeaves, and in far beyond,
	// so that one high block number takes no more memory than a low one.
	near  []*leaf
	far   map[uint32]*leaf
	first *leaf // in the order they were made, for the walk at the end
}

// leaf holds two bits for each of 1024 blocks.
type leaf struct {
	number            uint32
	touched, restored [leafBlocks / 64]uint64
	next              *leaf
}

const (
	leafBlocks = 1024
	nearLeaves = 4096 // 32 GB of pages of the usual size
)

// Touch is [Map.Touch] for a block of this fork.
func (f *ForkAccumulator) Touch(b pg.BlockNumber, restores bool) {
	if b == pg.InvalidBlock {
		return // as in Set.Add
	}
	l := f.leaf(uint32(b) / leafBlocks)
	word, bit := uint32(b)%leafBlocks/64, uint64(1)<<(b%64)
	if l.touched[word]&bit != 0 {
		return
	}
	l.touched[word] |= bit
	if restores {
		l.restored[word] |= bit
	}
}

// Cut is [Map.Cut] for this fork.
func (f *ForkAccumulator) Cut(limit pg.BlockNumber) { f.limit = min(f.limit, limit) }

func (f *ForkAccumulator) leaf(n uint32) *leaf {
	if n < uint32(len(f.near)) {
		if l := f.near[n]; l != nil {
			return l
		}
	} else if l := f.far[n]; l != nil {
		return l
	}
	l := &leaf{number: n, next: f.first}
	f.first = l
	if n < nearLeaves {
		for uint32(len(f.near)) <= n {
			f.near = append(f.near, nil)
		}
		f.near[n] = l
		return l
	}
	if f.far == nil {
		f.far = map[uint32]*leaf{}
	}
	f.far[n] = l
	return l
}

// entry turns the bits into sets. blocks is room that is handed on from fork
// to fork.
func (f *ForkAccumulator) entry(blocks []uint32) (Entry, []uint32) {
	e := NewEntry()
	e.Limit = f.limit
	for l := f.first; l != nil; l = l.next {
		blocks = l.list(blocks[:0], &l.touched)
		e.Touched.bits.AddMany(blocks)
		if blocks = l.list(blocks[:0], &l.restored); len(blocks) > 0 {
			e.Restored.bits.AddMany(blocks)
		}
	}
	return e, blocks
}

func (l *leaf) list(dst []uint32, words *[leafBlocks / 64]uint64) []uint32 {
	for i, w := range words {
		base := l.number*leafBlocks + uint32(i)*64
		for ; w != 0; w &= w - 1 {
			dst = append(dst, base+uint32(bits.TrailingZeros64(w)))
		}
	}
	return dst
}
