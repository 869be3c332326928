package reports

import (
	"fmt"
	"iter"
	"runtime"
	"sync"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Ledger keeps what a log says of its transactions, in the order of the log,
// and adds it up. A transaction is kept where it ends, with what it did until
// then, and packed, so that a million commits take some 20 MB. Segments are
// decoded, several at a time, beside whoever adds them; so a ledger is whole
// after Finish only.
type Ledger struct {
	First, Last time.Time // of all that end or prepare a transaction

	sums     Transactions // the lists left out
	outcomes map[pg.XID]OpenAtFork
	replay   replay
	parts    []ledgerPart

	segments chan chan ledgerSegment // nil while nothing is added
	going    sync.WaitGroup
	err      error         // that whoever takes them in has met first
	failed   chan struct{} // closed when there is one
}

// ledgerSegment is a segment whose lists were decoded.
type ledgerSegment struct {
	blockmap.Segment
	xacts []byte // the encoded list
	err   error
}

// NewLedger begins a ledger of the log since a fork. What a log of the target
// says from the redo point to the fork tells which transactions go across it.
func NewLedger(fork pg.LSN, before ...*blockmap.Segment) *Ledger {
	return &Ledger{replay: newReplay(fork, before), outcomes: map[pg.XID]OpenAtFork{}, failed: make(chan struct{})}
}

// decodedAhead is how many segments or parts are decoded before they are asked
// for. All of them lie in memory, so many cores do not make it more.
func decodedAhead() int { return min(runtime.GOMAXPROCS(0), 8) + 1 }

// Add takes in the lists of the segment that follows, which may be packed. It
// keeps nothing of the segment. An error is that of a segment before, which need
// not be the last. After Add there must be a Finish.
func (l *Ledger) Add(s *blockmap.Segment) error {
	select {
	case <-l.failed:
		return l.err
	default:
	}
	if l.segments == nil {
		l.segments = make(chan chan ledgerSegment, decodedAhead())
		l.going.Go(l.takeAll)
	}
	name, packed := s.Name, s.Packed
	d := ledgerSegment{Segment: blockmap.Segment{SegmentSize: s.SegmentSize, Records: s.Records, Bytes: s.Bytes}}
	var lists blockmap.Encoded
	if packed == nil {
		lists = blockmap.Encode(s)
	}
	one := make(chan ledgerSegment, 1)
	l.segments <- one
	l.going.Go(func() {
		if packed != nil {
			lists, d.err = packed.Inflate(d.ListBounds())
		}
		if d.err == nil {
			d.err = lists.Decode(&d.Segment)
		}
		if d.err != nil {
			d.err = fmt.Errorf("segment %s: %w", name.Format(d.SegmentSize), d.err)
		}
		d.xacts = lists.Xacts
		one <- d
	})
	return nil
}

// Finish waits until all that was added is taken in, and tells what was wrong
// with it.
func (l *Ledger) Finish() error {
	if l.segments != nil {
		close(l.segments)
		l.going.Wait()
		l.segments = nil
	}
	return l.err
}

func (l *Ledger) takeAll() {
	for one := range l.segments {
		s := <-one
		switch {
		case l.err != nil:
		case s.err != nil:
			l.err = s.err
			close(l.failed)
		default:
			l.take(&s)
		}
	}
}

// Commits counts them.
func (l *Ledger) Commits() int { return l.sums.Commits }

// partRows is how many transactions a part has at most.
const partRows = 4096

// ledgerPart is some transactions that ended or were prepared in a segment.
type ledgerPart struct {
	xacts       []byte // encoded; the name of a prepared one stands with its end alone
	work        []byte // encoded; a row for each: what it did, and its parent
	before      []int  // rows of those that began before the fork
	first, last time.Time
	end         pg.LSN // of the last record of those with a time
	commits     int
}

// take takes in a segment.
func (l *Ledger) take(s *ledgerSegment) {
	l.replay.enter(&s.Segment)
	for from := 0; from < len(s.Xacts); from += partRows {
		rows := s.Xacts[from:min(from+partRows, len(s.Xacts))]
		p := ledgerPart{xacts: s.xacts}
		work, changed := make([]blockmap.XIDActivity, len(rows)), len(rows) < len(s.Xacts)
		for i := range rows {
			x := &rows[i]
			if !x.Time.IsZero() {
				p.first, p.last, p.end = earlier(p.first, x.Time), later(p.last, x.Time), x.End
			}
			out := l.replay.take(x)
			if out == nil {
				changed = rename(x, "") || changed
				continue
			}
			changed = rename(x, out.GID) || changed
			work[i] = blockmap.XIDActivity{XID: out.XID, Top: out.Parent, Records: out.Records, Bytes: out.WALBytes}
			if out.Before {
				p.before = append(p.before, i)
			}
			if out.Kind.Commits() {
				p.commits++
			}
			l.add(out)
		}
		if changed {
			p.xacts = blockmap.EncodeXacts(rows)
		}
		p.work = blockmap.EncodeXIDs(work)
		l.First, l.Last = earlier(l.First, p.first), later(l.Last, p.last)
		l.parts = append(l.parts, p)
	}
}

// rename gives a transaction a name, and tells whether it had another.
func rename(x *blockmap.Xact, gid string) bool {
	if x.GID() == gid {
		return false
	}
	var rest blockmap.XactRest
	if x.Rest != nil {
		rest = *x.Rest
	}
	rest.GID = gid
	x.Rest = rest.OrNil()
	return true
}

// add takes in a transaction that ended.
func (l *Ledger) add(x *Transaction) {
	if x.Before {
		l.outcomes[x.XID] = OpenAtFork{XID: x.XID, Outcome: x.Kind.String(), LSN: x.LSN, GID: x.GID}
	}
	if x.Kind.Commits() {
		l.sums.addCommit(x)
	} else {
		l.sums.addAbort(x)
	}
}

// stream yields those that ended in one way.
func (l *Ledger) stream(wanted func(blockmap.XactKind) bool) Stream[Transaction] {
	return Stream[Transaction]{parts: len(l.parts), part: func(i int) iter.Seq[Transaction] { return l.parts[i].ended(wanted) }}
}

func (p *ledgerPart) ended(wanted func(blockmap.XactKind) bool) iter.Seq[Transaction] {
	return func(yield func(Transaction) bool) {
		work, err := blockmap.DecodeXIDs(p.work, blockmap.ListBounds{Rows: partRows})
		xacts := p.decode(err)
		before := p.before
		for i := range xacts {
			began := len(before) > 0 && before[0] == i
			if began {
				before = before[1:]
			}
			if x := &xacts[i]; x.Kind.Ends() && wanted(x.Kind) && !yield(ended(x, work[i], began)) {
				return
			}
		}
	}
}

func ended(x *blockmap.Xact, work blockmap.XIDActivity, before bool) Transaction {
	t := Transaction{XID: x.XID, Kind: x.Kind, LSN: x.LSN, Time: x.Time, Parent: work.Top, Database: x.DB,
		Records: work.Records, WALBytes: work.Bytes, Before: before}
	if rest := x.Rest; rest != nil {
		t.Subxacts, t.GID, t.Origin, t.OriginLSN = rest.Subxacts, rest.GID, rest.Origin, rest.OriginLSN
	}
	return t
}

// decode gives the list that was taken in. That it cannot be read again would
// be a mistake of the codec, which is tested by itself.
func (p *ledgerPart) decode(err error) []blockmap.Xact {
	var xacts []blockmap.Xact
	if err == nil {
		xacts, err = blockmap.DecodeXacts(p.xacts, blockmap.ListBounds{Rows: partRows, XIDs: len(p.xacts)}) // one takes at least a byte
	}
	if err != nil {
		panic(fmt.Sprintf("lists of transactions that were read before: %v", err))
	}
	return xacts
}

// earlier is the earlier of two times that are known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
