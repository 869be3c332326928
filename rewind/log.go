package rewind

import (
	"context"
	"fmt"
	"path/filepath"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// blockCheckpoint is the last checkpoint that both sides share.
type blockCheckpoint = blockmap.Checkpoint

// firstLook is how many segments the search for the last common checkpoint
// reads at first; each further look back is twice as long.
const firstLook = 4

// findTargetEnd finds where the target's log ends, and whether it goes past
// the fork at all.
//
// After a clean stop that is the end of the last checkpoint's record or the
// minimum recovery point, whichever is later: no page on disk is newer. After a
// crash it is the end of the valid log: a page reaches the disk only after the
// log of its changes has, so no page on disk is newer than that either, and
// no crash recovery is needed to know what changed. Damage is no such end:
// what it hides may have reached the pages.
func (r *run) findTargetEnd(ctx context.Context) error {
	s := &r.sit
	c := s.target.control
	clean := c.State.Clean()

	from := c.Checkpoint
	facts, err := r.index().Marks(ctx, s.target.path, pg.Span{From: from, To: r.endLimit(clean, from)})
	if err != nil {
		return fmt.Errorf("target: read WAL from its last checkpoint at %s: %w", from, err)
	}
	checkpoint, found := checkpointAt(facts, from)
	switch {
	case !found:
		return &PreflightError{Check: CheckCoverage, Side: Target, LSN: from, Path: r.missingFile(facts),
			Found: fmt.Sprintf("the WAL record of its last checkpoint at %s on timeline %d is not there (%s)", from, s.target.timeline, gapText(facts)),
			Want:  "the segment that holds it",
			Next:  fmt.Sprintf("restore %s into pg_wal or name an archive that has it", r.segmentName(s.target.timeline, from))}
	case clean:
		s.targetEnd = max(checkpoint.End, c.MinRecoveryPoint)
	default:
		if err := r.checkLogEnd(facts); err != nil {
			return err
		}
		s.targetEnd = max(facts.End, checkpoint.End)
		if c.MinRecoveryPoint > s.targetEnd {
			return &PreflightError{Check: CheckCoverage, Side: Target, LSN: s.targetEnd,
				Found: fmt.Sprintf("its WAL ends at %s (%s), before its minimum recovery point %s", s.targetEnd, gapText(facts), c.MinRecoveryPoint),
				Want:  "WAL up to the minimum recovery point",
				Next:  "restore the missing segments into pg_wal or name an archive that has them"}
		}
	}
	// Where the logs part under one number, also what was received and not
	// replayed must go, for the server would replay it.
	s.diverged = s.targetEnd > s.fork.LSN || s.parted || !clean && r.cfg.AsRecovered && s.targetEnd == s.fork.LSN
	return r.takeUnreplayed(ctx)
}

// checkLogEnd refuses a log that breaks off where a crash does not leave its
// end.
func (r *run) checkLogEnd(facts *Facts) error {
	at, found := facts.End, facts.StopDetail
	switch {
	case gapAfter(facts, facts.End):
		gap := facts.Gaps[len(facts.Gaps)-1]
		at, found = gap.Span.From, gap.Reason
	case walinspect.StopReason(facts.Stop).MayEndLog():
		return nil
	}
	name := r.segmentName(r.sit.target.path.Owner(at), at)
	return &PreflightError{Check: CheckCoverage, Side: Target, LSN: at, Path: r.missingFile(facts),
		Found: fmt.Sprintf("its WAL cannot be read past %s, and that is not how a crash leaves the end (%s)", at, found),
		Want:  "readable WAL up to the end: records behind that place may have changed blocks",
		Next:  fmt.Sprintf("restore %s from the archive; forkpoint inspect --check shows what is wrong with it", name)}
}

// endLimit is how far the search for the target's end reads. A clean stop
// wrote nothing after its checkpoint, so its record is enough.
func (r *run) endLimit(clean bool, checkpoint pg.LSN) pg.LSN {
	if clean {
		return checkpoint + 1
	}
	return pg.MaxLSN
}

func gapAfter(facts *Facts, lsn pg.LSN) bool {
	for _, g := range facts.Gaps {
		if g.Span.To > lsn {
			return true
		}
	}
	return false
}

// gatherBlocks gathers what the target's log says before and after the fork.
func (r *run) gatherBlocks(ctx context.Context) error {
	s := &r.sit
	var err error
	before := pg.Span{From: s.common.Redo, To: s.fork.LSN}
	if s.before, err = r.index().Touched(ctx, s.target.path, before); err != nil {
		return fmt.Errorf("target: read WAL from redo to the fork, %s: %w", before, err)
	}
	after := pg.Span{From: s.fork.LSN, To: s.targetEnd}
	if s.after, err = r.index().Touched(ctx, s.target.path, after); err != nil {
		return fmt.Errorf("target: read WAL since the fork, %s: %w", after, err)
	}
	if len(s.after.Gaps) == 0 || !r.blocksSuffice() {
		return nil
	}
	summarized, err := r.index().Blocks(ctx, s.target.path, after)
	if err != nil {
		return fmt.Errorf("target: read WAL summaries since the fork, %s: %w", after, err)
	}
	if len(summarized.Gaps) == 0 {
		s.after = summarized
		for _, span := range s.after.BlocksOnly {
			r.note(fmt.Sprintf("the target's WAL %s is gone: WAL summaries tell which blocks it changed", span))
		}
	}
	return nil
}

// blocksSuffice tells whether a rewind is safe that knows of a part of the log
// since the fork only which blocks it changed, and not which transactions ended
// or which settings held. It is where every change of a page was logged whatever
// the log says: data checksums make servers log hints, and one that stayed in
// production since the fork set none without. That they were on all the time is
// not told by that part of the log, so its server must have run all the time.
// wal_level = minimal needs no look, for there are no summaries of such log.
func (r *run) blocksSuffice() bool {
	return r.sit.target.control.DataChecksums == 1 && !r.wasInRecovery() && r.controlKept() && r.ranThrough() && !r.stoppedSince()
}

// segmentName is the name of the segment that holds lsn, for messages.
func (r *run) segmentName(tli pg.TimelineID, lsn pg.LSN) string {
	size := r.sit.target.control.SegmentSize
	return size.Name(tli, size.Number(lsn))
}

// missingFile is the segment file that the latest gap begins with when read
// backwards, "" where there is no gap or the file is there.
func (r *run) missingFile(facts *Facts) string {
	if len(facts.Gaps) == 0 {
		return ""
	}
	size := r.sit.target.control.SegmentSize
	gap := facts.Gaps[len(facts.Gaps)-1].Span
	n := size.Number(gap.To - 1)
	if gap.To == pg.MaxLSN {
		n = size.Number(gap.From)
	}
	tlis := r.sit.target.path.SegmentTimelines(size, n)
	if len(tlis) == 0 || r.targetHasWAL(size.Name(tlis[0], n)) {
		return ""
	}
	return filepath.Join(r.cfg.Target.Path(), "pg_wal", size.Name(tlis[0], n))
}

// gapText says in words why facts are not complete.
func gapText(facts *Facts) string {
	if len(facts.Gaps) > 0 {
		g := facts.Gaps[0]
		return fmt.Sprintf("WAL %s: %s", g.Span, g.Reason)
	}
	if facts.StopDetail != "" {
		return facts.Stop + ": " + facts.StopDetail
	}
	return facts.Stop
}
