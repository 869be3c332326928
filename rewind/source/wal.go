package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// positions is what a server says about its log at one moment.
type positions struct {
	inRecovery    bool
	insert, flush pg.LSN // of a primary
	replay        pg.LSN // of a standby
	timeline      pg.TimelineID
}

const positionsQuery = `SELECT r.standby,
  CASE WHEN NOT r.standby THEN pg_catalog.pg_current_wal_insert_lsn() END,
  CASE WHEN NOT r.standby THEN pg_catalog.pg_current_wal_flush_lsn() END,
  CASE WHEN NOT r.standby THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END,
  CASE WHEN r.standby THEN pg_catalog.pg_last_wal_replay_lsn() END
FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby OFFSET 0) AS r`

func (sess *session) positions(ctx context.Context) (p positions, err error) {
	err = sess.query(ctx, positionsQuery, nil, 5, func(r *row) error {
		if p.inRecovery = r.bool(0); p.inRecovery {
			if !r.null(4) {
				p.replay = r.lsn(4)
			}
			return nil
		}
		p.insert, p.flush = r.lsn(1), r.lsn(2)
		p.timeline, err = timelineOfSegment(r.text(3))
		return err
	})
	return p, err
}

func (s *Server) InRecovery(ctx context.Context) (standby bool, err error) {
	err = s.do(ctx, "ask for recovery state", func(ctx context.Context, sess *session) (bool, error) {
		p, err := sess.positions(ctx)
		standby = p.inRecovery
		return false, err
	})
	return standby, err
}

// Reached is how far the server has come: what a primary has flushed, and what
// a standby has replayed, which may be past the position that its control file
// names.
func (s *Server) Reached(ctx context.Context) (lsn pg.LSN, err error) {
	err = s.do(ctx, "ask for the position", func(ctx context.Context, sess *session) (bool, error) {
		p, err := sess.positions(ctx)
		lsn = max(p.flush, p.replay)
		return false, err
	})
	return lsn, err
}

// Timeline asks a primary, which knows its timeline before its control file
// does. For a standby the control file is a lower bound, see
// [session.standbyTimeline].
func (s *Server) Timeline(ctx context.Context) (tli pg.TimelineID, err error) {
	err = s.do(ctx, "ask for the timeline", func(ctx context.Context, sess *session) (bool, error) {
		p, err := sess.positions(ctx)
		if err != nil {
			return false, err
		}
		if tli = p.timeline; !p.inRecovery {
			return false, nil
		}
		var raw []byte
		control, err := s.control(ctx, sess, &raw)
		if err != nil {
			return false, err
		}
		tli, err = sess.standbyTimeline(ctx, control, p.replay)
		return false, err
	})
	return tli, err
}

const historiesQuery = `SELECT f.name FROM pg_catalog.pg_ls_dir('pg_wal', true, false) AS f(name)
WHERE pg_catalog.octet_length(f.name) = 16`

const segmentExistsQuery = `SELECT (pg_catalog.pg_stat_file($1, true)).size`

