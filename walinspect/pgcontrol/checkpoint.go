package pgcontrol

import (
	"fmt"
	"time"

	"forkpoint/walinspect/pg"
)

// Checkpoint is what a checkpoint record says and the control file repeats
// (CheckPoint in src/include/catalog/pg_control.h).
type Checkpoint struct {
	Redo            pg.LSN        `json:"redo"`          // where replay starts
	Timeline        pg.TimelineID `json:"timeline"`      // timeline the record was written on
	PrevTimeline    pg.TimelineID `json:"prev_timeline"` // the one before, if this begins a timeline
	FullPageWrites  bool          `json:"full_page_writes"`
	WALLevel        WALLevel      `json:"wal_level"`        // 17 and later
	LogicalDecoding bool          `json:"logical_decoding"` // 19 and later
	NextXID         uint64        `json:"next_xid"`         // with the epoch in its upper half
	NextOID         pg.OID        `json:"next_oid"`
	NextMulti       uint32        `json:"next_multi"`
	NextMultiOffset uint64        `json:"next_multi_offset"`
	OldestXID       pg.XID        `json:"oldest_xid"`
	OldestXIDDB     pg.OID        `json:"oldest_xid_database"`
	OldestMulti     uint32        `json:"oldest_multi"`
	OldestMultiDB   pg.OID        `json:"oldest_multi_database"`
	Time            time.Time     `json:"time"`
	OldestCommitTS  pg.XID        `json:"oldest_commit_ts_xid"`
	NewestCommitTS  pg.XID        `json:"newest_commit_ts_xid"`
	OldestActiveXID pg.XID        `json:"oldest_active_xid"` // 0 in a shutdown checkpoint
}

// DecodeCheckpoint reads the main data of a checkpoint record of that major
// version.
func DecodeCheckpoint(major int, b []byte) (Checkpoint, error) {
	l := layoutOf(major)
	if l == nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of version %d: %w", major, ErrUnsupported)
	}
	if len(b) != l.checkpoint.size {
		return Checkpoint{}, fmt.Errorf("checkpoint record of version %d: want %d bytes, got %d", major, l.checkpoint.size, len(b))
	}
	var c Checkpoint
	c.transfer(l.checkpoint, transfer{bytes: b})
	return c, nil
}

// EncodeCheckpoint is the reverse of [DecodeCheckpoint]; padding is zero.
func EncodeCheckpoint(major int, c Checkpoint) ([]byte, error) {
	l := layoutOf(major)
	if l == nil {
		return nil, fmt.Errorf("checkpoint of version %d: %w", major, ErrUnsupported)
	}
	b := make([]byte, l.checkpoint.size)
	c.transfer(l.checkpoint, transfer{bytes: b, write: true})
	return b, nil
}

// transfer is the list of the record's fields.
func (c *Checkpoint) transfer(l *checkpointLayout, t transfer) {
	double(t, 0, &c.Redo)
	word(t, 8, &c.Timeline)
	word(t, 12, &c.PrevTimeline)
	t.flag(16, &c.FullPageWrites)
	word(t, l.walLevel, &c.WALLevel)
	t.flag(l.logical, &c.LogicalDecoding)
	double(t, l.nextXID, &c.NextXID)
	word(t, l.nextOID, &c.NextOID)
	word(t, l.nextMulti, &c.NextMulti)
	if l.wideOffset {
		double(t, l.multiOffset, &c.NextMultiOffset)
	} else {
		offset := uint32(c.NextMultiOffset)
		word(t, l.multiOffset, &offset)
		c.NextMultiOffset = uint64(offset)
	}
	word(t, l.oldestXID, &c.OldestXID)
	word(t, l.oldestXIDDB, &c.OldestXIDDB)
	word(t, l.oldestMulti, &c.OldestMulti)
	word(t, l.oldestMultiDB, &c.OldestMultiDB)
	t.seconds(l.time, &c.Time)
	word(t, l.oldestCommitTS, &c.OldestCommitTS)
	word(t, l.newestCommitTS, &c.NewestCommitTS)
	word(t, l.oldestActive, &c.OldestActiveXID)
}
