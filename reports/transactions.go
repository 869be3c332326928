package reports

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Transactions are those of the target that the source does not have, or does
// not have to the end.
type Transactions struct {
	Commits   int                 `json:"commits"`
	Aborts    int                 `json:"aborts"`          // a subtransaction that was rolled back alone counts as one
	Subxacts  int                 `json:"subtransactions"` // committed with the commits
	First     time.Time           `json:"first_commit,omitzero"`
	Last      time.Time           `json:"last_commit,omitzero"`
	Seconds   float64             `json:"span_seconds,omitempty"` // from the first to the last commit
	Committed Stream[Transaction] `json:"committed"`
	Aborted   Stream[Transaction] `json:"aborted"`
	Prepared  []Transaction       `json:"prepared"`     // in doubt at the end of the target's log
	Open      []OpenAtFork        `json:"open_at_fork"` // in progress where the branches part

	lastCommits, lastAborts []Transaction // the last of each, for tables
}

// Transaction is one that ended, or was prepared, on the target after the fork.
type Transaction struct {
	XID       pg.XID            `json:"xid"`
	Kind      blockmap.XactKind `json:"kind"`
	LSN       pg.LSN            `json:"lsn"` // of the record that ended or prepared it
	Time      time.Time         `json:"time"`
	Parent    pg.XID            `json:"subtransaction_of,omitempty"` // of one that was rolled back alone, where the log says so
	Database  pg.OID            `json:"database,omitempty"`
	Subxacts  []pg.XID          `json:"subtransactions,omitempty"`
	GID       string            `json:"gid,omitempty"`
	Origin    uint16            `json:"origin,omitempty"`
	OriginLSN pg.LSN            `json:"origin_lsn,omitzero"`
	Records   int64             `json:"records,omitempty"`   // since the fork, subtransactions included
	WALBytes  int64             `json:"wal_bytes,omitempty"` //
	Before    bool              `json:"began_before_fork,omitempty"`
}

// OpenAtFork is a transaction that was in progress or prepared where the
// branches part, with what became of it on the target. On the source it was
// rolled back by the promotion, unless it was prepared.
type OpenAtFork struct {
	XID     pg.XID `json:"xid"`
	Outcome string `json:"outcome"`      // commit, abort, ... or "unfinished"
	LSN     pg.LSN `json:"lsn,omitzero"` // of the end
	GID     string `json:"gid,omitempty"`
}

// gatherTransactions sorts out the transactions of the target. before is the
// log from the redo point to the fork, after the one from the fork on.
func gatherTransactions(before, after *Log) Transactions {
	t := Transactions{Open: []OpenAtFork{}}
	across := newAcrossFork(before.ledger())
	outcomes := map[pg.XID]OpenAtFork{}
	r := replay{across: across, from: after.Span.From, ledger: after.Ledger}
	r.run(func(x *Transaction) bool {
		if x.Before {
			outcomes[x.XID] = OpenAtFork{XID: x.XID, Outcome: x.Kind.String(), LSN: x.LSN, GID: x.GID}
		}
		if x.Kind.Commits() {
			t.addCommit(x)
			t.lastCommits = keepLast(t.lastCommits, x)
		} else {
			t.Aborts++
			t.lastAborts = keepLast(t.lastAborts, x)
		}
		return true
	})
	if t.Commits > 0 {
		t.Committed = r.stream(blockmap.XactKind.Commits)
	}
	if t.Aborts > 0 {
		t.Aborted = r.stream(func(k blockmap.XactKind) bool { return !k.Commits() })
	}
	t.lastCommits, t.lastAborts = lastOf(t.lastCommits), lastOf(t.lastAborts)
	if t.Commits > 0 {
		t.Seconds = t.Last.Sub(t.First).Seconds()
	}
	t.Prepared = sortedBy(r.prepared, func(x Transaction) pg.LSN { return x.LSN })
	for xid := range r.across.open {
		o, ended := outcomes[xid]
		if x, is := r.prepared[xid]; is {
			o = OpenAtFork{XID: xid, Outcome: blockmap.Prepare.String(), LSN: x.LSN, GID: x.GID}
		} else if !ended {
			o = OpenAtFork{XID: xid, Outcome: "unfinished"}
		}
		outcomes[xid] = o
	}
	for xid := range outcomes {
		if !r.across.open[xid] { // prepared before, and so not counted as in progress
			delete(outcomes, xid)
		}
	}
	t.Open = sortedBy(outcomes, func(o OpenAtFork) pg.XID { return o.XID })
	return t
}

func (t *Transactions) addCommit(x *Transaction) {
	t.Commits++
	t.Subxacts += len(x.Subxacts)
	// Commit records are not in the order of their times.
	if t.First.IsZero() || x.Time.Before(t.First) {
		t.First = x.Time
	}
	t.Last = later(t.Last, x.Time)
}

// keepLast puts x on a list that is cut now and then, lastOf in the end, to as
// many as the longest table shows.
func keepLast(list []Transaction, x *Transaction) []Transaction {
	if len(list) == 2*maxPageRows {
		list = append(list[:0], list[maxPageRows:]...)
	}
	return append(list, *x)
}

func lastOf(list []Transaction) []Transaction { return list[max(0, len(list)-maxPageRows):] }