// standbyTimeline is the newest timeline that the standby follows. Its control
// file learns of a switch only when pages of the new timeline are written. A
// history file that descends from what the control file says, and has a
// segment of its own where replay has come to, or begins just there, is one
// that the standby went on to.
func (sess *session) standbyTimeline(ctx context.Context, c *pgcontrol.Control, replay pg.LSN) (pg.TimelineID, error) {
	known := c.CurrentTimeline()
	var later []pg.TimelineID
	err := sess.query(ctx, historiesQuery, nil, 1, func(r *row) error {
		if tli, is := pg.ParseHistoryName(r.text(0)); is && tli > known {
			later = append(later, tli)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	newest := known
	for _, tli := range later {
		if tli < newest {
			continue
		}
		follows, err := sess.follows(ctx, tli, c, known, replay)
		if err != nil {
			return 0, err
		}
		if follows {
			newest = tli
		}
	}
	return newest, nil
}

func (sess *session) follows(ctx context.Context, tli pg.TimelineID, c *pgcontrol.Control, known pg.TimelineID, replay pg.LSN) (bool, error) {
	var text []byte
	err := sess.readFile(ctx, "pg_wal/"+tli.HistoryName(), &text)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h, err := timeline.Parse(tli, text)
	if err != nil {
		return false, nil // a server would not follow it either
	}
	var begin pg.LSN
	descends := false
	for _, e := range h.Entries {
		begin = e.End
		descends = descends || e.Timeline == known && e.End >= c.MinRecoveryPoint
	}
	if !descends || replay < begin {
		return false, nil
	}
	if replay == begin {
		return true, nil
	}
	name := c.SegmentSize.Name(tli, c.SegmentSize.Number(replay-1))
	found := false
	err = sess.query(ctx, segmentExistsQuery, []param{textParam("pg_wal/" + name)}, 1, func(r *row) error {
		found = !r.null(0)
		return nil
	})
	return found, err
}

// How long an idle primary may take to flush what it has inserted. The WAL
// writer does it several times a second if any transaction committed.
const (
	flushTries = 40
	flushPause = 50 * time.Millisecond
)

// EndOfWAL of a primary is where its log ended when it was asked, waiting until
// that is flushed; pages are written after the log that covers them is
// flushed, so it covers all that was read. The insert position is the end of a
// record, which a flush position need not be. Where it lies just after a page
// header, the record ended at the page border, and only that can be reached by
// replay while nothing more is written.
//
// Of a standby it is the minimum recovery point, which is in the control file
// before a page that needs it is written.
func (s *Server) EndOfWAL(ctx context.Context) (end Position, err error) {
	err = s.do(ctx, "ask for the end of WAL", func(ctx context.Context, sess *session) (bool, error) {
		end, err = s.endOfWAL(ctx, sess)
		return false, err
	})
	return end, err
}

func (s *Server) endOfWAL(ctx context.Context, sess *session) (Position, error) {
	p, err := sess.positions(ctx)
	if err != nil {
		return Position{}, err
	}
	var raw []byte
	c, err := s.control(ctx, sess, &raw)
	if err != nil {
		return Position{}, err
	}
	if p.inRecovery && c.State == pgcontrol.InArchiveRecovery {
		if !c.MinRecoveryPoint.Valid() {
			return Position{}, fmt.Errorf("control file of the standby: no minimum recovery point, at checkpoint %s on timeline %d: wait for its next restartpoint and run again", c.Checkpoint, c.CurrentTimeline())
		}
		return controlEnd(c), nil
	}
	if p.inRecovery { // promoted between the two questions
		if p, err = sess.positions(ctx); err != nil {
			return Position{}, err
		}
		if p.inRecovery {
			return Position{}, fmt.Errorf("a standby whose control file says it is %s", c.State)
		}
	}
	end := Position{recordEnd(p.insert, c), p.timeline}
	for try := 0; p.flush < end.LSN && try < flushTries; try++ {
		if err := pause(ctx, flushPause); err != nil {
			return Position{}, err
		}
		if p, err = sess.positions(ctx); err != nil {
			return Position{}, err
		}
	}
	return end, nil
}

// Sizes of page headers in the log (SizeOfXLogShortPHD and SizeOfXLogLongPHD in
// src/include/access/xlog_internal.h).
const (
	shortHeader = 24
	longHeader  = 40
)

// recordEnd turns the insert position, where the next record will begin, into
// the end of the last one.
func recordEnd(insert pg.LSN, c *pgcontrol.Control) pg.LSN {
	switch {
	case c.SegmentSize.Offset(insert) == longHeader:
		return insert - longHeader
	case uint64(insert)%uint64(c.WALBlockSize) == shortHeader:
		return insert - shortHeader
	}
	return insert
}
