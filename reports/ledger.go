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
	lists       blockmap.Encoded
	first, last time.Time // as in Ledger
	end         pg.LSN    // of the last record of those with a time
	commits     int
}

// Add takes in the lists of the segment that follows, which may be packed.
func (l *Ledger) Add(s *blockmap.Segment) error {
	p := ledgerPart{lists: blockmap.Encode(s)}
	if s.Packed != nil {
		var err error
		if p.lists, err = s.Packed.Inflate(); err != nil {
			return err
		}
		s = &blockmap.Segment{}
		if err := p.lists.Decode(s); err != nil {
			return err
		}
	}
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
	if p.lists.Len() > 0 {
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

// decodedAhead is how many segments are decoded before they are asked for.
const decodedAhead = 8

// segments yields the lists again; they are valid until the next step. They are
// decoded, several at a time, while the caller deals with those before.
func (l *Ledger) segments() iter.Seq[*blockmap.Segment] {
	return func(yield func(*blockmap.Segment) bool) {
		if l == nil {
			return
		}
		ready, enough := make(chan chan *blockmap.Segment, decodedAhead), make(chan struct{})
		var decoding sync.WaitGroup
		decoding.Go(func() {
			defer close(ready)
			for i := range l.parts {
				one := make(chan *blockmap.Segment, 1)
				select {
				case ready <- one:
					decoding.Go(func() { one <- l.parts[i].decode() })
				case <-enough:
					return
				}
			}
		})
		defer decoding.Wait()
		defer close(enough)
		for one := range ready {
			if !yield(<-one) {
				return
			}
		}
	}
}

// decode gives the lists that Add took in. That they cannot be read again would
// be a mistake of the codec, which is tested by itself.
func (p *ledgerPart) decode() *blockmap.Segment {
	s := &blockmap.Segment{}
	if err := p.lists.Decode(s); err != nil {
		panic(fmt.Sprintf("lists of transactions that were read before: %v", err))
	}
	return s
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
			for _, xid := range append([]pg.XID{x.XID}, x.Subxacts()...) {
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
		a.replace(s.Xacts[i].XID, s.Xacts[i].Subxacts())
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