func sortedBy[K comparable, T any, O cmp.Ordered](m map[K]T, by func(T) O) []T {
	list := slices.SortedFunc(maps.Values(m), func(a, b T) int { return cmp.Compare(by(a), by(b)) })
	if list == nil {
		list = []T{}
	}
	return list
}

// replay goes through the log since the fork and puts together what each
// transaction did. It can be run again.
type replay struct {
	across acrossFork
	from   pg.LSN
	ledger *Ledger

	prepared map[pg.XID]Transaction // not finished so far
	work     map[pg.XID]blockmap.XIDActivity
	parents  map[pg.XID]pg.XID
	one      Transaction // that is handed out
}

// run hands out every transaction that ended, in the order of the log; it is
// valid during the call.
func (r *replay) run(each func(*Transaction) bool) {
	r.prepared, r.work, r.parents = map[pg.XID]Transaction{}, map[pg.XID]blockmap.XIDActivity{}, map[pg.XID]pg.XID{}
	r.across.open = maps.Clone(r.across.open)
	for i := range r.across.prepared {
		r.take(&r.across.prepared[i], each)
	}
	for s := range r.ledger.segments() {
		for _, x := range s.XIDs {
			sum := r.work[x.XID]
			sum.Records += x.Records
			sum.Bytes += x.Bytes
			sum.Top = max(sum.Top, x.Top)
			r.work[x.XID] = sum
		}
		for _, a := range s.Assignments {
			for _, sub := range a.Subs {
				r.parents[sub] = a.Top
			}
		}
		r.across.resolve(s)
		for i := range s.Xacts {
			if !r.take(&s.Xacts[i], each) {
				return
			}
		}
	}
}

func (r *replay) take(x *blockmap.Xact, each func(*Transaction) bool) bool {
	out := &r.one
	*out = Transaction{XID: x.XID, Kind: x.Kind, LSN: x.LSN, Time: x.Time, Database: x.DB,
		Before: r.across.open[x.XID] || x.LSN < r.from}
	if rest := x.Rest; rest != nil {
		out.Subxacts, out.GID, out.Origin, out.OriginLSN = rest.Subxacts, rest.GID, rest.Origin, rest.OriginLSN
	}
	own := r.work[x.XID]
	out.Records, out.WALBytes = own.Records, own.Bytes
	for _, sub := range out.Subxacts {
		w := r.work[sub]
		out.Records += w.Records
		out.WALBytes += w.Bytes
	}
	if x.Kind == blockmap.Prepare {
		r.prepared[x.XID] = *out
		return true
	}
	if p, was := r.prepared[x.XID]; was {
		out.Before = out.Before || p.Before
		if out.GID == "" {
			out.GID = p.GID // said by the record that prepared it alone
		}
		delete(r.prepared, x.XID)
	}
	if !x.Kind.Commits() {
		out.Parent = cmp.Or(own.Top, r.parents[x.XID])
	}
	r.forget(x.XID)
	for _, sub := range out.Subxacts {
		r.forget(sub)
	}
	return each(out)
}

// forget drops what is known of a transaction that has ended.
func (r *replay) forget(xid pg.XID) {
	delete(r.work, xid)
	if len(r.parents) > 0 {
		delete(r.parents, xid)
	}
}

// stream yields those that ended in one way, anew each time.
func (r *replay) stream(wanted func(blockmap.XactKind) bool) Stream[Transaction] {
	again := replay{across: r.across, from: r.from, ledger: r.ledger}
	return Stream[Transaction]{all: func(yield func(Transaction) bool) {
		run := again
		run.run(func(x *Transaction) bool { return !wanted(x.Kind) || yield(*x) })
	}}
}

// appendJSON is what package json makes of it; a test compares the two. A report
// can have millions.
func (x *Transaction) appendJSON(b []byte) []byte {
	number := func(name string, v uint64) {
		if v != 0 {
			b = strconv.AppendUint(append(b, name...), v, 10)
		}
	}
	b = strconv.AppendUint(append(b, `{"xid":`...), uint64(x.XID), 10)
	b = append(append(b, `,"kind":"`...), x.Kind.String()...)
	b, _ = x.LSN.AppendText(append(b, `","lsn":"`...)) // does not fail
	b = append(b, `","time":"`...)
	b = append(x.Time.AppendFormat(b, time.RFC3339Nano), '"')
	number(`,"subtransaction_of":`, uint64(x.Parent))
	number(`,"database":`, uint64(x.Database))
	for i, sub := range x.Subxacts {
		name := ","
		if i == 0 {
			name = `,"subtransactions":[`
		}
		b = strconv.AppendUint(append(b, name...), uint64(sub), 10)
	}
	if len(x.Subxacts) > 0 {
		b = append(b, ']')
	}
	if x.GID != "" {
		gid, _ := json.Marshal(x.GID) // a string does not fail
		b = append(append(b, `,"gid":`...), gid...)
	}
	number(`,"origin":`, uint64(x.Origin))
	if x.OriginLSN.Valid() {
		b, _ = x.OriginLSN.AppendText(append(b, `,"origin_lsn":"`...))
		b = append(b, '"')
	}
	number(`,"records":`, uint64(x.Records))
	number(`,"wal_bytes":`, uint64(x.WALBytes))
	if x.Before {
		b = append(b, `,"began_before_fork":true`...)
	}
	return append(b, '}')
}
