package source

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/pgtest"
)

// TestGrants asks for the missing grants, makes them as told, one after the
// other, and ends with a role that can do everything.
func TestGrants(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		server := pgtest.Run(t, pgtest.Major(major))
		server.Exec(`CREATE ROLE "Odd role" LOGIN`)
		conninfo := server.ConnString() + " user='Odd role'"
		want := []string{
			`GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO "Odd role";`,
			`GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO "Odd role";`,
			`GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO "Odd role";`,
			`GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO "Odd role";`,
		}
		for ; ; want = want[1:] {
			missing, err := Grants(t.Context(), conninfo, Options{})
			if err != nil || !slices.Equal(missing, want) {
				t.Fatalf("Grants = %q, %v; want %q", missing, err, want)
			}
			s, err := Connect(t.Context(), conninfo, Options{})
			if len(want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
				break
			}
			var lack *GrantError
			if !errors.As(err, &lack) || !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrTransient) ||
				lack.Role != "Odd role" || lack.Database != "postgres" || !strings.Contains(lack.Hint(), want[0]) {
				t.Errorf("Connect: %v", err)
			}
			server.Exec(want[0])
		}
		if missing, err := Grants(t.Context(), server.ConnString(), Options{}); err != nil || len(missing) > 0 {
			t.Errorf("superuser lacks %q, %v", missing, err)
		}
	})
}

// TestPromotedSource has a primary whose control file does not know yet that
// it was promoted.
func TestPromotedSource(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		// The checkpoint that follows the promotion must take its time.
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.Conf("checkpoint_timeout", "1h"), pgtest.Conf("checkpoint_completion_target", "0.9"))
		conninfo := rewindRole(pair.Primary)
		pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 100000) AS i")
		pair.Primary.WaitCaughtUp(pair.Standby)
		standby := connect(t, asRewinder(pair.Standby), Options{})
		if in, err := standby.InRecovery(t.Context()); err != nil || !in {
			t.Errorf("InRecovery = %t, %v", in, err)
		}
		if tli, err := standby.Timeline(t.Context()); err != nil || tli != 1 {
			t.Errorf("standby on timeline %d, %v", tli, err)
		}
		end, err := standby.EndOfWAL(t.Context())
		_, c, errControl := standby.Control(t.Context())
		if err != nil || errControl != nil || end.LSN < c.MinRecoveryPoint && end.LSN != c.Checkpoint || end.Timeline != 1 {
			t.Errorf("standby ends at %s, %v; control file has %s, %v", end, err, c.MinRecoveryPoint, errControl)
		}
		old := connect(t, conninfo, Options{})
		pair.FailOver(pgtest.Immediate)
		if tli, err := standby.Timeline(t.Context()); err != nil || tli != 2 {
			t.Errorf("promoted, on timeline %d, %v", tli, err)
		}
		if _, c, err := standby.Control(t.Context()); err == nil {
			t.Logf("promoted: the control file says checkpoint on timeline %d, minimum recovery point on %d", c.CheckpointCopy.Timeline, c.MinRecoveryTimeline)
		}
		if end, err := standby.EndOfWAL(t.Context()); err != nil || end.Timeline != 2 {
			t.Errorf("promoted, ends at %s, %v", end, err)
		}
		if in, err := standby.InRecovery(t.Context()); err != nil || in {
			t.Errorf("promoted, InRecovery = %t, %v", in, err)
		}
		if text, err := standby.History(t.Context(), 2); err != nil || !strings.HasPrefix(string(text), "1\t") {
			t.Errorf("history %q, %v", text, err)
		}
		old.Close()
	})
}

// TestStandbyFollowsPromotion has a standby that follows another one after its
// promotion while its own control file is of before.
func TestStandbyFollowsPromotion(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.Conf("bgwriter_lru_maxpages", "0"))
		rewindRole(pair.Primary)
		third := pair.Primary.NewStandby(pgtest.Conf("bgwriter_lru_maxpages", "0"))
		third.Start()
		pair.Primary.WaitCaughtUp(third)
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.FailOver(pgtest.Fast)
		third.Stop(pgtest.Fast)
		third.Follow(pair.Primary)
		third.Start()
		pair.Primary.Exec("CREATE TABLE after_it (i int)")
		pair.Primary.WaitCaughtUp(third)

		s := connect(t, asRewinder(third), Options{})
		_, c, err := s.Control(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tli, err := s.Timeline(t.Context()); err != nil || tli != 2 {
			t.Errorf("timeline %d, %v; the control file says %d", tli, err, c.CurrentTimeline())
		}
		t.Logf("following: the control file says timeline %d", c.CurrentTimeline())
		end, err := s.EndOfWAL(t.Context())
		if err != nil || end.LSN < c.MinRecoveryPoint {
			t.Errorf("ends at %s, %v; control file has %s", end, err, c.MinRecoveryPoint)
		}
	})
}

