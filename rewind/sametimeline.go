package rewind

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// Two servers can write under one timeline number: a standby that was started
// without standby.signal goes on under its primary's, and two standbys that are
// promoted apart from each other pick the same. Their histories are then the
// same, and only the records tell that they parted. pg_rewind asks for no more
// than the number and says that no rewind is required.

// compareSame compares the logs of two sides that the histories cannot tell
// apart, over the segments that both hold of their last timeline. A record that
// differs is a fork like one of a history; where all are the same up to the
// target's end there is nothing to do; and where that cannot be told, it
// refuses.
func (r *run) compareSame(ctx context.Context) error {
	s := &r.sit
	if !s.fork.Same() {
		if r.resumed == nil {
			r.tell(Event{Kind: EventFork, LSN: s.fork.LSN, Timeline: s.fork.Timeline})
		}
		return nil
	}
	r.tell(Event{Kind: EventSame, Timeline: s.target.timeline})
	if err := r.findTargetEnd(ctx); err != nil {
		return r.notCompared(err)
	}
	c, err := r.compareLogs(ctx)
	if err != nil {
		return fmt.Errorf("compare the WAL of target and source: %w", err)
	}
	s.comparison = c
	switch {
	case c.Differs && c.Vouched.Valid() && c.Unsure == "":
		r.partAt(c.Fork)
		return nil
	case c.Differs:
		return r.partedEarlier(c)
	case r.resumed != nil:
		return nil // checkSameFork refuses
	case c.PartOf(r.geometry(), s.targetEnd):
		return r.stopNoop(fmt.Sprintf("source and target are on the same timeline %d, and all records of the target from %s to its end at %s are the source's", s.target.timeline, c.From, s.targetEnd))
	case c.Vouched.Valid() && c.Unsure == "" && c.A.Record && !c.B.Record && c.B.Stop.EndOfWAL():
		return r.ahead(c.Alike)
	}
	return r.notCompared(r.uncompared(ctx, c))
}

// compareLogs compares the target's own log with the source's. What the source
// has recycled is looked for in the archives, which can show that the target's
// log is a part of the source's, and no more: where logs parted is told by the
// files of the two alone.
func (r *run) compareLogs(ctx context.Context) (*lineage.Comparison, error) {
	logs := lineage.Logs{
		A: r.ownWAL(), B: NewSourceWAL(r.cfg.Source, r.geometry().SegmentSize), Known: r.cfg.Known,
		Path: r.sit.target.path, Geometry: r.geometry(),
	}
	c, err := lineage.Compare(ctx, logs, r.sit.targetEnd)
	if err != nil || c.Vouched.Valid() || r.cfg.Archives == nil || r.resumed != nil {
		return c, err
	}
	archived, err := r.compareArchived(ctx, logs)
	if err != nil || archived != nil {
		return archived, err
	}
	return c, nil
}

// partAt makes a difference of the logs the fork. A standby may have received
// log past the fork and not replayed it: what it has replayed is then all that
// counts as shared, for no page of it is newer, and replay begins there.
func (r *run) partAt(lsn pg.LSN) {
	s := &r.sit
	lsn = min(lsn, s.targetEnd)
	s.fork = timeline.ForkPoint{LSN: lsn, Source: s.source.timeline, Target: s.target.timeline, Timeline: s.target.path.Owner(lsn - 1)}
	s.parted = true
	r.blocks = nil
	r.note(fmt.Sprintf("the histories are the same; that the two parted at %s was found by comparing their records: two servers wrote under timeline %d", lsn, s.target.timeline))
	if r.resumed == nil {
		r.tell(Event{Kind: EventFork, LSN: lsn, Timeline: s.fork.Timeline})
	}
}

// partedEarlier refuses where the logs differ as far back as both hold them.
func (r *run) partedEarlier(c *lineage.Comparison) error {
	size, tli := r.geometry().SegmentSize, r.sit.target.timeline
	found := fmt.Sprintf("its log and the source's differ under one timeline number, %d, at %s, and where they parted is not to be told", tli, c.At)
	switch {
	case c.Unsure != "":
		found += ": " + c.Unsure
	case c.Alike > c.From:
		found += fmt.Sprintf(": the records before, from %s on, are the same, but none carries a time that would show them to be of one server", c.From)
	default:
		found += ": it is the first record that both hold"
	}
	if r.sit.unjoined != "" {
		found += "; " + r.sit.unjoined
	}
	return &PreflightError{Check: CheckSameBranch, Side: Target, LSN: c.At, Found: found,
		Want: fmt.Sprintf("the segments before %s in pg_wal of both, back to where the logs are the same", size.Name(tli, size.Number(c.At))),
		Next: "restore each side's own segments into its pg_wal, from an archive that only that side wrote, and run again; otherwise this node needs a new base backup"}
}

