package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/walstream"
)

// retryAtMost is the longest pause before the server is asked again.
const retryAtMost = 10 * time.Second

// streamer indexes what a server sends of its log. What was received lies in a
// spool until the segment is in the catalog, and only then the server is told
// that it is safe.
type streamer struct {
	*follower
	spool    *walstream.Spool
	identity walstream.Identity
	tli      pg.TimelineID // that is streamed
	at       pg.LSN        // end of what was received; 0 before the first stream
	fresh    bool          // something came since the last pass
	spooled  map[pg.SegmentName]bool
	gaps     map[pg.TimelineID][]reports.Gap // that the server had removed, by the timeline that went on
}

// runStream indexes the log of a running server until a signal ends it. A
// connection that breaks is made again.
func runStream(ctx context.Context, app *app, opts indexOptions) (err error) {
	conn, err := walstream.Connect(ctx, opts.server)
	if err != nil {
		return err
	}
	defer func() { conn.Close() }() // the one that is open then
	opts.place = conn.String()
	s := &streamer{spooled: map[pg.SegmentName]bool{}, gaps: map[pg.TimelineID][]reports.Gap{}}
	if s.identity, err = conn.Identify(ctx); err != nil {
		return err
	}
	catalog, err := openCatalog(ctx, app, app.catalogPath(opts.catalog, opts.stateDir, ""), true)
	if err != nil {
		return err
	}
	defer catalog.Close() // saves were committed as they were made
	s.follower = newFollower(app, opts, catalog)
	s.open, s.names = s.openSpool, s.saveLiveNames
	if s.spool, err = walstream.NewSpool(s.identity.SegmentSize); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.spool.Remove()) }()

	for pause := 100 * time.Millisecond; ; pause = min(2*pause, retryAtMost) {
		before := s.at
		err := s.stream(ctx, conn)
		var fatal *streamError
		switch {
		case ctx.Err() != nil:
			return s.last(ctx)
		case errors.As(err, &fatal):
			return err
		}
		app.log.Warn("the stream broke off, trying again", "lsn", s.at, "err", err)
		if s.at != before {
			pause = 100 * time.Millisecond
		}
		if conn = s.reconnect(ctx, conn, pause); ctx.Err() != nil {
			return s.last(ctx)
		}
	}
}

// streamError is one that trying again would not mend.
type streamError struct{ error }

func (e *streamError) Unwrap() error { return e.error }

// reconnect waits and connects again. A connection that cannot be made leaves
// the old, broken one, which the next attempt finds.
func (s *streamer) reconnect(ctx context.Context, old *walstream.Conn, pause time.Duration) *walstream.Conn {
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return old
	case <-wait.C:
	}
	conn, err := walstream.Connect(ctx, s.opts.server)
	if err != nil {
		s.app.log.Debug("the server cannot be reached", "err", err)
		return old
	}
	old.Close()
	return conn
}

// stream receives over one connection until it breaks off.
func (s *streamer) stream(ctx context.Context, conn *walstream.Conn) error {
	id, err := conn.Identify(ctx)
	if err != nil {
		return err
	}
	if id.SystemID != s.identity.SystemID || id.SegmentSize != s.identity.SegmentSize {
		return &streamError{fmt.Errorf("%s is another cluster now: system identifier %d, before it was %d", conn, id.SystemID, s.identity.SystemID)}
	}
	s.identity = id
	if s.at == 0 {
		if err := s.choose(ctx, conn); err != nil {
			return err
		}
	}
	for {
		if err := s.fetchHistory(ctx, conn, s.tli); err != nil {
			return err
		}
		end, err := s.start(ctx, conn)
		if err == nil && end == nil {
			end, err = s.receive(ctx, conn)
		}
		if errors.Is(err, walstream.ErrRemoved) {
			err = s.skip(ctx, err)
		}
		if err != nil {
			return err
		}
		if err := s.pass(ctx); err != nil {
			return &streamError{err}
		}
		// The next timeline's first segment begins with what this one has of it.
		if err := s.forget(func(pg.SegmentName) bool { return true }); err != nil {
			return &streamError{err}
		}
		s.identity.Timeline = max(s.identity.Timeline, end.Next)
		s.tli, s.at = end.Next, s.identity.SegmentSize.Start(s.identity.SegmentSize.Number(end.At))
	}
}

