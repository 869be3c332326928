package source

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// identity is what tells a server from others.
type identity struct {
	systemID uint64
	host     host
	started  time.Time // of the postmaster

	// PG_VERSION is written when a data directory comes into being and never
	// again. Some ways of copying keep the time when it was written, but none
	// the time when its inode changed, which a change of owner moves as well.
	made, changed time.Time
	addr          string // where the server was reached, as it sees it; "" for a socket

	inRecovery bool
	timeline   pg.TimelineID // of a primary; 0 for a standby
	lsn        pg.LSN        // written or replayed by then
}

const identityQuery = `SELECT pg_catalog.pg_postmaster_start_time(), v.modification, v.change, r.standby,
  CASE WHEN r.standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END,
  CASE WHEN NOT r.standby THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END,
  pg_catalog.host(pg_catalog.inet_server_addr())
FROM pg_catalog.pg_stat_file('PG_VERSION', false) AS v,
  (SELECT pg_catalog.pg_is_in_recovery() AS standby OFFSET 0) AS r`

// openChecked opens a session and makes sure that it reaches the server that
// the others reach. Of several hosts, only the one that was chosen first is
// tried again.
func (s *Server) openChecked(ctx context.Context) (*session, error) {
	hosts := s.hosts
	s.mu.Lock()
	if s.identity.systemID != 0 {
		hosts = []host{s.identity.host}
	}
	s.mu.Unlock()
	sess, err := s.openSession(ctx, hosts)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, sess); err != nil {
		s.discard(sess)
		return nil, err
	}
	return sess, nil
}

func (s *Server) check(ctx context.Context, sess *session) error {
	s.mu.Lock()
	known := s.identity
	s.mu.Unlock()
	if known.systemID == 0 {
		if err := checkGrants(ctx, sess); err != nil {
			return err
		}
	}
	found, err := s.identify(ctx, sess)
	if err != nil {
		return err
	}
	if known.systemID != 0 {
		if err := s.compare(ctx, sess, known, found); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found.lsn >= s.identity.lsn || found.started.After(s.identity.started) {
		s.identity = found
	}
	return nil
}

func (s *Server) identify(ctx context.Context, sess *session) (identity, error) {
	var raw []byte
	control, err := s.control(ctx, sess, &raw)
	if err != nil {
		return identity{}, fmt.Errorf("identify server: %w", err)
	}
	id := identity{systemID: control.SystemID, host: sess.host}
	err = sess.query(ctx, identityQuery, nil, 7, func(r *row) error {
		id.started, id.made, id.inRecovery = r.time(0), r.time(1), r.bool(3)
		if !r.null(2) {
			id.changed = r.time(2)
		}
		if !r.null(4) {
			id.lsn = r.lsn(4)
		}
		if !r.null(6) {
			id.addr = r.text(6)
		}
		if id.inRecovery {
			return nil
		}
		id.timeline, err = timelineOfSegment(r.text(5))
		return err
	})
	if err != nil {
		return identity{}, fmt.Errorf("identify server: %w", err)
	}
	return id, nil
}

func timelineOfSegment(name string) (pg.TimelineID, error) {
	if !pg.IsSegmentName(name) {
		return 0, fmt.Errorf("the server gives %q for the name of a WAL segment", name)
	}
	n, err := strconv.ParseUint(name[:8], 16, 32)
	return pg.TimelineID(n), err
}

// compare refuses a server that is not the one known, or that has left the
// history it had then. The same run of the same postmaster needs no proof.
func (s *Server) compare(ctx context.Context, sess *session, known, found identity) error {
	if known.systemID != found.systemID {
		return &OtherServerError{"system identifier", strconv.FormatUint(known.systemID, 10), strconv.FormatUint(found.systemID, 10)}
	}
	moved := known.addr != found.addr || known.timeline != found.timeline
	if !known.made.Equal(found.made) || !known.changed.Equal(found.changed) && moved {
		return &OtherServerError{"data directory", known.directory(), found.directory()}
	}
	if known.started.Equal(found.started) || known.timeline == 0 {
		return nil
	}
	switch {
	case found.timeline == 0:
		return &OtherServerError{"server", "a primary", "a standby"}
	case found.timeline == known.timeline && found.lsn < known.lsn:
		return &OtherServerError{"log position", known.lsn.String(), found.lsn.String()}
	case found.timeline == known.timeline:
		return nil
	}
	return s.checkDescent(ctx, sess, known, found)
}

// directory is what is known of the data directory.
func (id identity) directory() string {
	return fmt.Sprintf("that of %s (inode of %s)", id.made.Format(time.RFC3339), id.changed.Format(time.RFC3339))
}

// checkDescent makes sure that the new timeline left the old one after what
// was read.
func (s *Server) checkDescent(ctx context.Context, sess *session, known, found identity) error {
	var text []byte
	if err := sess.readFile(ctx, "pg_wal/"+found.timeline.HistoryName(), &text); err != nil {
		return fmt.Errorf("identify server: %w", err)
	}
	h, err := timeline.Parse(found.timeline, text)
	if err != nil {
		return err
	}
	for _, e := range h.Entries {
		if e.Timeline == known.timeline && e.End >= known.lsn {
			return nil
		}
	}
	return &OtherServerError{"timeline", known.timeline.String(), found.timeline.String()}
}
