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

// gatherTransactions sorts out the transactions of the target, given its log
// from the fork on.
func gatherTransactions(after *Log) Transactions {
	l := after.ledger()
	if l == nil {
		l = NewLedger(pg.InvalidLSN)
	}
	t := l.sums
	if t.Commits > 0 {
		t.Committed = l.stream(blockmap.XactKind.Commits)
		t.Seconds = t.Last.Sub(t.First).Seconds()
	}
	if t.Aborts > 0 {
		t.Aborted = l.stream(func(k blockmap.XactKind) bool { return !k.Commits() })
	}
	t.lastCommits, t.lastAborts = lastOf(t.lastCommits), lastOf(t.lastAborts)
	t.Prepared = sortedBy(l.replay.prepared, func(x Transaction) pg.LSN { return x.LSN })
	open := map[pg.XID]OpenAtFork{} // of those that were prepared before only what is in progress counts
	for xid := range l.replay.across.open {
		o, ended := l.outcomes[xid]
		if x, is := l.replay.prepared[xid]; is {
			o = OpenAtFork{XID: xid, Outcome: blockmap.Prepare.String(), LSN: x.LSN, GID: x.GID}
		} else if !ended {
			o = OpenAtFork{XID: xid, Outcome: "unfinished"}
		}
		open[xid] = o
	}
	t.Open = sortedBy(open, func(o OpenAtFork) pg.XID { return o.XID })
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
	t.lastCommits = keepLast(t.lastCommits, x)
}

func (t *Transactions) addAbort(x *Transaction) {
	t.Aborts++
	t.lastAborts = keepLast(t.lastAborts, x)
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
