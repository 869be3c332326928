package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"hash/crc64"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// seal sums up what is stored of a segment. SQLite finds damage to its own
// structures alone: a bit that flips in a set of blocks is a block that a rewind
// would not copy.
type seal struct{ marks, ending, contents rowSum }

// rowSum is the sum of the rows' sums, so that their order does not matter.
type rowSum uint64

var sealTable = crc64.MakeTable(crc64.ECMA)

// add takes in a row: its numbers, and then its other columns, of which none is
// the same as empty.
func (s *rowSum) add(kind byte, numbers []int64, others ...[]byte) {
	b := []byte{kind}
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	sum := crc64.Update(0, sealTable, b)
	for _, column := range others {
		sum = crc64.Update(sum, sealTable, binary.LittleEndian.AppendUint32(b[:0], uint32(len(column))))
		sum = crc64.Update(sum, sealTable, column)
	}
	*s += rowSum(sum)
}

func (s *seal) addHead(h *blockmap.Segment) {
	s.marks.add('h', []int64{int64(h.Name.Timeline), int64(h.Name.Number), int64(h.First), int64(h.Last), int64(h.End), int64(h.FirstPrev),
		int64(h.FirstTimeline), int64(h.LastTimeline), h.Records, h.Bytes}, h.Digest[:], h.InnerDigest[:])
	s.ending = endingOf(h)
}

// endingOf sums up what is brought up to date when the segment is read again.
func endingOf(h *blockmap.Segment) (sum rowSum) {
	sum.add('s', []int64{flag(h.Complete), int64(h.StopLSN)}, []byte(h.Stop), []byte(h.StopDetail))
	return sum
}

func (s *seal) addCheckpoint(p *blockmap.Checkpoint) {
	s.marks.add('c', []int64{int64(p.LSN), int64(p.End), int64(p.Redo), int64(p.Timeline), int64(p.PrevTimeline), flag(p.Shutdown),
		flag(p.FullPageWrites), int64(p.WALLevel), int64(p.NextXID), int64(p.OldestXID), int64(p.OldestActive), toTime(p.Time)})
}

// eventRow is an event as it is stored.
type eventRow struct {
	e      *blockmap.Event // LSN, kind, transaction and forks
	seq    int
	rel    pg.RelFileLocator
	limit  *int64
	detail []byte
}

func (s *seal) addEvent(r *eventRow) {
	s.marks.add('e', []int64{int64(r.seq), int64(r.e.LSN), int64(r.e.XID), int64(r.rel.Spc), int64(r.rel.DB), int64(r.rel.Rel), int64(r.e.Forks), orNone(r.limit)},
		[]byte(r.e.Kind), r.detail)
}

func (s *seal) addRmgr(r *blockmap.RmgrCount) {
	s.contents.add('r', []int64{int64(r.Rmgr), int64(r.Op), r.Records, r.Bytes, r.ImageBytes})
}

func (s *seal) addLists(p *blockmap.Packed) {
	s.contents.add('x', nil, p.Xacts, p.XIDs, p.Snapshots, p.Assignments)
}

// touchedRow is what a segment says of a fork as it is stored.
type touchedRow struct {
	fork            pg.RelFork
	limit           *int64
	count, restored int64
	blocks, rest    []byte
	activity        blockmap.Activity
}

func (s *seal) addTouched(r *touchedRow) {
	a := &r.activity
	s.contents.add('t', []int64{int64(r.fork.Spc), int64(r.fork.DB), int64(r.fork.Rel), int64(r.fork.Fork), orNone(r.limit), r.count, r.restored,
		a.Records, a.Inserts, a.Updates, a.HotUpdates, a.Deletes, a.Images, a.ImageBytes, a.WALBytes}, r.blocks, r.rest)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// orNone is the number, or one that is no length of a fork.
func orNone(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

const (
	insertSeal = `INSERT INTO seals (segment_id, marks, ending, contents) VALUES (?, ?, ?, ?)`
	sealEnding = `UPDATE seals SET ending = ? WHERE segment_id = ?`
	selectSeal = `SELECT marks, ending, contents FROM seals WHERE segment_id = ?`
)

func (c *Catalog) saveSeal(ctx context.Context, tx *sql.Tx, id int64, s *seal) error {
	_, err := tx.ExecContext(ctx, insertSeal, id, int64(s.marks), int64(s.ending), int64(s.contents))
	return err
}

// checkSeal compares what was loaded, the marks alone or all, with what was
// stored.
func (c *Catalog) checkSeal(ctx context.Context, id int64, head *blockmap.Segment, found *seal, all bool) error {
	found.addHead(head)
	return c.query(ctx, selectSeal, []any{id}, func(scan scanFunc) error {
		var marks, ending, contents int64
		if err := scan(&marks, &ending, &contents); err != nil {
			return err
		}
		if rowSum(marks) != found.marks || rowSum(ending) != found.ending || all && rowSum(contents) != found.contents {
			return &DamagedError{head.Name.Format(head.SegmentSize)}
		}
		return nil
	})
}
