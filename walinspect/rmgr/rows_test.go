package rmgr

import (
	"strconv"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// TestRowsOfServer counts what statements of known effect wrote for a table.
func TestRowsOfServer(t *testing.T) {
	s := pgtest.Run(t, pgtest.SegSize(1))
	s.Exec("CREATE TABLE r (a int PRIMARY KEY, b int, c text) WITH (fillfactor = 50)", "CHECKPOINT")
	number, err := strconv.ParseUint(s.Value("SELECT pg_relation_filenode('r')"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	s.SwitchWAL()
	from := s.CurrentLSN()
	s.Exec(
		"INSERT INTO r SELECT i, i FROM generate_series(1, 100) i",
		"COPY r (a, b) FROM PROGRAM 'seq -f \"%.0f\t1\" 1001 1500'",
		"INSERT INTO r VALUES (1, 1), (2000, 1) ON CONFLICT (a) DO NOTHING",
		"INSERT INTO r VALUES (2, 1), (2001, 1) ON CONFLICT (a) DO UPDATE SET b = 9",
		"UPDATE r SET b = -1 WHERE a BETWEEN 11 AND 30",
		"UPDATE r SET a = a + 5000 WHERE a BETWEEN 41 AND 50",
		"DELETE FROM r WHERE a BETWEEN 61 AND 67",
		"BEGIN; INSERT INTO r VALUES (-1); ROLLBACK",
		"SELECT * FROM r WHERE a = 99 FOR UPDATE",
	)
	s.Stop(pgtest.Fast)

	dir := copySegments(t, s)
	r := openLog(t, dir, 1<<20, 1, pg.SegmentSize(1<<20).Start(pg.SegmentSize(1<<20).Number(from)))
	var got [4]int
	for r.Next(t.Context()) {
		rec := r.Record()
		if len(rec.Blocks) == 0 || rec.Blocks[0].Tag.Rel != pg.RelFileNumber(number) {
			continue
		}
		ins, upd, hot, del := RowCounts(rec)
		got[0], got[1], got[2], got[3] = got[0]+ins, got[1]+upd, got[2]+hot, got[3]+del
	}
	// 100, 500, 1, 1 and the row that was rolled back; the conflicting row,
	// 20 and 10, of which the last need new index entries; 7.
	if want := [4]int{603, 31, 21, 7}; got != want {
		t.Errorf("want %v rows inserted, updated, of these HOT, deleted; got %v; reader: %s", want, got, r.Stop())
	}
}
