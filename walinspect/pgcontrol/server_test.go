package pgcontrol_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/pgtest"
)

func read(t *testing.T, s *pgtest.Server) *pgcontrol.Control {
	t.Helper()
	c, err := pgcontrol.Decode([]byte(s.ReadFile("global/pg_control")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// same compares what was decoded with the row that the server's own functions
// give.
func same(t *testing.T, s *pgtest.Server, query string, decoded ...any) {
	t.Helper()
	want := make([]string, len(decoded))
	for i, v := range decoded {
		want[i] = fmt.Sprint(v)
		if when, is := v.(time.Time); is {
			want[i] = fmt.Sprint(when.Unix())
		}
	}
	if diff := cmp.Diff(s.Query(query), [][]string{want}); diff != "" {
		t.Errorf("%s\n-server +decoded:\n%s", query, diff)
	}
}

// compareAll holds a running server's control file against pg_control_system
// and its sisters.
func compareAll(t *testing.T, s *pgtest.Server) {
	t.Helper()
	c := read(t, s)
	k := c.CheckpointCopy
	same(t, s, `SELECT pg_control_version, catalog_version_no, system_identifier,
		extract(epoch FROM pg_control_last_modified)::bigint FROM pg_control_system()`,
		c.Version, c.CatalogVersion, c.SystemID, c.Time)
	same(t, s, `SELECT checkpoint_lsn, redo_lsn, redo_wal_file, timeline_id, prev_timeline_id, full_page_writes::text, next_xid,
		next_oid, next_multixact_id, next_multi_offset, oldest_xid, oldest_xid_dbid, oldest_active_xid, oldest_multi_xid,
		oldest_multi_dbid, oldest_commit_ts_xid, newest_commit_ts_xid, extract(epoch FROM checkpoint_time)::bigint
		FROM pg_control_checkpoint()`,
		c.Checkpoint.Format(c.Major), k.Redo.Format(c.Major), c.SegmentSize.Name(k.Timeline, c.SegmentSize.Number(k.Redo)),
		k.Timeline, k.PrevTimeline, k.FullPageWrites, fmt.Sprintf("%d:%d", k.NextXID>>32, uint32(k.NextXID)),
		k.NextOID, k.NextMulti, k.NextMultiOffset, k.OldestXID, k.OldestXIDDB, k.OldestActiveXID, k.OldestMulti,
		k.OldestMultiDB, k.OldestCommitTS, k.NewestCommitTS, k.Time)
	same(t, s, `SELECT min_recovery_end_lsn, min_recovery_end_timeline, backup_start_lsn, backup_end_lsn,
		end_of_backup_record_required::text FROM pg_control_recovery()`,
		c.MinRecoveryPoint.Format(c.Major), c.MinRecoveryTimeline, c.BackupStart.Format(c.Major), c.BackupEnd.Format(c.Major), c.BackupEndRequired)
	same(t, s, `SELECT max_data_alignment, database_block_size, blocks_per_segment, wal_block_size, bytes_per_wal_segment,
		max_identifier_length, max_index_columns, max_toast_chunk_size, large_object_chunk_size,
		float8_pass_by_value::text, data_page_checksum_version FROM pg_control_init()`,
		c.MaxAlign, c.BlockSize, c.RelSegSize, c.WALBlockSize, uint32(c.SegmentSize), c.NameDataLen, c.IndexMaxKeys,
		c.ToastMaxChunk, c.LargeObjectBlock, c.Float8ByVal, c.DataChecksums)
	if c.Major >= 18 {
		same(t, s, "SELECT default_char_signedness::text FROM pg_control_init()", c.SignedChar)
	}
	same(t, s, `SELECT current_setting('wal_level'), current_setting('wal_log_hints'), current_setting('max_connections'),
		current_setting('max_worker_processes'), current_setting('max_wal_senders'), current_setting('max_prepared_transactions'),
		current_setting('max_locks_per_transaction'), current_setting('track_commit_timestamp')`,
		c.WALLevel, onOff(c.WALLogHints), c.MaxConnections, c.MaxWorkerProcesses, c.MaxWALSenders, c.MaxPreparedXacts,
		c.MaxLocksPerXact, onOff(c.TrackCommitTimestamp))
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func TestServers(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(2), pgtest.Conf("wal_log_hints", "on"), pgtest.Conf("wal_level", "logical"),
			pgtest.Conf("track_commit_timestamp", "on"), pgtest.Conf("max_worker_processes", "9"), pgtest.Conf("max_wal_senders", "11"),
			pgtest.Conf("max_prepared_transactions", "12"), pgtest.Conf("max_locks_per_transaction", "65"))
		primary.Exec("CREATE TABLE t AS SELECT 1 AS n", "CREATE UNLOGGED TABLE u AS SELECT 1 AS n", "BEGIN", "SELECT FROM t FOR SHARE",
			"SAVEPOINT s", "UPDATE t SET n = 2", "COMMIT", "CHECKPOINT")
		compareAll(t, primary)
		if c := read(t, primary); c.State != pgcontrol.InProduction || c.Major != major || !c.HintsLogged() || c.MinRecoveryPoint.Valid() {
			t.Errorf("primary: %s", c.Text(time.UTC))
		}

		standby := primary.NewStandby()
		standby.Start()
		primary.Exec("INSERT INTO t SELECT generate_series(1, 1000)")
		primary.WaitCaughtUp(standby)
		standby.Checkpoint()
		compareAll(t, standby)
		if c := read(t, standby); c.State != pgcontrol.InArchiveRecovery || !c.MinRecoveryPoint.Valid() || c.MinRecoveryTimeline != 1 {
			t.Errorf("standby: %s", c.Text(time.UTC))
		}
		standby.Promote()
		compareAll(t, standby)
		if c := read(t, standby); c.CurrentTimeline() != 2 {
			t.Errorf("promoted standby is on timeline %d", c.CurrentTimeline())
		}
		primary.Stop(pgtest.Immediate)
		if c := read(t, primary); c.State != pgcontrol.InProduction {
			t.Errorf("crashed primary: %s", c.State)
		}
		standby.Stop(pgtest.Fast)
		if c := read(t, standby); c.State != pgcontrol.ShutDown || c.CheckpointCopy.Timeline != 2 {
			t.Errorf("promoted and shut down: %s", c.Text(time.UTC))
		}
	})
}

// pg_controldata of version 15 reads the files of 13 to 16.
func TestListing(t *testing.T) {
	install, err := pgtest.Find(15)
	if err != nil {
		t.Skip(err)
	}
	program, found := install.Program("pg_controldata")
	if !found {
		t.Skip("no pg_controldata")
	}
	zone := time.FixedZone("EAT", 3*3600)
	for major := 13; major <= 16; major++ {
		raw, err := os.ReadFile(fmt.Sprintf("testdata/%d.pg_control", major))
		if err != nil {
			t.Fatal(err)
		}
		edited, err := pgcontrol.Patch(raw, pgcontrol.Edits{
			State: pgcontrol.ShutDownInRecovery, Time: time.Unix(1800000000, 0), MinRecoveryPoint: 0x1_00000000, MinRecoveryTimeline: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		full, err := pgcontrol.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{raw, edited, everyField(t, full)} {
			c, err := pgcontrol.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "global"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "global/pg_control"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "-D", dir)
			cmd.Env = []string{"LC_ALL=C", "TZ=EAT-3"}
			want, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), c.Text(zone)); diff != "" {
				t.Errorf("version %d, -pg_controldata +forkpoint:\n%s", major, diff)
			}
		}
	}
}