// notCompared refuses for want of proof, unless the caller takes the histories'
// word for it.
func (r *run) notCompared(err error) error {
	var refused *PreflightError
	if !r.cfg.TrustHistory || r.resumed != nil || !errors.As(err, &refused) {
		return err
	}
	r.cfg.Log.Warn("that target and source agree is what their histories say; their WAL could not be compared: " + refused.Found)
	return r.stopNoop(fmt.Sprintf("source and target are on the same timeline %d", r.sit.target.timeline))
}

// uncompared says what is missing for the comparison.
func (r *run) uncompared(ctx context.Context, c *lineage.Comparison) error {
	s := &r.sit
	size := r.geometry().SegmentSize
	from := c.Alike // what comes before is compared
	if c.Alike == c.From || c.From >= s.targetEnd {
		from = s.targetEnd - 1
	}
	e := &PreflightError{Check: CheckSameBranch, Side: Target, LSN: from,
		Want: "the WAL of both sides up to where the target ends, to tell whether they are the same",
		Next: "name an archive that has the missing segments, restore them into that side's pg_wal, or, where the target is known to be a standby of this source, start it without a rewind"}
	var lacks []string
	for n := size.Number(from); n <= size.Number(s.targetEnd-1); n++ {
		for _, side := range []struct {
			name string
			wal  segment.Source
		}{{"target", r.ownWAL()}, {"source", NewSourceWAL(r.cfg.Source, size)}} {
			if name, there := r.holds(ctx, side.wal, n); !there {
				lacks = append(lacks, fmt.Sprintf("%s at the %s", name, side.name))
			}
		}
	}
	upTo := fmt.Sprintf("%s to %s", from, s.targetEnd)
	switch {
	case c.Alike >= s.targetEnd && c.Unsure == "":
		e.Found = fmt.Sprintf("it is on the same timeline %d as the source, and all its records from %s to %s are the source's, but none carries a time that would show them to be of one server", s.target.timeline, c.From, s.targetEnd)
	case len(lacks) > 0:
		e.Found = fmt.Sprintf("it is on the same timeline %d as the source, and WAL %s cannot be compared: there is no %s", s.target.timeline, upTo, strings.Join(lacks, ", no "))
	case c.Unsure != "":
		e.Found = fmt.Sprintf("it is on the same timeline %d as the source, and WAL %s cannot be compared: %s", s.target.timeline, upTo, c.Unsure)
	default:
		e.Found = fmt.Sprintf("it is on the same timeline %d as the source, and WAL %s cannot be compared: the target's ends at %s (%s), the source's at %s (%s)",
			s.target.timeline, upTo, c.A.LSN, c.A.Stop, c.B.LSN, c.B.Stop)
	}
	if s.unjoined != "" {
		e.Found += "; " + s.unjoined
	}
	return e
}

// holds tells whether a side has segment n of the common path, and its name.
func (r *run) holds(ctx context.Context, wal segment.Source, n uint64) (name string, there bool) {
	size := r.geometry().SegmentSize
	for _, tli := range r.sit.target.path.SegmentTimelines(size, n) {
		if name == "" {
			name = size.Name(tli, n)
		}
		if f, err := wal.Open(ctx, size.Name(tli, n)); err == nil {
			f.Close() // read only
			return size.Name(tli, n), true
		}
	}
	return name, false
}

// ahead decides about a target that has all of the source's log and more. A
// source in recovery receives what it lacks; one that is in production goes on
// from its end with other records.
func (r *run) ahead(end pg.LSN) error {
	s := &r.sit
	if !r.sourceInProduction() {
		return r.stopNoop(fmt.Sprintf("source and target are on the same timeline %d, and the source, a standby, has only not received all yet: it ends at %s", s.target.timeline, end))
	}
	return &PreflightError{Check: CheckSameBranch, Side: Target, LSN: end,
		Found: fmt.Sprintf("it is on the same timeline %d as the source and has WAL up to %s, which the source has only up to %s", s.target.timeline, s.targetEnd, end),
		Want:  "a fork that the histories or the records tell of, or a target that is not ahead",
		Next:  "decide which of the two survives: the target has everything that the source has, and more. forkpoint diagnose with both as nodes says what each choice loses"}
}

func (r *run) sourceInProduction() bool {
	if r.cfg.Source.Kind() == source.Live {
		return !r.sit.inRecovery
	}
	return r.sit.source.control.State == pgcontrol.ShutDown
}