// choose decides where to begin: at the last segment of the server's history
// that the catalog knows, else where the slot keeps the log, else with the
// segment that is written now.
func (s *streamer) choose(ctx context.Context, conn *walstream.Conn) error {
	size, id := s.identity.SegmentSize, s.identity
	path := timeline.SingleTimeline(id.Timeline)
	if id.Timeline > 1 {
		content, err := conn.History(ctx, id.Timeline)
		if err != nil {
			return err
		}
		h, err := timeline.Parse(id.Timeline, content)
		if err != nil {
			return err
		}
		path = h.Path()
	}
	for i := len(path) - 1; i >= 0; i-- {
		_, last, found, err := s.catalog.Bounds(ctx, id.SystemID, size, path[i].Timeline)
		if err != nil {
			return &streamError{err}
		}
		if found {
			s.tli, s.at = path[i].Timeline, size.Start(last)
			if s.at >= path[i].End {
				s.tli, s.at = path[i+1].Timeline, size.Start(size.Number(path[i].End))
			}
			return nil
		}
	}
	s.tli, s.at = id.Timeline, size.Start(size.Number(id.Flushed))
	if s.opts.slot == "" {
		return nil
	}
	at, err := conn.SlotPosition(ctx, s.opts.slot)
	if err == nil && at.Valid() {
		s.tli, s.at = path.Owner(at), size.Start(size.Number(at))
	}
	return err
}

// start begins to stream. Where the server left the timeline before that place,
// the place is chosen anew the next time.
func (s *streamer) start(ctx context.Context, conn *walstream.Conn) (*walstream.Switch, error) {
	end, err := conn.Start(ctx, s.opts.slot, s.tli, s.at)
	if s.opts.slot != "" && errors.Is(err, walstream.ErrSlot) {
		s.app.log.Warn("going on without the replication slot, so that nothing keeps the server from removing WAL: look at it in pg_replication_slots; one that was invalidated must be made anew", "err", err)
		s.opts.slot = ""
		return nil, err
	}
	if err != nil && s.tli != s.identity.Timeline && !errors.Is(err, walstream.ErrRemoved) {
		s.at = 0
	}
	return end, err
}

// skip passes over log that the server has removed: the next time the stream
// goes on with what the server writes now, and the gap is in the report. What it
// wrote when the connection was made is all that is known of that.
func (s *streamer) skip(ctx context.Context, removed error) error {
	size, id := s.identity.SegmentSize, s.identity
	now := size.Start(size.Number(id.Flushed))
	if s.at >= now && s.tli >= id.Timeline {
		return removed
	}
	s.app.log.Warn("the server has removed WAL that is not in the catalog: going on with what it writes now; an archive may have the rest",
		"tli", s.tli, "lsn", s.at, "err", removed)
	known, err := s.catalog.Variants(ctx, blockmap.SegmentKey{SystemID: id.SystemID, SegmentSize: size,
		Name: pg.SegmentName{Timeline: s.tli, Number: size.Number(s.at)}})
	if err != nil {
		return &streamError{err}
	}
	gap := pg.Span{From: s.at, To: now}
	if slices.ContainsFunc(known, func(v *blockmap.Segment) bool { return v.Complete }) {
		gap.From = min(now, size.Start(size.Number(s.at)+1)) // it was asked for once more
	}
	if !gap.Empty() {
		s.gaps[id.Timeline] = append(s.gaps[id.Timeline], reports.Gap{Span: gap, Reason: removed.Error()})
	}
	s.tli, s.at = id.Timeline, now
	return removed
}
