package reports

import (
	"fmt"
	"iter"
	"sync"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Ledger keeps what a log says of its transactions, in the order of the log. It
// is packed by segment, so that a million commits take some 20 MB, and unpacked
// segment by segment as often as somebody goes through it.
type Ledger struct {
	parts       []ledgerPart
	Commits     int
	LastCommit  time.Time
	First, Last time.Time // of all that end or prepare a transaction
}

type ledgerPart struct {
	xacts, xids, assignments, snapshots []byte
	first, last                         time.Time // as in Ledger
	end                                 pg.LSN    // of the last record of those with a time
	commits                             int
}

// Add takes in the lists of the segment that follows.
func (l *Ledger) Add(s *blockmap.Segment) error {
	p := ledgerPart{xacts: blockmap.EncodeXacts(s.Xacts), xids: blockmap.EncodeXIDs(s.XIDs),
		assignments: blockmap.EncodeAssignments(s.Assignments), snapshots: blockmap.EncodeSnapshots(s.Snapshots)}
	for i := range s.Xacts {
		x := &s.Xacts[i]
		if x.Kind.Commits() {
			p.commits++
			l.LastCommit = later(l.LastCommit, x.Time)
		}
		if !x.Time.IsZero() {
			p.first, p.last, p.end = earlier(p.first, x.Time), later(p.last, x.Time), x.End
		}
	}
	l.Commits += p.commits
	l.First, l.Last = earlier(l.First, p.first), later(l.Last, p.last)
	if len(p.xacts)+len(p.xids)+len(p.assignments)+len(p.snapshots) > 0 {
		l.parts = append(l.parts, p)
	}
	return nil
}

// earlier is the earlier of two times that are known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// unpackedAhead is how many segments are unpacked before they are asked for.
const unpackedAhead = 4

// segments yields the lists again; they are valid until the next step. They are
// unpacked while the caller deals with those before.
func (l *Ledger) segments() iter.Seq[*blockmap.Segment] {
	return func(yield func(*blockmap.Segment) bool) {
		if l == nil {
			return
		}
		ready, enough := make(chan *blockmap.Segment, unpackedAhead), make(chan struct{})
		var unpacking sync.WaitGroup
		unpacking.Go(func() {
			defer close(ready)
			for i := range l.parts {
				select {
				case ready <- l.parts[i].decode():
				case <-enough:
					return
				}
			}
		})
		defer unpacking.Wait()
		defer close(enough)
		for s := range ready {
			if !yield(s) {
				return
			}
		}
	}
}

func (p *ledgerPart) decode() *blockmap.Segment {
	return &blockmap.Segment{Xacts: p.decodeXacts(), XIDs: unpacked(blockmap.DecodeXIDs(p.xids)),
		Assignments: unpacked(blockmap.DecodeAssignments(p.assignments)), Snapshots: unpacked(blockmap.DecodeSnapshots(p.snapshots))}
}

func (p *ledgerPart) decodeXacts() []blockmap.Xact { return unpacked(blockmap.DecodeXacts(p.xacts)) }

// unpacked gives the list that Add packed. That it cannot be read again would be
// a mistake of the codec, which is tested by itself.
func unpacked[T any](list []T, err error) []T {
	if err != nil {
		panic(fmt.Sprintf("a list of transactions cannot be unpacked: %v", err))
	}
	return list
}

// acrossFork finds out which transactions had begun before the fork and not
// ended there: those in the last list that the server wrote, and those with
// records of their own, less those with an end. One that began before the redo
// point, wrote nothing since and came after the last list is not seen.
type acrossFork struct {
	open     map[pg.XID]bool
	prepared []blockmap.Xact // before the fork and not finished there, by position
}

func newAcrossFork(before *Ledger) acrossFork {
	a := acrossFork{open: map[pg.XID]bool{}}
	if before == nil {
		return a
	}
	listed := map[pg.XID]bool{} // in the last snapshot
	prepared := map[pg.XID]blockmap.Xact{}
	for s := range before.segments() {
		for _, x := range s.XIDs {
			a.open[x.XID] = true
		}
		if n := len(s.Snapshots); n > 0 {
			clear(listed)
			for _, xid := range s.Snapshots[n-1].XIDs {
				listed[xid] = true
			}
		}
		for _, x := range s.Xacts {
			delete(prepared, x.XID)
			if x.Kind == blockmap.Prepare {
				prepared[x.XID] = x
				continue
			}
			for _, xid := range append([]pg.XID{x.XID}, x.Subxacts...) {
				delete(a.open, xid)
				delete(listed, xid)
			}
		}
		a.resolve(s)
	}
	for xid := range listed {
		a.open[xid] = true
	}
	delete(a.open, 0)
	a.prepared = sortedBy(prepared, func(x blockmap.Xact) pg.LSN { return x.LSN })
	return a
}

// resolve replaces subtransactions by the transactions that a segment says they
// belong to.
func (a *acrossFork) resolve(s *blockmap.Segment) {
	if len(a.open) == 0 {
		return
	}
	for _, x := range s.Assignments {
		a.replace(x.Top, x.Subs)
	}
	for _, x := range s.XIDs {
		if x.Top != 0 {
			a.replace(x.Top, []pg.XID{x.XID})
		}
	}
	for i := range s.Xacts {
		a.replace(s.Xacts[i].XID, s.Xacts[i].Subxacts)
	}
}

func (a *acrossFork) replace(top pg.XID, subs []pg.XID) {
	for _, sub := range subs {
		if a.open[sub] {
			delete(a.open, sub)
			a.open[top] = true
		}
	}
}
