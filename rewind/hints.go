package rewind

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// hinted is what is known of pages that may carry hint bits without any log of
// them.
//
// A server in recovery sets hint bits on pages that are dirty anyway and logs
// nothing of it, and it writes such pages at its own restartpoints. So a
// target that replayed past the fork can hold, on a page that no log after the
// last common checkpoint mentions, the hint that a transaction committed which
// the source's history never committed, or the reverse. The rows would stay
// visible on the rewound standby. Such pages hold rows of a transaction that
// was in progress at the fork and ended after it, so they were touched by a
// record of that transaction, however long ago.
type hinted struct {
	XIDs   []pg.XID      // transactions and subtransactions in progress at the fork that ended after it, if only by a promotion
	Since  pg.LSN        // no record of theirs begins earlier
	Blocks *blockmap.Map // what their records before the fork touched, and dead index entries; may be nil
}

// gatherHinted finds those pages. Without such transactions, the common case,
// and where the target was not promoted and surely logged its hints, it reads
// nothing.
func (r *run) gatherHinted(ctx context.Context) error {
	s := &r.sit
	if err := r.findUnlogged(ctx); err != nil {
		return err
	}
	if s.unlogged {
		r.note("that the target logged hints all the way since the fork is not proven, for pg_checksums may have switched data checksums on while it was stopped: its indexes were searched for dead entries")
	}
	s.hinted = &hinted{XIDs: r.acrossFork()}
	var err error
	if len(s.hinted.XIDs) > 0 {
		if s.hinted.Blocks, err = r.touchedAcross(ctx); err != nil {
			return err
		}
	}
	if !r.promotedAt().Valid() && !s.unlogged {
		return nil
	}
	dead, err := r.scanDead(ctx)
	if err != nil {
		return err
	}
	if s.hinted.Blocks == nil {
		s.hinted.Blocks = dead
	} else {
		s.hinted.Blocks.Append(dead)
	}
	return nil
}

// touchedAcross finds what the transactions touched before the fork.
func (r *run) touchedAcross(ctx context.Context) (*blockmap.Map, error) {
	s := &r.sit
	since, err := r.firstRecordOf(ctx, s.hinted.XIDs)
	if err != nil {
		return nil, err
	}
	if !since.Valid() {
		if !r.wasInRecovery() && !s.unlogged {
			s.hinted.XIDs = nil // hints of a server in production are logged
			return nil, nil
		}
		blocks, err := r.scanHints(ctx, s.hinted.XIDs)
		if err == nil {
			r.note(fmt.Sprintf("%d transactions that were open at the fork ended after it on the target, and the WAL since they began is gone: all its tables were searched for traces of their end", len(s.hinted.XIDs)))
		}
		return blocks, err
	}
	s.hinted.Since = since
	span := pg.Span{From: since, To: s.fork.LSN}
	blocks, err := r.index().TouchedBy(ctx, s.target.path, span, s.hinted.XIDs)
	if err != nil {
		return nil, fmt.Errorf("target: read WAL of transactions open at the fork, %s: %w", span, err)
	}
	return blocks, nil
}

// acrossFork lists the transactions that may have been in progress at the fork
// and ended after it, with their subtransactions. One whose number was given
// out after the fork cannot: its pages were touched after the fork.
func (r *run) acrossFork() []pg.XID {
	s := &r.sit
	next := r.nextXIDAtFork()
	seen := map[pg.XID]bool{}
	var xids []pg.XID
	add := func(x pg.XID) {
		if x >= pg.FirstNormalXID && x.Precedes(next) && !seen[x] {
			seen[x] = true
			xids = append(xids, x)
		}
	}
	for _, x := range s.after.Xacts {
		if !x.Kind.Ends() {
			continue
		}
		add(x.XID)
		for _, sub := range x.Subxacts() {
			add(sub)
		}
	}
	for _, x := range r.openAtPromotion() {
		add(x)
	}
	return xids
}

// nextXIDAtFork is an upper bound of the first transaction number that was not
// given out at the fork: what the last common checkpoint says, or one past the
// highest that a record up to the fork carries.
func (r *run) nextXIDAtFork() pg.XID {
	next := pg.XID(r.sit.common.NextXID)
	later := func(x pg.XID) {
		if x >= pg.FirstNormalXID && next.Precedes(x) {
			next = x
		}
	}
	for _, x := range r.sit.before.XIDs {
		later(x.XID + 1)
	}
	for _, snap := range r.sit.before.Snapshots {
		later(snap.Next)
	}
	return next
}

// firstRecordOf finds a place before which none of the transactions has a
// record: a checkpoint or list of running transactions that was written before
// the first of their numbers was given out. It is invalid where the log at hand
// does not reach back that far.
func (r *run) firstRecordOf(ctx context.Context, xids []pg.XID) (pg.LSN, error) {
	s := &r.sit
	oldest := xids[0]
	for _, x := range xids {
		if x.Precedes(oldest) {
			oldest = x
		}
	}
	if at, found := notYetBegun(s.before, oldest); found {
		return at, nil
	}
	size := s.target.control.SegmentSize
	to := s.common.Redo
	segments := uint64(firstLook)
	for first := size.Number(to) + 1; first > 0; segments *= 2 {
		first -= min(first, segments)
		span := pg.Span{From: size.Start(first), To: to}
		facts, err := r.index().Touched(ctx, s.target.path, span)
		if err != nil {
			return 0, fmt.Errorf("target: look for the beginning of transaction %d in %s: %w", oldest, span, err)
		}
		at, found := notYetBegun(facts, oldest)
		if found && !gapAfter(facts, at) {
			return at, nil
		}
		if len(facts.Gaps) > 0 {
			return pg.InvalidLSN, nil
		}
		to = span.From
	}
	return pg.InvalidLSN, nil
}

// notYetBegun finds the latest record that tells that the transaction number
// had not been given out.
func notYetBegun(facts *Facts, xid pg.XID) (pg.LSN, bool) {
	at := pg.InvalidLSN
	for _, c := range facts.Checkpoints {
		// The number in a checkpoint was read at its redo point at the earliest.
		if next := pg.XID(c.NextXID); next == xid || next.Precedes(xid) {
			at = max(at, c.Redo)
		}
	}
	for _, snap := range facts.Snapshots {
		if snap.Next == xid || snap.Next.Precedes(xid) {
			at = max(at, snap.LSN)
		}
	}
	return at, at.Valid()
}

// wasInRecovery tells whether the target may have replayed log past the fork
// while it answered queries. A server that stayed in production since before
// the fork logs the first hint on every clean page.
func (r *run) wasInRecovery() bool {
	c := r.sit.target.control
	produced := c.State == pgcontrol.ShutDown || c.State == pgcontrol.InProduction
	return !produced || c.MinRecoveryPoint.Valid() || r.sit.target.timeline != r.sit.fork.Timeline
}
