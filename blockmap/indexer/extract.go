package indexer

import (
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// extract gathers what the records of one stretch of the log say. It is made
// for one segment and thrown away with it.
type extract struct {
	seg     *blockmap.Segment
	blocks  blockmap.Accumulator
	rmgrs   [256]*[16]blockmap.RmgrCount
	places  places // of identifiers in the segment's list
	effects []rmgr.Effect
	digest  digest
	crosses bool // the last record goes on in the next segment
}

// newExtract makes one. Lists that need not be kept lie in memory of the worker.
func newExtract(seg *blockmap.Segment, w *worker, keep bool) *extract {
	x := &extract{seg: seg, digest: digest{Digest: walinspect.NewDigest()}}
	if keep {
		seg.Xacts = make([]blockmap.Xact, 0, w.xactsBefore)
		seg.XIDs = make([]blockmap.XIDActivity, 0, w.xidsBefore)
		return x
	}
	w.room(seg.SegmentSize)
	seg.Xacts, seg.XIDs = w.xacts[:0], w.xids[:0]
	x.places.near = w.near[:0]
	return x
}

// plain are the resource managers whose records do nothing that their block
// references do not show, unless they are flagged.
var plain = [256]bool{
	pg.RmgrHeap2: true, pg.RmgrHeap: true, pg.RmgrBtree: true, pg.RmgrHash: true, pg.RmgrGin: true,
	pg.RmgrGist: true, pg.RmgrSeq: true, pg.RmgrSPGist: true, pg.RmgrBRIN: true,
}

// add takes one record in. An error means that the record may have changed
// files in a way that is not known; the segment is then no evidence.
func (x *extract) add(rec *walinspect.Record) error {
	s := x.seg
	if s.Records == 0 {
		s.First, s.FirstPrev = rec.LSN, rec.Prev
		s.FirstTimeline, s.LastTimeline = rec.Timeline, rec.Timeline
	}
	if rec.Timeline != s.LastTimeline {
		x.event(timelineBegin(s, rec))
		s.LastTimeline = rec.Timeline
	}
	if rec.End > s.SegmentSize.Start(s.Name.Number+1) {
		s.InnerDigest, x.crosses = x.digest.Sum(), true
	}
	s.Last, s.End = rec.LSN, rec.End
	s.Records++
	s.Bytes += int64(rec.TotalLen)
	x.digest.add(rec)
	x.count(rec, x.touch(rec))
	if rec.XID != 0 {
		x.addXID(rec)
	}
	if plain[rec.Rmgr] && !rec.Special() {
		return nil
	}
	return x.interpret(rec)
}

// timelineBegin is the event of a record on pages of another timeline than
// those before it.
func timelineBegin(s *blockmap.Segment, rec *walinspect.Record) blockmap.Event {
	return blockmap.Event{
		Kind: blockmap.TimelineBegin, LSN: rec.LSN, At: s.Last,
		Timeline: rec.Timeline, PrevTimeline: s.LastTimeline,
	}
}

// spgistMetapage is SPGIST_METAPAGE_BLKNO in src/include/access/spgist_private.h.
const spgistMetapage pg.BlockNumber = 0

// touch takes in the block references and returns the bytes of the images.
func (x *extract) touch(rec *walinspect.Record) int64 {
	var sum int64
	var first *blockmap.ForkAccumulator
	if len(rec.Blocks) > 0 && rec.Rmgr == pg.RmgrSPGist {
		// SpGistUpdateMetaPage in src/backend/access/spgist/spgutils.c writes
		// what it knows of pages just used into the first block, and logs nothing.
		x.blocks.Fork(rec.Blocks[0].Tag.RelFork).Touch(spgistMetapage, false)
	}
	for i := range rec.Blocks {
		ref := &rec.Blocks[i]
		fork := x.blocks.Fork(ref.Tag.RelFork)
		fork.Touch(ref.Tag.Block, ref.Restores())
		if i == 0 {
			first = fork
		}
		if ref.HasImage() {
			n := int64(ref.Image.Len())
			fork.Activity.Images++
			fork.Activity.ImageBytes += n
			sum += n
		}
		if i == 0 || !refersBefore(rec, i) {
			fork.Activity.Records++
			fork.Activity.WALBytes += int64(rec.TotalLen)
		}
	}
	if first != nil && (rec.Rmgr == pg.RmgrHeap || rec.Rmgr == pg.RmgrHeap2) {
		ins, upd, hot, del := rmgr.RowCounts(rec)
		first.Activity.Inserts += int64(ins)
		first.Activity.Updates += int64(upd - hot)
		first.Activity.HotUpdates += int64(hot)
		first.Activity.Deletes += int64(del)
	}
	return sum
}

// refersBefore tells whether an earlier reference of the record is to the same
// fork as reference i.
func refersBefore(rec *walinspect.Record, i int) bool {
	for j := range i {
		if rec.Blocks[j].Tag.RelFork == rec.Blocks[i].Tag.RelFork {
			return true
		}
	}
	return false
}

func (x *extract) count(rec *walinspect.Record, imageBytes int64) {
	ops := x.rmgrs[rec.Rmgr]
	if ops == nil {
		ops = new([16]blockmap.RmgrCount)
		x.rmgrs[rec.Rmgr] = ops
	}
	c := &ops[rec.Op()>>4]
	c.Records++
	c.Bytes += int64(rec.TotalLen)
	c.ImageBytes += imageBytes
}

func (x *extract) addXID(rec *walinspect.Record) {
	place := x.places.of(rec.XID)
	if place == 0 {
		x.seg.XIDs = append(x.seg.XIDs, blockmap.XIDActivity{XID: rec.XID, First: rec.LSN})
		place = int32(len(x.seg.XIDs))
		x.places.set(rec.XID, place)
	}
	a := &x.seg.XIDs[place-1]
	if rec.HasTopXID {
		a.Top = rec.TopXID
	}
	a.Records++
	a.Bytes += int64(rec.TotalLen)
}

// finish completes the segment.
func (x *extract) finish() {
	s := x.seg
	s.Touched, s.Activity = x.blocks.Map()
	for id, ops := range x.rmgrs {
		if ops == nil {
			continue
		}
		for op, c := range ops {
			if c.Records > 0 {
				c.Rmgr, c.Op = pg.RmgrID(id), uint8(op<<4)
				s.Rmgrs = append(s.Rmgrs, c)
			}
		}
	}
	x.assign()
	s.Digest, s.Supersedes = x.digest.sum()
	if !x.crosses {
		s.InnerDigest = s.Digest
	}
}

// assign notes the parents that records of the segment name.
func (x *extract) assign() {
	parent := func(top pg.XID, subs []pg.XID) {
		for _, sub := range subs {
			if place := x.places.of(sub); place != 0 && x.seg.XIDs[place-1].Top == 0 {
				x.seg.XIDs[place-1].Top = top
			}
		}
	}
	for i := range x.seg.Assignments {
		parent(x.seg.Assignments[i].Top, x.seg.Assignments[i].Subs)
	}
	for i := range x.seg.Xacts {
		parent(x.seg.Xacts[i].XID, x.seg.Xacts[i].Subxacts())
	}
}

// digest is that of the records so far, and of readings that end among them.
type digest struct {
	*walinspect.Digest
	records int64
	earlier []reading
	longer  [][32]byte // earlier readings that this one goes on from
}

// reading is what an earlier, shorter reading of the segment came to.
type reading struct {
	records int64
	digest  [32]byte
}

func (d *digest) add(rec *walinspect.Record) {
	d.Add(rec)
	d.records++
	for _, r := range d.earlier {
		if r.records == d.records && d.Sum() == r.digest {
			d.longer = append(d.longer, r.digest)
		}
	}
}

// sum returns the digest, and those of the readings that are superseded.
func (d *digest) sum() ([32]byte, [][32]byte) {
	sum := d.Sum()
	longer := slices.DeleteFunc(d.longer, func(earlier [32]byte) bool { return earlier == sum })
	if len(longer) == 0 {
		longer = nil
	}
	return sum, longer
}
