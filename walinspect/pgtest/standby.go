package pgtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"forkpoint/walinspect/pg"
)

// emptied are the directories whose content a base backup leaves out, as
// pg_basebackup does (excludeDirContents in src/backend/backup/basebackup.c),
// and pg_wal, which is copied at the end.
var emptied = []string{"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}

// NewStandby makes a standby of s, which may be a standby itself, from a base
// backup. It streams from s once it is started.
func (s *Server) NewStandby(opts ...Option) *Server {
	s.t.Helper()
	standby := s.BaseBackup(opts...)
	standby.Follow(s)
	return standby
}

// BaseBackup copies the running server s to a new one, which has a backup_label
// and the WAL that it needs and starts as a primary on a new timeline or, after
// [Server.Follow], as a standby. Options add to the configuration of s.
func (s *Server) BaseBackup(opts ...Option) *Server {
	s.t.Helper()
	cfg := s.cfg
	cfg.tcp, cfg.conf = false, nil
	for _, opt := range opts {
		opt(&cfg)
	}
	b := prepare(s.t, cfg)
	if err := s.copyTo(b); err != nil {
		s.t.Fatalf("base backup of %s: %s", s, err)
	}
	b.appendFile("postgresql.conf", confText(cfg.conf))
	b.cfg.conf = append(append([]setting(nil), s.cfg.conf...), cfg.conf...)
	if cfg.linkedWAL {
		b.linkWAL()
	}
	return b
}

// copyTo is the server's low-level backup: start, copy files, stop, and what
// the stop returned into files, with the WAL written meanwhile.
func (s *Server) copyTo(b *Server) error {
	start, stop := "SELECT pg_backup_start('pgtest', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if s.Major() < 15 {
		start, stop = "SELECT pg_start_backup('pgtest', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	conn, err := s.connect("postgres")
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if _, err := queryText(conn, start); err != nil {
		return err
	}
	if err := copyTree(s.data, b.data, notInBackup); err != nil {
		return err
	}
	spcmap, err := s.copyTablespaces(b)
	if err != nil {
		return err
	}
	// Last, because a standby's control file says how far the files above
	// may have been written.
	if err := copyFile(filepath.Join(s.data, "global/pg_control"), filepath.Join(b.data, "global/pg_control"), 0o600); err != nil {
		return err
	}
	label, err := queryText(conn, stop)
	if err != nil {
		return err
	}
	if err := s.copyWAL(b); err != nil {
		return err
	}
	if err := Own(b.home); err != nil {
		return err
	}
	b.WriteFile("backup_label", label[0][0])
	if spcmap != "" {
		b.WriteFile("tablespace_map", spcmap)
	}
	return nil
}

func notInBackup(rel string) bool {
	for _, dir := range emptied {
		if strings.HasPrefix(rel, dir+"/") {
			return true
		}
	}
	if strings.HasPrefix(filepath.Base(rel), "pgsql_tmp") {
		return true
	}
	switch rel {
	case "postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map", "backup_manifest",
		"standby.signal", "recovery.signal", "postgresql.auto.conf.tmp", "global/pg_control":
		return true
	}
	return false
}

// copyTablespaces copies what the links in pg_tblspc point to, into the home of
// b, and returns the content of tablespace_map for it.
func (s *Server) copyTablespaces(b *Server) (string, error) {
	links, err := filepath.Glob(filepath.Join(s.data, "pg_tblspc", "*"))
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, link := range links {
		location, err := os.Readlink(link)
		if err != nil {
			continue // a directory: a tablespace in place, copied already
		}
		oid := filepath.Base(link)
		dir := filepath.Join(b.home, "ts-"+oid)
		if err := copyTree(location, dir, notInBackup); err != nil {
			return "", err
		}
		inCopy := filepath.Join(b.data, "pg_tblspc", oid)
		if err := errors.Join(os.Remove(inCopy), os.Symlink(dir, inCopy)); err != nil {
			return "", err
		}
		fmt.Fprintf(&lines, "%s %s\n", oid, dir)
	}
	return lines.String(), nil
}

// copyWAL copies all segments and history files. pg_wal itself may be a link
// in s; in b it is a directory.
func (s *Server) copyWAL(b *Server) error {
	from, to := filepath.Join(s.data, "pg_wal"), filepath.Join(b.data, "pg_wal")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(to, "archive_status"), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !pg.IsSegmentName(e.Name()) && !strings.HasSuffix(e.Name(), ".history") {
			continue
		}
		err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), 0o600)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Follow makes s a standby that streams from primary, from its next start on,
// in the way of pg_basebackup -R and pg_rewind -R.
func (s *Server) Follow(primary *Server) {
	s.t.Helper()
	s.WriteFile("standby.signal", "")
	conninfo := primary.ConnString() + " application_name=" + filepath.Base(s.home)
	s.appendFile("postgresql.auto.conf", confText([]setting{
		{"primary_conninfo", conninfo},
		{"recovery_target_timeline", "latest"},
	}))
}

// Promote ends recovery and waits until the server takes writes. Like
// pg_promote it does not wait for the checkpoint that follows, so the control
// file may name the old timeline for a while.
func (s *Server) Promote() {
	s.t.Helper()
	s.Exec("SELECT pg_promote(false)")
	s.Await("promotion", func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT pg_is_in_recovery()")
		return err == nil && rows[0][0] == "f", err
	})
}

// WaitReplay waits until the standby has replayed up to lsn.
func (s *Server) WaitReplay(lsn pg.LSN) {
	s.t.Helper()
	s.Await("replay of "+lsn.String(), func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", lsn.String())
		return err == nil && rows[0][0] == "t", err
	})
}

// Streams tells whether the standby receives what the primary s writes, on the
// timeline of s. That it has replayed as much as s has written does not say so:
// a base backup brings its WAL along, and a standby that is past a fork stays
// on its old timeline with log of its own. A primary that stops sends the rest
// only to those that stream.
func (s *Server) Streams(standby *Server) (bool, error) {
	rows, err := s.TryQueryIn("postgres", "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")
	if err != nil {
		return false, err
	}
	tli, err := strconv.ParseUint(rows[0][0], 16, 32)
	if err != nil {
		return false, err
	}
	rows, err = standby.TryQueryIn("postgres", "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming' AND received_tli = $1", tli)
	return len(rows) == 1, err
}

// WaitStreaming waits until the standby streams from the primary s.
func (s *Server) WaitStreaming(standby *Server) {
	s.t.Helper()
	standby.Await("streaming", func() (bool, error) { return s.Streams(standby) })
}

// checkpoint is the latest checkpoint of a stopped server (ControlFileData in
// src/include/catalog/pg_control.h: checkPoint is the fifth member, at byte 32,
// in all versions).
func (s *Server) checkpoint() pg.LSN {
	s.t.Helper()
	return pg.LSN(binary.LittleEndian.Uint64([]byte(s.ReadFile("global/pg_control"))[32:]))
}

// WaitCaughtUp waits until the standby has replayed all that s has committed.
func (s *Server) WaitCaughtUp(standby *Server) {
	s.t.Helper()
	standby.WaitReplay(s.CurrentLSN())
}

// CreateTablespace makes a tablespace in a directory of its own. Replay of its
// creation on another server of this machine would use the same directory, so
// it is to be made before the base backup.
func (s *Server) CreateTablespace(name string) (location string) {
	s.t.Helper()
	location = filepath.Join(s.home, "ts-"+name)
	s.mkdir(location)
	s.Exec(fmt.Sprintf("CREATE TABLESPACE %s LOCATION '%s'", name, location))
	return location
}