// TestEndOfWALAtBorders asks where the insert position is behind a page header
// that nothing follows yet.
func TestEndOfWALAtBorders(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		server := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s := connect(t, rewindRole(server), Options{})
		insert := func() pg.LSN {
			lsn, err := pg.ParseLSN(server.Query("SELECT pg_current_wal_insert_lsn()")[0][0])
			if err != nil {
				t.Fatal(err)
			}
			return lsn
		}
		border := func(what string, size, header uint64) {
			t.Helper()
			if at := insert(); uint64(at)%size != header {
				t.Errorf("%s: insert position is %s", what, at)
			}
			end, err := s.EndOfWAL(t.Context())
			if err != nil || uint64(end.LSN)%size != 0 || end.LSN != insert()-pg.LSN(header) {
				t.Errorf("%s: ends at %s, %v; insert position is %s", what, end, err, insert())
			}
			if at := server.CurrentLSN(); at < end.LSN {
				t.Errorf("%s: ends at %s, but only %s is flushed", what, end, at)
			}
		}
		server.Checkpoint()
		server.Exec("SELECT pg_switch_wal()")
		border("segment", 1<<20, longHeader)

		server.Exec("SELECT pg_logical_emit_message(false, 'x', 'x')")
		at := uint64(insert())
		const page = 8192
		// Two records of a known size fill the page exactly: a message has a
		// header of 24 bytes, 5 of a long main data header, 24 of its own and
		// the prefix with its zero.
		left := int(page - at%page)
		server.Exec("SELECT pg_logical_emit_message(false, 'x', repeat('x', " + strconv.Itoa(left-24-5-24-2) + "))")
		border("page", page, shortHeader)

		server.Exec("SELECT pg_logical_emit_message(false, 'x', 'x')")
		if end, err := s.EndOfWAL(t.Context()); err != nil || end.LSN != insert() {
			t.Errorf("within a page: ends at %s, %v; insert position is %s", end, err, insert())
		}
	})
}

func TestRecordEnd(t *testing.T) {
	c := &pgcontrol.Control{SegmentSize: 1 << 20, WALBlockSize: 8192}
	for insert, want := range map[pg.LSN]pg.LSN{
		0x100028: 0x100000, 0x102018: 0x102000, 0x100018: 0x100000 + 24 - 24, 0x102028: 0x102028, 0x102000: 0x102000, 0x1020F0: 0x1020F0,
	} {
		if got := recordEnd(insert, c); got != want {
			t.Errorf("%s ends at %s, want %s", insert, got, want)
		}
	}
}

