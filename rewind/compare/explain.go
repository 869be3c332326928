package compare

import (
	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/pg"
)

// Evidence is what the log says that each side changed. A nil map says
// nothing.
type Evidence struct {
	A, B    *blockmap.Map // after the common history
	Pending *blockmap.Map // in the common history, but maybe not in the files of one side
}

// heapBlocksPerMapPage is how many blocks of a table one page of its
// visibility map is for (HEAPBLOCKS_PER_PAGE in
// src/backend/access/heap/visibilitymap.c): two bits for each.
func heapBlocksPerMapPage(blockSize int) uint64 { return uint64(blockSize-bufpage.HeaderSize) * 4 }

// touched tells whether a map has a block. Records that clear bits of the
// visibility map name only the table's block.
func touched(m *blockmap.Map, tag pg.BlockTag, blockSize int) bool {
	if m == nil {
		return false
	}
	if e, found := m.Get(tag.RelFork); found && e.IsTouched(tag.Block) {
		return true
	}
	if tag.Fork != pg.VMFork {
		return false
	}
	e, found := m.Get(pg.RelFork{RelFileLocator: tag.RelFileLocator})
	if !found {
		return false
	}
	per := heapBlocksPerMapPage(blockSize)
	from := uint64(tag.Block) * per
	if uint64(e.Limit) < from+per {
		return true
	}
	for low, high := range e.Touched.Ranges() {
		if uint64(low) < from+per && uint64(high) > from {
			return true
		}
	}
	return false
}

// because tells which side's log touched a block; unexplained if none did.
func (e Evidence) because(tag pg.BlockTag, blockSize int) reports.Reason {
	a, b := touched(e.A, tag, blockSize), touched(e.B, tag, blockSize)
	switch {
	case a && b:
		return reports.ReasonBoth
	case a:
		return reports.ReasonTarget
	case b:
		return reports.ReasonSource
	case touched(e.Pending, tag, blockSize):
		return reports.ReasonPending
	}
	return reports.ReasonUnexplained
}

// any tells which side's log says anything at all, for files whose changes the
// log does not tell by block.
func (e Evidence) any() reports.Reason {
	a, b := e.A.Blocks() > 0, e.B.Blocks() > 0
	switch {
	case a && b:
		return reports.ReasonBoth
	case a:
		return reports.ReasonTarget
	case b:
		return reports.ReasonSource
	case e.Pending.Blocks() > 0:
		return reports.ReasonPending
	}
	return reports.ReasonUnexplained
}

// judge says why two copies of a block differ. Either is nil where the file
// ends before. It overwrites both.
func (c *comparer) judge(tag pg.BlockTag, a, b []byte) reports.Reason {
	brokenA, brokenB := c.in.ChecksumsA && broken(a, tag.Block), c.in.ChecksumsB && broken(b, tag.Block)
	if brokenA {
		c.into.Totals.BrokenA++
	}
	if brokenB {
		c.into.Totals.BrokenB++
	}
	if brokenA || brokenB {
		return reports.ReasonChecksum
	}
	if tag.Fork == pg.FSMFork || tag.Fork != pg.InitFork && c.unlogged[tag.RelFileLocator] {
		return reports.ReasonNotLogged
	}
	if unused(tag.Fork, a) && unused(tag.Fork, b) {
		return reports.ReasonNotLogged
	}
	if a != nil && b != nil {
		kind := bufpage.KindOf(a)
		if tag.Fork == pg.VMFork {
			kind = bufpage.Visibility
		}
		if (kind == bufpage.KindOf(b) || kind == bufpage.Visibility) && (kind != bufpage.Sequence || bufpage.SameSequence(a, b)) {
			bufpage.Mask(a, kind)
			bufpage.Mask(b, kind)
			if equal(a, b) {
				if kind == bufpage.Sequence {
					return reports.ReasonNotLogged
				}
				return reports.ReasonHints
			}
		}
	}
	reason := c.in.Evidence.because(tag, c.in.BlockSize)
	if reason == reports.ReasonUnexplained && tag.Fork == pg.VMFork && (unused(tag.Fork, a) || unused(tag.Fork, b)) {
		// An image leaves out the hole of a page, and that is where a visibility
		// map has its bits: a database that was made from a template through the
		// log (RelationCopyStorageUsingBuffer) has empty maps on a standby.
		return reports.ReasonNotLogged
	}
	return reason
}

// unused tells whether a page says no more than one that is not there. Pages of
// the visibility map have their bits where others have a hole.
func unused(fork pg.ForkNumber, page []byte) bool {
	switch {
	case page == nil:
		return true
	case fork == pg.VMFork:
		return len(page) < bufpage.HeaderSize || bufpage.Zero(page[bufpage.HeaderSize:])
	}
	return bufpage.Empties(page)
}

func broken(page []byte, block pg.BlockNumber) bool {
	return page != nil && bufpage.Verify(page, block) != nil
}
