package rewind

import (
	"context"
	"fmt"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// A standby has dirty pages when it is promoted, of log from before its last
// restartpoint, and they stay dirty until its first checkpoint of its own. Until
// then it sets hints on them without any log (MarkBufferDirtyHint in
// src/backend/storage/buffer/bufmgr.c), as it did in recovery. What such hints
// can say that the source does not know of:
//
//   - that a transaction which was in progress when it was promoted has failed.
//     Its sessions see it so, and no record tells of it.
//   - that an index entry is dead, for the row was deleted after the promotion.
//     A page of an index names no transaction.

// openAtPromotion lists the transactions before the fork that ended because
// the target was promoted.
func (r *run) openAtPromotion() []pg.XID {
	s := &r.sit
	if !r.promotedAt().Valid() {
		return nil
	}
	ended := map[pg.XID]bool{}
	for _, facts := range []*Facts{s.before, s.after} {
		for _, x := range facts.Xacts {
			if !x.Kind.Ends() {
				continue
			}
			ended[x.XID] = true
			for _, sub := range x.Subxacts() {
				ended[sub] = true
			}
		}
	}
	var open []pg.XID
	add := func(xids ...pg.XID) {
		for _, x := range xids {
			if !ended[x] {
				open = append(open, x)
			}
		}
	}
	for _, x := range s.before.XIDs {
		if x.Top == 0 || !ended[x.Top] {
			add(x.XID)
		}
	}
	// Those that have no record since the checkpoint are in the list of running
	// transactions that comes with each.
	oldest := s.common.OldestActive
	if n := len(s.before.Snapshots); n > 0 {
		running := s.before.Snapshots[n-1]
		add(running.XIDs...)
		add(running.Subxacts...)
		oldest = running.OldestRunning
		if !running.Overflow {
			return open
		}
	}
	if oldest >= pg.FirstNormalXID { // 0 where the server was shut down and none ran
		for x, next := oldest, r.nextXIDAtFork(); x.Precedes(next); x++ {
			add(x)
		}
	}
	return open
}

// promotedAt is the earliest place after the fork at which the target left
// recovery and went on by itself; invalid if it did not.
func (r *run) promotedAt() pg.LSN {
	at, _ := r.promotion()
	return at
}

// promotion is promotedAt with the time by the target's clock.
func (r *run) promotion() (at pg.LSN, when time.Time) {
	note := func(lsn pg.LSN, t time.Time) {
		if !at.Valid() || lsn < at {
			at, when = lsn, t
		}
	}
	for _, e := range r.sit.after.Events {
		if e.Kind == blockmap.EndOfRecovery {
			note(e.LSN, e.Time)
		}
	}
	for _, c := range r.sit.after.Checkpoints {
		if c.Timeline != c.PrevTimeline {
			note(c.LSN, c.Time)
		}
	}
	return at, when
}

// clockSlack is how far the clock of a file system and that of the log may be
// apart, and how far either may have been set back since.
const clockSlack = 10 * time.Minute

// scanDead finds the index pages with entries that are marked dead, in the files
// that were written to since the promotion, or where no hint is known to be
// logged, since the last common checkpoint. All of them are taken: one that was
// marked long before costs a copy and nothing else.
func (r *run) scanDead(ctx context.Context) (*blockmap.Map, error) {
	_, since := r.promotion()
	if r.sit.unlogged {
		since = r.sit.common.Time
	}
	s := r.newScan(deadEntries)
	s.skip = func(f *datadir.File) bool { return f.ModTime.Before(since.Add(-clockSlack)) }
	if err := s.walk(ctx); err != nil {
		return nil, fmt.Errorf("target: look for dead index entries: %w", err)
	}
	return s.found, nil
}

// deadEntries tells whether a page is of an index and has an entry that scans
// pass over. Only pages of tables have no special space.
func deadEntries(page []byte) bool {
	h := bufpage.DecodeHeader(page)
	if h.New() || h.Check(len(page)) != nil || int(h.Special) == len(page) {
		return false
	}
	for item := range bufpage.Items(page) {
		if item.State == bufpage.Dead {
			return true
		}
	}
	return false
}