// everyField is a file whose fields all have values of their own.
func everyField(t *testing.T, c *pgcontrol.Control) []byte {
	t.Helper()
	n := uint32(0x80000001)
	next := func() uint32 { n++; return n }
	c.SystemID, c.Checkpoint, c.UnloggedLSN = 1<<63+uint64(next()), pg.LSN(next())<<16, pg.LSN(next())<<8
	c.MinRecoveryPoint, c.BackupStart, c.BackupEnd, c.BackupEndRequired = pg.LSN(next()), pg.LSN(next()), pg.LSN(next()), true
	c.State, c.Time, c.WALLevel, c.WALLogHints, c.TrackCommitTimestamp = pgcontrol.ShuttingDown, time.Unix(-5, 0), 9, true, true
	c.MinRecoveryTimeline = pg.TimelineID(next())
	c.MaxConnections, c.MaxWorkerProcesses, c.MaxWALSenders = int32(next()), int32(next()), int32(next())
	c.MaxPreparedXacts, c.MaxLocksPerXact = int32(next()), int32(next())
	c.RelSegSize, c.NameDataLen, c.IndexMaxKeys = next(), next(), next()
	c.ToastMaxChunk, c.LargeObjectBlock, c.DataChecksums = next(), next(), next()
	c.BlockSize, c.WALBlockSize, c.SegmentSize, c.Float8ByVal = 1<<12, 1<<14, 1<<24, false
	c.CheckpointCopy = pgcontrol.Checkpoint{
		Redo: pg.LSN(next()) << 12, Timeline: pg.TimelineID(next()), PrevTimeline: pg.TimelineID(next()),
		NextXID: uint64(next())<<32 | uint64(next()), NextOID: pg.OID(next()), NextMulti: next(), NextMultiOffset: uint64(next()),
		OldestXID: pg.XID(next()), OldestXIDDB: pg.OID(next()), OldestMulti: next(), OldestMultiDB: pg.OID(next()),
		Time: time.Unix(1<<32, 0), OldestCommitTS: pg.XID(next()), NewestCommitTS: pg.XID(next()), OldestActiveXID: pg.XID(next()),
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
