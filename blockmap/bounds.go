package blockmap

import "forkpoint/walinspect/pg"

// ListBounds is the most that the long lists of a segment can have. Stored lists
// are compressed, and what is damaged can pretend to be thousands of times as long
// as it is; so nothing is made room for that the segment's records cannot tell.
type ListBounds struct {
	Rows int // of one list
	XIDs int // that the rows of one list name together, besides the one a row is about
}

// Least lengths in the log, bytes: of a record (SizeOfXLogRecord in
// src/include/access/xlogrecord.h) and of a transaction identifier in one.
const (
	minRecordLen = 24
	xidLen       = 4
)

// ListBounds follows from the records of the segment: a row stands for at least
// one of them, and what it names is in their bytes, of which the last record may
// have more than the segment. Where the counts are not those of any segment, its
// length alone bounds the lists.
func (s *Segment) ListBounds() ListBounds {
	size := int64(s.SegmentSize)
	if !s.SegmentSize.Valid() {
		size = int64(pg.MaxSegmentSize)
	}
	rows, bytes := s.Records, s.Bytes
	if rows <= 0 || rows > size/minRecordLen {
		rows = size / minRecordLen
	}
	if bytes < rows*minRecordLen || bytes > size+maxRecordLen {
		bytes = size
	}
	return ListBounds{Rows: int(rows), XIDs: int(bytes / xidLen)}
}

// maxRecordLen bounds a record: the server does not allocate more
// (MaxAllocSize in src/include/utils/memutils.h).
const maxRecordLen = 1<<30 - 1

// encoded is how many bytes a list can take in the form of FORMAT.md. The columns
// of a row take less than 64. Of the rest an identifier takes at most 5 where the
// record has 4, a GID as much as in the record, and the numbers beside them no more
// than the record's header and theirs.
func (b ListBounds) encoded() int64 {
	return 64*int64(b.Rows) + (5+xidLen)*int64(b.XIDs)
}
