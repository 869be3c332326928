package reports

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Transactions are those of the target that the source does not have, or does
// not have to the end.
type Transactions struct {
	Commits   int           `json:"commits"`
	Aborts    int           `json:"aborts"`
	Subxacts  int           `json:"subtransactions"` // committed with the commits
	First     time.Time     `json:"first_commit,omitzero"`
	Last      time.Time     `json:"last_commit,omitzero"`
	Committed []Transaction `json:"committed"`
	Aborted   []Transaction `json:"aborted"`
	Prepared  []Transaction `json:"prepared"`     // in doubt at the end of the target's log
	Open      []OpenAtFork  `json:"open_at_fork"` // in progress where the branches part
}

// Transaction is one that ended, or was prepared, on the target after the fork.
type Transaction struct {
	XID       pg.XID            `json:"xid"`
	Kind      blockmap.XactKind `json:"kind"`
	LSN       pg.LSN            `json:"lsn"` // of the record that ended or prepared it
	Time      time.Time         `json:"time"`
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
	t := Transactions{Committed: []Transaction{}, Aborted: []Transaction{}, Prepared: []Transaction{}, Open: []OpenAtFork{}}
	open := openAtFork(before, after)
	work := workOf(after)
	prepared := map[pg.XID]Transaction{}
	for _, x := range append(preparedBefore(before), after.Xacts...) {
		entry := Transaction{XID: x.XID, Kind: x.Kind, LSN: x.LSN, Time: x.Time, Database: x.DB, Subxacts: x.Subxacts,
			GID: x.GID, Origin: x.Origin, OriginLSN: x.OriginLSN, Before: open[x.XID] || x.LSN < after.Span.From}
		for _, xid := range append([]pg.XID{x.XID}, x.Subxacts...) {
			entry.Records += work[xid].Records
			entry.WALBytes += work[xid].Bytes
		}
		if entry.GID == "" {
			entry.GID = prepared[x.XID].GID // said by the record that prepared it alone
		}
		switch {
		case x.Kind == blockmap.Prepare:
			prepared[x.XID] = entry
		case x.Kind.Commits():
			delete(prepared, x.XID)
			t.addCommit(entry)
		default:
			delete(prepared, x.XID)
			t.Aborted = append(t.Aborted, entry)
		}
	}
	t.Commits, t.Aborts = len(t.Committed), len(t.Aborted)
	t.Prepared = slices.SortedFunc(maps.Values(prepared), func(a, b Transaction) int { return cmp.Compare(a.LSN, b.LSN) })
	t.listOpen(open, prepared)
	return t
}

func (t *Transactions) addCommit(x Transaction) {
	t.Committed = append(t.Committed, x)
	t.Subxacts += len(x.Subxacts)
	// Commit records are not in the order of their times.
	if t.First.IsZero() || x.Time.Before(t.First) {
		t.First = x.Time
	}
	if x.Time.After(t.Last) {
		t.Last = x.Time
	}
}

// preparedBefore lists transactions prepared before the fork and not finished
// there.
func preparedBefore(before *Log) []blockmap.Xact {
	if before == nil {
		return nil
	}
	last := map[pg.XID]blockmap.Xact{}
	for _, x := range before.Xacts {
		if delete(last, x.XID); x.Kind == blockmap.Prepare {
			last[x.XID] = x
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b blockmap.Xact) int { return cmp.Compare(a.LSN, b.LSN) })
}

// workOf sums up the records that each transaction identifier wrote.
func workOf(log *Log) map[pg.XID]blockmap.XIDActivity {
	work := map[pg.XID]blockmap.XIDActivity{}
	for _, x := range log.XIDs {
		sum := work[x.XID]
		sum.Records += x.Records
		sum.Bytes += x.Bytes
		work[x.XID] = sum
	}
	return work
}

// openAtFork finds the top-level transactions that had begun before the fork
// and not ended there: those in the last list that the server wrote, and those
// with records of their own, less those with an end. One that began before the
// redo point, wrote nothing since and came after the last list is not seen.
func openAtFork(before, after *Log) map[pg.XID]bool {
	open := map[pg.XID]bool{}
	if before == nil {
		return open
	}
	top := map[pg.XID]pg.XID{}
	for _, log := range []*Log{before, after} {
		for _, a := range log.Assignments {
			for _, sub := range a.Subs {
				top[sub] = a.Top
			}
		}
		for _, x := range log.Xacts {
			for _, sub := range x.Subxacts {
				top[sub] = x.XID
			}
		}
		for _, x := range log.XIDs {
			if x.Top != 0 {
				top[x.XID] = x.Top
			}
		}
	}
	begin := func(xid pg.XID) {
		if parent, isSub := top[xid]; isSub {
			xid = parent
		}
		if xid != 0 {
			open[xid] = true
		}
	}
	if n := len(before.Snapshots); n > 0 {
		for _, xid := range before.Snapshots[n-1].XIDs {
			begin(xid)
		}
	}
	for _, x := range before.XIDs {
		begin(x.XID)
	}
	for _, x := range before.Xacts {
		if x.Kind.Ends() {
			delete(open, x.XID)
		}
	}
	return open
}

// listOpen says what became of each transaction that was open at the fork.
func (t *Transactions) listOpen(open map[pg.XID]bool, prepared map[pg.XID]Transaction) {
	found := map[pg.XID]OpenAtFork{}
	for xid := range open {
		found[xid] = OpenAtFork{XID: xid, Outcome: "unfinished"}
	}
	for xid, x := range prepared {
		if open[xid] {
			found[xid] = OpenAtFork{XID: xid, Outcome: blockmap.Prepare.String(), LSN: x.LSN, GID: x.GID}
		}
	}
	for _, list := range [][]Transaction{t.Committed, t.Aborted} {
		for _, x := range list {
			if open[x.XID] {
				found[x.XID] = OpenAtFork{XID: x.XID, Outcome: x.Kind.String(), LSN: x.LSN, GID: x.GID}
			}
		}
	}
	t.Open = slices.SortedFunc(maps.Values(found), func(a, b OpenAtFork) int { return cmp.Compare(a.XID, b.XID) })
}
