package reports

import (
	"cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// replay goes through the log since the fork, segment by segment, and puts
// together what each transaction did.
type replay struct {
	across acrossFork
	from   pg.LSN

	prepared map[pg.XID]Transaction // not finished so far
	work     map[pg.XID]blockmap.XIDActivity
	parents  map[pg.XID]pg.XID
	one      Transaction // that is handed out
}

func newReplay(from pg.LSN, before []*blockmap.Segment) replay {
	r := replay{across: newAcrossFork(before), from: from,
		prepared: map[pg.XID]Transaction{}, work: map[pg.XID]blockmap.XIDActivity{}, parents: map[pg.XID]pg.XID{}}
	for i := range r.across.prepared {
		r.take(&r.across.prepared[i])
	}
	return r
}

// enter takes in what a segment says of transactions that have not ended.
func (r *replay) enter(s *blockmap.Segment) {
	for i := range s.XIDs {
		x := &s.XIDs[i]
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
}

// take takes in one of its records. The transaction that this one ends, nil if
// it ends none, is valid until the next call.
func (r *replay) take(x *blockmap.Xact) *Transaction {
	own := r.work[x.XID]
	for _, sub := range x.Subxacts() {
		w := r.work[sub]
		own.Records += w.Records
		own.Bytes += w.Bytes
	}
	out := &r.one
	*out = ended(x, blockmap.XIDActivity{Records: own.Records, Bytes: own.Bytes}, r.across.open[x.XID] || x.LSN < r.from)
	if x.Kind == blockmap.Prepare {
		r.prepared[x.XID] = *out
		return nil
	}
	if len(r.prepared) > 0 {
		if p, was := r.prepared[x.XID]; was {
			out.Before = out.Before || p.Before
			if out.GID == "" {
				out.GID = p.GID // said by the record that prepared it alone
			}
			delete(r.prepared, x.XID)
		}
	}
	if !x.Kind.Commits() {
		out.Parent = cmp.Or(own.Top, r.parents[x.XID])
	}
	r.forget(x.XID)
	for _, sub := range x.Subxacts() {
		r.forget(sub)
	}
	return out
}

// forget drops what is known of a transaction that has ended.
func (r *replay) forget(xid pg.XID) {
	delete(r.work, xid)
	if len(r.parents) > 0 {
		delete(r.parents, xid)
	}
}

// acrossFork finds out which transactions had begun before the fork and not
// ended there: those in the last list that the server wrote, and those with
// records of their own, less those with an end. One that began before the redo
// point, wrote nothing since and came after the last list is not seen.
type acrossFork struct {
	open     map[pg.XID]bool
	prepared []blockmap.Xact // before the fork and not finished there, by position
}

func newAcrossFork(before []*blockmap.Segment) acrossFork {
	a := acrossFork{open: map[pg.XID]bool{}}
	listed := map[pg.XID]bool{} // in the last snapshot
	prepared := map[pg.XID]blockmap.Xact{}
	for _, s := range before {
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
