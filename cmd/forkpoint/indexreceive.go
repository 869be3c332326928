package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/walstream"
)

// receive takes in pieces until the timeline ends.
func (s *streamer) receive(ctx context.Context, conn *walstream.Conn) (*walstream.Switch, error) {
	passed := time.Now()
	every := time.Duration(s.opts.every)
	for {
		piece, err := conn.Receive(ctx, max(every, time.Millisecond))
		if err != nil || piece.End != nil {
			return piece.End, err
		}
		if n := len(piece.Data); n > 0 {
			if err := s.spool.Write(s.tli, piece.At, piece.Data); err != nil {
				return nil, &streamError{err}
			}
			s.spooled[pg.SegmentName{Timeline: s.tli, Number: s.identity.SegmentSize.Number(piece.At)}] = true
			s.at, s.fresh = piece.At+pg.LSN(n), true
		}
		if !piece.Asked && (!s.fresh || time.Since(passed) < every) {
			continue
		}
		if err := s.pass(ctx); err != nil {
			return nil, &streamError{err}
		}
		passed = time.Now()
		confirmed := s.at
		if !piece.Asked {
			confirmed = s.safe()
		}
		if err := conn.Confirm(confirmed); err != nil {
			return nil, err
		}
	}
}

// pass indexes what was received and removes what is not needed any more.
func (s *streamer) pass(ctx context.Context) error {
	if !s.fresh {
		return nil
	}
	if err := s.follower.pass(ctx); err != nil {
		return err
	}
	s.fresh = false
	return s.forget(func(name pg.SegmentName) bool { return name.Number < s.from[name.Timeline] })
}

// forget removes segments from the spool.
func (s *streamer) forget(which func(pg.SegmentName) bool) error {
	for name := range s.spooled {
		if which(name) {
			if err := s.spool.Forget(name); err != nil {
				return err
			}
			delete(s.spooled, name)
		}
	}
	return nil
}

// safe is the position up to which the server may forget the log. It keeps
// whole segments: of the one that is received now nothing goes.
func (s *streamer) safe() pg.LSN {
	size, needed := s.identity.SegmentSize, s.from[s.tli]
	if size.Number(s.at) == needed {
		return s.at
	}
	return min(s.at, size.Start(needed))
}

// last indexes what came before the signal, and reports.
func (s *streamer) last(ctx context.Context) error {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := s.pass(late); err != nil {
		return err
	}
	cluster := reports.Cluster{SystemID: s.identity.SystemID, SegmentSize: s.identity.SegmentSize}
	if err := learnMajor(late, s.catalog, &cluster); err != nil {
		return err
	}
	for tli, gaps := range s.gaps {
		if t := s.report[tli]; t != nil {
			t.Span.From, t.Gaps = min(t.Span.From, gaps[0].From), append(gaps, t.Gaps...)
		}
	}
	return s.show(cluster)
}

// openSpool sees the spool as a place that is indexed.
func (s *streamer) openSpool(ctx context.Context) (*indexPlace, error) {
	place, err := openIndexPlace(ctx, s.spool.Dir())
	if err == nil {
		place.current = s.tli
	}
	return place, err
}

func (s *streamer) fetchHistory(ctx context.Context, conn *walstream.Conn, tli pg.TimelineID) error {
	if tli == 1 {
		return nil
	}
	content, err := conn.History(ctx, tli)
	if err != nil && tli != s.identity.Timeline {
		return nil // it need not have the files of those it came from
	}
	if err != nil {
		return err
	}
	if err := s.spool.WriteHistory(tli, content); err != nil {
		return &streamError{err}
	}
	return nil
}

// saveLiveNames asks the server for the names of its relations. A role that may
// only replicate cannot, and the catalog is worth having without.
func (s *streamer) saveLiveNames(ctx context.Context, place *indexPlace) {
	config, err := pgx.ParseConfig(s.opts.server)
	var names *relname.Names
	if err == nil {
		names, err = relname.LiveAll(ctx, config)
	}
	keepNames(ctx, s.app, s.catalog, place.geometry.SystemID, names, err)
}
