package indexer

import (
	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// worker is the memory that one worker uses for one segment after the other:
// growing the lists anew for each would cost more than reading it does.
type worker struct {
	xacts  []blockmap.Xact
	xids   []blockmap.XIDActivity
	near   []int32 // see places
	packer blockmap.Packer
	pages  *segment.Pages

	xactsBefore, xidsBefore int // lengths in the segment before
}

// roomBelow is for how many rows of the usual lists there is room from the
// beginning: making lists longer as they fill touches several times the memory.
const roomBelow = 1 << 14

// room makes the lists that are used again.
func (w *worker) room(size pg.SegmentSize) {
	if w.xacts == nil {
		w.xacts = make([]blockmap.Xact, 0, min(int(size)>>10, roomBelow))
		w.xids = make([]blockmap.XIDActivity, 0, min(int(size)>>10, roomBelow))
	}
}

// readPages gives the reader of pages, which looks for files under the names of
// other timelines from now on.
func (w *worker) readPages(s *scan, timelines segment.Timelines) *segment.Pages {
	if w.pages == nil {
		w.pages = segment.NewPages(s.pool, s.size, timelines)
	}
	w.pages.Follow(timelines)
	return w.pages
}

// done ends work on a segment. Where the lists need not be kept, because they
// are packed or were not asked for, it takes their memory back.
func (w *worker) done(x *extract, keep bool) {
	if x == nil {
		return
	}
	s := x.seg
	w.xactsBefore, w.xidsBefore = len(s.Xacts), len(s.XIDs)
	if keep {
		return
	}
	w.xacts, w.xids, w.near = s.Xacts, s.XIDs, x.places.near
	s.Xacts, s.XIDs, s.Snapshots, s.Assignments = nil, nil, nil, nil
}
