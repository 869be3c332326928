package rewind

import (
	"context"
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// checkReplay reads the log that replay will read, record by record: what was
// fetched, and before the fork what the target has. This is the proof that the
// target will come up, taken while it is still as it was.
func (r *run) checkReplay(ctx context.Context) error {
	s := &r.sit
	span := pg.Span{From: s.label.Redo, To: max(s.sourceEnd.LSN, s.label.LSN+1)}
	began := r.cfg.Now()
	facts, err := r.replayLog().Marks(ctx, s.source.path, span)
	r.spent(PartProof, r.cfg.Now().Sub(began))
	if err != nil {
		return fmt.Errorf("read the WAL that replay needs, %s: %w", span, err)
	}
	if !r.reaches(facts, s.sourceEnd.LSN) {
		return r.unreadable(facts)
	}
	if c, found := checkpointAt(facts, s.label.LSN); !found || c.Redo != s.label.Redo {
		return r.noCheckpoint()
	}
	if lsn, off := fullPagesOff(facts, min(s.fork.LSN, s.source.control.CheckpointCopy.Redo)); off && r.cfg.Source.Kind() == source.Live {
		return &PreflightError{Check: CheckFullPages, Side: Source, LSN: lsn,
			Found: fmt.Sprintf("full_page_writes was off at %s", lsn),
			Want:  "full_page_writes = on since the fork, and since the last checkpoint: pages that change while they are copied may stay torn",
			Next:  "if that was before the fork, run CHECKPOINT at the source and try again; else take a new base backup, or rewind from a stopped standby of the source"}
	}
	return r.checkRepeats(ctx, facts, s.sourceEnd.LSN)
}

func (r *run) unreadable(facts *Facts) error {
	at := facts.End
	if len(facts.Gaps) > 0 {
		at = min(at, facts.Gaps[0].Span.From)
	}
	return &PreflightError{Check: CheckReplay, Side: Source, LSN: at,
		Found: fmt.Sprintf("the WAL that replay needs can be read up to %s only (%s)", at, gapText(facts)),
		Want:  fmt.Sprintf("all records from %s to %s", r.sit.label.Redo, r.sit.sourceEnd),
		Next:  "look at the segment there with forkpoint inspect; restore it from the archive if it is damaged"}
}

func (r *run) noCheckpoint() error {
	label := r.sit.label
	return &PreflightError{Check: CheckReplay, Side: Source, LSN: label.LSN,
		Found: fmt.Sprintf("there is no checkpoint record with redo point %s at %s in its history", label.Redo, label.LSN),
		Want:  "the checkpoint that the backup label will name"}
}

// reaches tells whether facts go to a position without a gap: what lies
// between the last record and the next one is no gap, for a segment that begins
// after a switch begins with a page header. Of a running server the end of what
// it has written will do.
func (r *run) reaches(facts *Facts, end pg.LSN) bool {
	if len(facts.Gaps) == 0 {
		return r.geometry().RecordStart(facts.End) >= end
	}
	return r.cfg.Source.Kind() == source.Live && len(facts.Gaps) == 1 &&
		walinspect.StopReason(facts.Stop).Unwritten(r.sit.target.control.SegmentSize, facts.End, facts.Gaps[0].Span.From, end)
}

// replayLog is the log as the rewound server will find it.
func (r *run) replayLog() BlockIndex { return r.newIndex(r.replayWAL()) }

// replayWAL is where the log lies that the rewound server will find.
func (r *run) replayWAL() segment.Source {
	size := r.sit.target.control.SegmentSize
	own := without{r.targetWAL(), size, r.ambiguous}
	var fetched segment.Source
	switch {
	case !r.cfg.DryRun:
		fetched = segment.NewDir(r.staged.dir, size)
	case r.cfg.Source.Kind() == source.Directory:
		fetched = r.plannedWAL()
	}
	return segment.NewChain(fetched, own, r.archives())
}

// fullPagesOff finds the first place from a position on where the log says
// that full_page_writes was off.
func fullPagesOff(facts *Facts, from pg.LSN) (pg.LSN, bool) {
	var off []pg.LSN
	for _, c := range facts.Checkpoints {
		if c.LSN >= from && !c.FullPageWrites {
			off = append(off, c.LSN)
		}
	}
	for _, e := range facts.Events {
		if e.LSN >= from && e.Kind == blockmap.FullPageWritesChange && !e.On {
			off = append(off, e.LSN)
		}
	}
	if len(off) == 0 {
		return 0, false
	}
	return slices.Min(off), true
}
