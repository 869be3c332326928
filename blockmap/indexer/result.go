package indexer

import (
	"cmp"
	"maps"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Gap is a part of the log that nothing tells about.
type Gap struct {
	pg.Span
	Reason string `json:"reason"`
}

// Result is what is known of a span of the log.
type Result struct {
	Span     pg.Span // as asked for
	Coverage Coverage
	Gaps     []Gap
	// Widened lists parts for which only whole segments are known, since their
	// files are gone. Blocks, Activity, Rmgrs and XIDs then count records around
	// the part too, and no block of theirs counts as restored by it.
	Widened []pg.Span
	// BlocksOnly lists parts that nothing but WAL summaries tells about. Of their
	// records only the blocks are known, and no block counts as restored by them.
	BlocksOnly []pg.Span

	// End is the end of the last record, and Stop why there is no further one:
	// walinspect.StopLimit where the span's end was reached.
	End        pg.LSN
	Stop       walinspect.StopReason
	StopDetail string

	Segments int   // that records were found in
	Read     int   // of them, read now
	Bytes    int64 // lengths of the records

	// What the records say, in log order; only of Touched.
	Blocks      *blockmap.Map
	Restored    []Restored // what Blocks has restored in main forks, by segment; what was cut since included
	Activity    map[pg.RelFork]blockmap.Activity
	Rmgrs       []blockmap.RmgrCount
	Records     int64
	Checkpoints []blockmap.Checkpoint
	Events      []blockmap.Event
	Xacts       []blockmap.Xact
	Assignments []blockmap.Assignment
	Snapshots   []blockmap.Snapshot
	XIDs        []blockmap.XIDActivity // each identifier once, by first record
}

// Complete tells whether the span is covered without a gap. A span without end
// ends with the log.
func (r *Result) Complete() bool { return len(r.Gaps) == 0 }

// Restored is what the records of a part of a segment restore of the blocks that
// no record before them in the span refers to.
type Restored struct {
	Span   pg.Span
	Blocks map[pg.RelFork]*blockmap.Set
}

// merge gathers the contents of segments.
type merge struct {
	result *Result
	visit  func(*blockmap.Segment) error // gets the lists of transactions; nil to gather them
	marks  bool                          // gather nothing but checkpoints and events
	rmgrs  map[[2]uint8]*blockmap.RmgrCount
	xids   map[pg.XID]*blockmap.XIDActivity
}

func newMerge(r *Result, visit func(*blockmap.Segment) error, marks bool) *merge {
	r.Blocks, r.Activity = &blockmap.Map{}, map[pg.RelFork]blockmap.Activity{}
	return &merge{r, visit, marks, map[[2]uint8]*blockmap.RmgrCount{}, map[pg.XID]*blockmap.XIDActivity{}}
}

// add takes in the contents of a segment. Those whose position is outside the
// span, as when only the whole segment is known, are left out where they have
// one.
func (m *merge) add(s *blockmap.Segment, span pg.Span) error {
	if m.marks {
		m.addMarks(s, span)
		return nil
	}
	if m.visit == nil {
		if first := m.result.Blocks.FirstRestored(s.Touched); len(first) > 0 {
			m.result.Restored = append(m.result.Restored, Restored{span, first})
		}
	}
	m.addTouched(s.Touched, s.Activity)
	return m.addLists(s, span)
}

func (m *merge) addTouched(blocks *blockmap.Map, activity map[pg.RelFork]blockmap.Activity) {
	m.result.Blocks.Append(blocks)
	for rf, a := range activity {
		sum := m.result.Activity[rf]
		sum.Add(a)
		m.result.Activity[rf] = sum
	}
}

func (m *merge) addMarks(s *blockmap.Segment, span pg.Span) {
	r := m.result
	r.Records += s.Records
	r.Checkpoints = within(r.Checkpoints, s.Checkpoints, span, func(c *blockmap.Checkpoint) pg.LSN { return c.LSN })
	r.Events = within(r.Events, s.Events, span, func(e *blockmap.Event) pg.LSN { return e.LSN })
}

func (m *merge) addLists(s *blockmap.Segment, span pg.Span) error {
	r := m.result
	m.addMarks(s, span)
	if m.visit != nil {
		part := *s
		if s.Packed != nil && s.Xacts == nil && span.Contains(s.First) && span.Contains(s.Last) {
			return m.visit(&part) // all of it, packed
		}
		part.Packed = nil // it has what is cut off here
		part.Xacts = within(nil, s.Xacts, span, func(x *blockmap.Xact) pg.LSN { return x.LSN })
		part.Assignments = within(nil, s.Assignments, span, func(a *blockmap.Assignment) pg.LSN { return a.LSN })
		part.Snapshots = within(nil, s.Snapshots, span, func(s *blockmap.Snapshot) pg.LSN { return s.LSN })
		return m.visit(&part)
	}
	for _, c := range s.Rmgrs {
		key := [2]uint8{uint8(c.Rmgr), c.Op}
		if sum := m.rmgrs[key]; sum != nil {
			sum.Records += c.Records
			sum.Bytes += c.Bytes
			sum.ImageBytes += c.ImageBytes
		} else {
			m.rmgrs[key] = &c
		}
	}
	r.Xacts = within(r.Xacts, s.Xacts, span, func(x *blockmap.Xact) pg.LSN { return x.LSN })
	r.Assignments = within(r.Assignments, s.Assignments, span, func(a *blockmap.Assignment) pg.LSN { return a.LSN })
	r.Snapshots = within(r.Snapshots, s.Snapshots, span, func(s *blockmap.Snapshot) pg.LSN { return s.LSN })
	for _, x := range s.XIDs {
		sum := m.xids[x.XID]
		if sum == nil {
			m.xids[x.XID] = &x
			continue
		}
		sum.Records += x.Records
		sum.Bytes += x.Bytes
		sum.Top = max(sum.Top, x.Top) // 0 where unknown
	}
	return nil
}

func within[T any](dst, src []T, span pg.Span, at func(*T) pg.LSN) []T {
	if n := len(src); dst == nil && n > 0 && span.Contains(at(&src[0])) && span.Contains(at(&src[n-1])) {
		return src[:n:n] // they are in order
	}
	for i := range src {
		if span.Contains(at(&src[i])) {
			dst = append(dst, src[i])
		}
	}
	return dst
}

// finish puts into the result what was gathered apart.
func (m *merge) finish() {
	for _, key := range slices.SortedFunc(maps.Keys(m.rmgrs), func(a, b [2]uint8) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		m.result.Rmgrs = append(m.result.Rmgrs, *m.rmgrs[key])
	}
	for _, x := range slices.SortedFunc(maps.Values(m.xids), func(a, b *blockmap.XIDActivity) int { return cmp.Compare(a.First, b.First) }) {
		m.result.XIDs = append(m.result.XIDs, *x)
	}
}
