package blockmap

import (
	"time"

	"forkpoint/walinspect/pg"
)

// SegmentKey names a WAL segment of a cluster. Branches of the cluster can have
// different segments of one name, so it names variants of a segment.
type SegmentKey struct {
	SystemID    uint64
	SegmentSize pg.SegmentSize
	Name        pg.SegmentName
}

// Segment is everything the catalog keeps of one WAL segment. It speaks of the
// records that begin in the segment; the last of them may end in a later one,
// and what it needs from there was read.
type Segment struct {
	SystemID    uint64
	SegmentSize pg.SegmentSize
	Major       int
	Name        pg.SegmentName

	// First and Last are where the first and the last record begin, End is
	// where the last one ends, and FirstPrev is the first one's back link. All
	// are zero where no record begins in the segment, because one record runs
	// through all of it.
	First, Last, End, FirstPrev pg.LSN
	// FirstTimeline and LastTimeline are those of the pages on which the first
	// and the last record begin. Where they differ, events tell where each
	// timeline begins.
	FirstTimeline, LastTimeline pg.TimelineID
	Records                     int64
	// Bytes is the sum of the records' lengths, without page headers and
	// padding.
	Bytes int64

	// Complete holds where no record can be added: the reader went on from
	// the last record into the following segment, or a switch ended this one.
	// Otherwise Stop says why the log ended here (walinspect.StopReason), and
	// StopLSN and StopDetail where and what was found.
	Complete   bool
	Stop       string
	StopLSN    pg.LSN
	StopDetail string

	// Digest is SHA-256 over position and CRC of each record: what the
	// segment's valid WAL is, whatever the bytes behind its end are.
	Digest [32]byte
	// InnerDigest is the same over the records that end in the segment: the
	// digest of a reading that could not get at what follows the segment.
	InnerDigest [32]byte

	// Supersedes lists digests of earlier readings of which this is a longer
	// one: the segment had grown. Storing it makes them needless.
	Supersedes [][32]byte

	// Where it was read from. An equal, not empty Identity means that the file
	// need not be read again.
	Path     string
	Identity string
	Size     int64
	Indexed  time.Time

	Touched     *Map
	Activity    map[pg.RelFork]Activity
	Rmgrs       []RmgrCount   // by resource manager, then operation
	Checkpoints []Checkpoint  // these and the following in log order
	Events      []Event       //
	Xacts       []Xact        //
	Assignments []Assignment  //
	Snapshots   []Snapshot    //
	XIDs        []XIDActivity // by first record

	// Packed, if set, holds Xacts, Assignments, Snapshots and XIDs for storing;
	// they need not be there themselves then.
	Packed *Packed
}

// Key names the segment without the variant.
func (s *Segment) Key() SegmentKey { return SegmentKey{s.SystemID, s.SegmentSize, s.Name} }

// Span is the part of the log that the records of the segment cover; empty
// where none begins in it.
func (s *Segment) Span() pg.Span { return pg.Span{From: s.First, To: s.End} }

// Sum reckons what many segments touched together, and what their records did.
type Sum func() (*Map, map[pg.RelFork]Activity, error)

// Activity counts what records did to one relation fork.
type Activity struct {
	Records    int64 // records that refer to it, each once
	Inserts    int64 // rows; only in the main fork of a table
	Updates    int64 // rows; HOT updates are not among them
	HotUpdates int64
	Deletes    int64
	Images     int64 // page images
	ImageBytes int64 // as stored: compressed and without the hole
	WALBytes   int64 // lengths of the records; one with several relations counts for each
}

// Add adds the counts of o.
func (a *Activity) Add(o Activity) {
	a.Records += o.Records
	a.Inserts += o.Inserts
	a.Updates += o.Updates
	a.HotUpdates += o.HotUpdates
	a.Deletes += o.Deletes
	a.Images += o.Images
	a.ImageBytes += o.ImageBytes
	a.WALBytes += o.WALBytes
}

// RmgrCount counts the records of one operation of a resource manager.
type RmgrCount struct {
	Rmgr       pg.RmgrID
	Op         uint8 // info byte without its low four bits
	Records    int64
	Bytes      int64 // lengths of the records, images included
	ImageBytes int64
}

// Checkpoint is a checkpoint record.
type Checkpoint struct {
	LSN, End       pg.LSN
	Redo           pg.LSN
	Timeline       pg.TimelineID
	PrevTimeline   pg.TimelineID // differs from Timeline where recovery ended with it
	Shutdown       bool
	FullPageWrites bool
	WALLevel       int32  // -1 where the version does not write it
	NextXID        uint64 // with epoch
	OldestXID      pg.XID
	OldestActive   pg.XID // oldest transaction in progress; 0 in a shutdown checkpoint
	Time           time.Time
}
