package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgtest"
)

// rewindRole makes a role that has the four grants and nothing else, and
// returns a connection string for it. extra are options of ALTER ROLE.
func rewindRole(s *pgtest.Server, extra ...string) string {
	s.Exec("CREATE ROLE rewinder LOGIN")
	for _, f := range grantedFunctions {
		s.Exec("GRANT EXECUTE ON FUNCTION " + f + " TO rewinder")
	}
	for _, e := range extra {
		s.Exec("ALTER ROLE rewinder " + e)
	}
	return asRewinder(s)
}

func asRewinder(s *pgtest.Server) string { return s.ConnString() + " user=rewinder" }

// connect opens a live source that the test closes.
func connect(t testing.TB, conninfo string, opts Options) *Server {
	t.Helper()
	s, err := Connect(t.Context(), conninfo, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// listing is everything that a listing tells which two views of a directory
// must agree on.
func listing(t testing.TB, files iter.Seq2[datadir.File, error], ignore ...string) []string {
	t.Helper()
	var lines []string
	for f, err := range files {
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(ignore, func(p string) bool { return strings.HasPrefix(f.Path, p) }) {
			continue
		}
		rel := ""
		if f.Rel != nil {
			rel = f.Rel.String()
		}
		lines = append(lines, fmt.Sprintf("%s %s %d %q %s", f.Path, f.Kind, f.Size, f.Link, rel))
	}
	return lines
}

// whole asks for all of the regular files of a listing.
func whole(t testing.TB, files iter.Seq2[datadir.File, error]) []Range {
	t.Helper()
	var ranges []Range
	for f, err := range files {
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == datadir.Regular {
			ranges = append(ranges, Range{Path: f.Path, Length: f.Size, ToEnd: true})
		}
	}
	return ranges
}

// fetch collects whole files, checking the order and marks of their chunks.
func fetch(t testing.TB, s Source, ranges []Range) map[string][]byte {
	t.Helper()
	got, ended := map[string][]byte{}, map[string]bool{}
	err := s.Fetch(t.Context(), slices.Values(ranges), func(c Chunk) error {
		if ended[c.Path] {
			return fmt.Errorf("%s: a chunk after the last", c.Path)
		}
		ended[c.Path] = c.Last
		if c.Missing {
			return nil
		}
		if int64(len(got[c.Path])) != c.Offset || len(c.Data) > PartSize || c.Short != c.Last {
			return fmt.Errorf("%s: %d bytes, then a chunk of %d at %d (short %t, last %t)",
				c.Path, len(got[c.Path]), len(c.Data), c.Offset, c.Short, c.Last)
		}
		got[c.Path] = append(got[c.Path], c.Data...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, done := range ended {
		if !done {
			t.Errorf("%s: no last chunk", path)
		}
	}
	return got
}

// changing are files that a server rewrites without being asked.
var changing = []string{"global/pg_control", "pg_dynshmem", "pg_stat", "pg_logical", "postmaster", "pg_wal/"}

// TestServerReadsWhatIsThere compares a live source with the directory behind
// it, on every version, with the least privileges.
func TestServerReadsWhatIsThere(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pg := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.LinkedWAL(), pgtest.Conf("autovacuum", "off"))
		pg.CreateTablespace("elsewhere")
		pg.Exec("CREATE TABLE t AS SELECT i, repeat('x', 500) AS x FROM generate_series(1, 9000) AS i",
			"CREATE TABLE there TABLESPACE elsewhere AS SELECT * FROM t", "CREATE TABLE empty (i int)")
		pg.Checkpoint()
		s := connect(t, rewindRole(pg), Options{Jobs: 3})
		if s.Major() != major {
			t.Errorf("Major() = %d, want %d", s.Major(), major)
		}
		dir, err := datadir.Open(pg.Dir())
		if err != nil {
			t.Fatal(err)
		}
		ignore := append([]string{"pg_wal"}, changing...)
		want := listing(t, dir.Files(t.Context()), ignore...)
		if diff := cmp.Diff(want, listing(t, s.Files(t.Context()), ignore...)); diff != "" {
			t.Errorf("files (-directory +server):\n%s", diff)
		}

		ranges := whole(t, s.Files(t.Context()))
		got := fetch(t, s, ranges)
		for path, data := range got {
			if slices.ContainsFunc(changing, func(p string) bool { return strings.HasPrefix(path, p) }) {
				continue
			}
			if want, err := os.ReadFile(filepath.Join(pg.Dir(), path)); err != nil || string(want) != string(data) {
				t.Errorf("%s: %d bytes that are not the file's %d (%v)", path, len(data), len(want), err)
			}
		}
		if len(got) < 900 {
			t.Errorf("fetched %d files", len(got))
		}

		raw, control, err := s.Control(t.Context())
		if err != nil || len(raw) != 8192 || control.Major != major {
			t.Errorf("Control() = %d bytes, %v, %v", len(raw), control, err)
		}
		if on, err := s.FullPageWrites(t.Context()); err != nil || !on {
			t.Errorf("FullPageWrites() = %t, %v", on, err)
		}
		if standby, err := s.InRecovery(t.Context()); err != nil || standby {
			t.Errorf("InRecovery() = %t, %v", standby, err)
		}
		if tli, err := s.Timeline(t.Context()); err != nil || tli != 1 {
			t.Errorf("Timeline() = %d, %v", tli, err)
		}
		if _, err := s.History(t.Context(), 7); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("History(7): %v, want not found", err)
		}
		settings, err := s.Settings(t.Context(), "WAL_segment_size", "no_such_setting", "data_directory")
		if diff := cmp.Diff(map[string]string{"WAL_segment_size": "1MB"}, settings); err != nil || diff != "" {
			t.Errorf("Settings() (-want +got):\n%s%v", diff, err)
		}
		end, err := s.EndOfWAL(t.Context())
		if err != nil || end.Timeline != 1 || end.LSN > pg.CurrentLSN() {
			t.Errorf("EndOfWAL() = %s, %v; the server has flushed %s", end, err, pg.CurrentLSN())
		}
	})
}

// TestSessionSettings connects as a role whose settings would stop a careless
// client.
func TestSessionSettings(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		hostile := []string{
			"SET statement_timeout = '50ms'", "SET lock_timeout = '50ms'", "SET idle_in_transaction_session_timeout = '50ms'",
			"SET default_transaction_read_only = on", "SET default_transaction_isolation = serializable",
			"SET default_transaction_deferrable = on", "SET search_path = trap, pg_catalog",
			"SET synchronous_commit = on", "SET bytea_output = escape", "SET DateStyle = 'German'", "SET client_encoding = 'LATIN1'",
		}
		if major >= 14 {
			hostile = append(hostile, "SET idle_session_timeout = '50ms'")
		}
		if major >= 17 {
			hostile = append(hostile, "SET transaction_timeout = '50ms'")
		}
		primary := pgtest.Run(t, pgtest.Major(major))
		primary.Exec("CREATE SCHEMA trap", "GRANT USAGE ON SCHEMA trap TO PUBLIC",
			"CREATE FUNCTION trap.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
			"CREATE FUNCTION trap.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''/etc'''",
			"CREATE OPERATOR trap.|| (FUNCTION = trap.concat, LEFTARG = text, RIGHTARG = text)")
		conninfo := rewindRole(primary, hostile...)
		standby := primary.NewStandby()
		standby.Start()
		primary.WaitCaughtUp(standby)
		primary.Exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")

		for _, conninfo := range []string{conninfo, asRewinder(standby)} {
			s := connect(t, conninfo, Options{Jobs: 2, RetryFor: -1})
			err := s.do(t.Context(), "sleep", func(ctx context.Context, sess *session) (bool, error) {
				err := sess.query(ctx, "SELECT 1 FROM pg_catalog.pg_sleep(0.2)", nil, 1, func(*row) error { return nil })
				if err == nil {
					err = pause(ctx, 200*time.Millisecond)
				}
				return false, err
			})
			if err != nil {
				t.Error(err)
			}
			if n := len(listing(t, s.Files(t.Context()))); n < 900 {
				t.Errorf("%d files", n)
			}
			settings, err := s.Settings(t.Context(), "default_transaction_read_only", "transaction_read_only", "search_path")
			want := map[string]string{"default_transaction_read_only": "on", "transaction_read_only": "on", "search_path": "pg_catalog"}
			if diff := cmp.Diff(want, settings); err != nil || diff != "" {
				t.Errorf("settings (-want +got):\n%s%v", diff, err)
			}
		}
	})
}
