package rewind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"forkpoint/blockmap"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// Data checksums make a server log the hints that it sets, and the control file
// says whether they are on today. pg_checksums switches them while the server is
// stopped, and no record tells of it.

// findUnlogged finds out whether the target may have gone on past the fork as a
// server that logs no hints, though its control file speaks against it. What
// speaks for it:
//
//   - its control file is as its server wrote it last, and
//   - that server was not stopped since the fork, or pg_checksums of its version
//     writes every page and some page was written with a checksum before.
func (r *run) findUnlogged(ctx context.Context) error {
	s := &r.sit
	c := s.target.control
	if c.WALLogHints && !parametersChanged(s.before) && !parametersChanged(s.after) {
		return nil
	}
	if s.unlogged = !r.controlKept(); s.unlogged {
		return nil
	}
	if !r.stoppedSince() {
		return nil
	}
	if c.Major >= sparesWrites {
		s.unlogged = true
		return nil
	}
	old, err := r.oldChecksum(ctx)
	s.unlogged = !old
	return err
}

// stoppedSince tells whether the log since the fork, as far as it is known, has
// a stop of the target's server before its last.
func (r *run) stoppedSince() bool {
	return slices.ContainsFunc(r.sit.after.Checkpoints, func(p blockmap.Checkpoint) bool {
		return p.Shutdown && p.Timeline == p.PrevTimeline && p.LSN != r.sit.target.control.Checkpoint
	})
}

// sparesWrites is the first version whose pg_checksums may leave a page alone
// that has the right checksum already, from before they were switched off. 13
// writes all, 15 does not; 14 counts as 15.
const sparesWrites = 14

// oldChecksum tells whether the target has a page with a valid checksum in a
// file that nobody has written to since the last common checkpoint. One that an
// interrupted rewind has written to does not count.
func (r *run) oldChecksum(ctx context.Context) (bool, error) {
	c, since := r.sit.target.control, r.sit.common.Time.Add(-clockSlack)
	page := make([]byte, c.BlockSize)
	for f, err := range r.targetFiles(ctx) {
		if err != nil {
			return false, fmt.Errorf("target: look for a page that had a checksum before the fork: %w", err)
		}
		if f.Kind != datadir.Regular || f.Rel == nil || f.Rel.Fork != pg.MainFork || f.Size < int64(len(page)) || !f.ModTime.Before(since) || r.wasChanged(f.Path) {
			continue
		}
		if err := r.firstPage(f.Path, page); err != nil {
			continue // there are others
		}
		h := bufpage.DecodeHeader(page)
		if !h.New() && h.Checksum != 0 && h.Checksum == bufpage.Checksum(page, pg.BlockNumber(f.Rel.Segment*c.RelSegSize)) {
			return true, nil
		}
	}
	return false, nil
}

func (r *run) firstPage(name string, page []byte) error {
	f, err := os.Open(filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close() // read only
	_, err = f.ReadAt(page, 0)
	return err
}

func parametersChanged(facts *Facts) bool {
	for i := range facts.Events {
		if facts.Events[i].Kind == blockmap.ParameterChange {
			return true
		}
	}
	return false
}

// controlKept tells whether the target's control file is as its server wrote it
// last. pg_checksums takes no cluster that crashed. A server that is shut down
// writes its statistics after that, where pg_checksums writes the control file
// alone; and the file's time must be about the one that it has within, so that it
// is no copy with a time of its own.
func (r *run) controlKept() bool {
	if !r.sit.target.control.State.Clean() {
		return true
	}
	written, known := r.changedAt(target.ControlFile)
	if !known {
		return false
	}
	// The time within is cut to seconds and taken before the file is written.
	if at := r.sit.target.control.Time; written.Before(at) || written.After(at.Add(30*time.Second)) {
		return false
	}
	for _, name := range []string{"pg_stat/pgstat.stat", "pg_stat/global.stat"} { // since 15; before
		if stats, known := r.changedAt(name); known && !stats.Before(written) {
			return true
		}
	}
	return false
}

// ranThrough tells whether the target's last server has run since before the
// last common checkpoint, so that pg_checksums, which takes no cluster that runs,
// had no chance meanwhile. A server writes this file when it starts, and only
// then: CreateOptsFile in src/backend/postmaster/postmaster.c. One in single-user
// mode writes none, but nor does it summarize its log: the stop before it shows,
// see [run.stoppedSince].
func (r *run) ranThrough() bool {
	started, known := r.changedAt("postmaster.opts")
	return known && started.Before(r.sit.common.Time.Add(-clockSlack))
}

// wasChanged tells whether an interrupted rewind has changed a file.
func (r *run) wasChanged(name string) bool {
	return r.resumed != nil && slices.ContainsFunc(r.resumed.origins, func(f datadir.File) bool { return f.Path == name })
}

// changedAt is when a file of the target was last written to, before any rewind.
func (r *run) changedAt(name string) (at time.Time, known bool) {
	if r.resumed != nil {
		for _, f := range r.resumed.origins {
			if f.Path == name {
				return f.ModTime, !r.resumed.absent[name] && f.Kind == datadir.Regular
			}
		}
	}
	info, err := os.Lstat(filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(name)))
	if err != nil || !info.Mode().IsRegular() {
		return time.Time{}, false
	}
	return info.ModTime(), true
}