func TestFullPageWritesOff(t *testing.T) {
	server := pgtest.Run(t, pgtest.Conf("full_page_writes", "off"))
	s := connect(t, rewindRole(server), Options{})
	if on, err := s.FullPageWrites(t.Context()); err != nil || on {
		t.Errorf("live: %t, %v", on, err)
	}
	server.Stop(pgtest.Fast)
	l, err := OpenLocal(server.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if on, err := l.FullPageWrites(t.Context()); err != nil || on {
		t.Errorf("stopped: %t, %v", on, err)
	}
	settings, err := l.Settings(t.Context(), "full_page_writes", "no_such_setting")
	if err != nil || len(settings) != 1 || settings["full_page_writes"] != "off" {
		t.Errorf("settings %v, %v", settings, err)
	}
}

// TestLocal looks at what only a stopped directory has.
func TestLocal(t *testing.T) {
	pair := pgtest.NewPair(t)
	if _, err := OpenLocal(pair.Primary.Dir()); !errors.Is(err, ErrRunning) {
		t.Errorf("running server: %v", err)
	}
	if _, err := OpenLocal(t.TempDir()); !errors.Is(err, datadir.ErrNotDataDir) {
		t.Errorf("empty directory: %v", err)
	}
	pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 10000) AS i")
	pair.Primary.WaitCaughtUp(pair.Standby)
	pair.Standby.Stop(pgtest.Fast)
	pair.Primary.Stop(pgtest.Fast)

	standby, err := OpenLocal(pair.Standby.Dir())
	if err != nil {
		t.Fatal(err)
	}
	_, c, err := standby.Control(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if in, err := standby.InRecovery(t.Context()); err != nil || !in {
		t.Errorf("InRecovery = %t, %v", in, err)
	}
	if end, err := standby.EndOfWAL(t.Context()); err != nil || end.LSN != max(c.MinRecoveryPoint, c.Checkpoint) || end.Timeline != 1 {
		t.Errorf("standby ends at %s, %v", end, err)
	}
	primary, err := OpenLocal(pair.Primary.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, c, err = primary.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	if end, err := primary.EndOfWAL(t.Context()); err != nil || end.LSN != c.Checkpoint {
		t.Errorf("primary ends at %s, %v", end, err)
	}
	if tli, err := primary.Timeline(t.Context()); err != nil || tli != 1 {
		t.Errorf("timeline %d, %v", tli, err)
	}
	if primary.Kind() != Directory || primary.String() != "directory "+pair.Primary.Dir() {
		t.Errorf("%s, %s", primary.Kind(), primary)
	}
	if _, err := primary.History(t.Context(), 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("history: %v", err)
	}
	fifo := filepath.Join(pair.Primary.Dir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := primary.ReadFile(t.Context(), "fifo"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a pipe: %v", err)
	}
	if got := chunks(t, primary, Range{Path: "PG_VERSION/x", Length: 1}); len(got) != 1 || !got[0].Missing {
		t.Errorf("below a file: %+v", got)
	}
}

// TestRecoveryConninfoAsPgRewind compares the string with what pg_rewind
// writes where there is nothing to rewind.
func TestRecoveryConninfoAsPgRewind(t *testing.T) {
	pair := pgtest.NewPair(t, pgtest.Major(15))
	bin := filepath.Join(pair.Primary.BinDir(), "pg_rewind")
	if _, err := os.Stat(bin); err != nil {
		t.Skip(err)
	}
	pair.Standby.Stop(pgtest.Fast)
	// What the servers' OS user has for a home is the same to both.
	home, err := user.Lookup("postgres")
	if err != nil {
		t.Skip(err)
	}
	t.Setenv("HOME", home.HomeDir)
	for _, extra := range []string{
		"", " dbname=template1 application_name='a b' connect_timeout=3 keepalives_idle=5 options='-c geqo=off' password='p\\'\\\\q'",
		" sslmode=allow target_session_attrs=read-write fallback_application_name=x hostaddr='' channel_binding=disable",
	} {
		conninfo := pair.Primary.ConnString() + extra
		cmd := pgtest.RunAs(exec.Command(bin, "-D", pair.Standby.Dir(), "--source-server", conninfo, "-R"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		lines := strings.Split(strings.TrimSpace(pair.Standby.ReadFile("postgresql.auto.conf")), "\n")
		want := lines[len(lines)-1]
		s := connect(t, conninfo, Options{})
		if got := "primary_conninfo = " + QuoteSetting(s.RecoveryConninfo()); got != want {
			t.Errorf("%s\n got %s\nwant %s", extra, got, want)
		}
	}
}

// TestRecoveryConninfoWorks lets a standby of each version stream with the
// string, which shows that its libpq takes it.
func TestRecoveryConninfoWorks(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major))
		standby := primary.NewStandby()
		s := connect(t, primary.ConnString()+` password='it\'s \\ me' options='-c geqo=off'`, Options{})
		conf, err := os.OpenFile(filepath.Join(standby.Dir(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conf.WriteString("primary_conninfo = " + QuoteSetting(s.RecoveryConninfo()) + "\n")
		if err := errors.Join(err, conf.Close()); err != nil {
			t.Fatal(err)
		}
		standby.Start()
		primary.Exec("CREATE TABLE t (i int)")
		primary.WaitCaughtUp(standby)
		if got := standby.Query("SELECT current_setting('primary_conninfo')")[0][0]; got != s.RecoveryConninfo() {
			t.Errorf("the standby reads %s, written was %s", got, s.RecoveryConninfo())
		}
	})
}
