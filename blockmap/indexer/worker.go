package indexer

import "forkpoint/blockmap"

// worker is the memory that one worker uses for one segment after the other:
// growing the lists anew for each would cost more than reading it does.
type worker struct {
	xacts  []blockmap.Xact
	xids   []blockmap.XIDActivity
	near   []int32 // see places
	packer blockmap.Packer

	xactsBefore, xidsBefore int // lengths in the segment before
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
