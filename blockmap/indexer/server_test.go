package indexer

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// A running server's own view of its log is the oracle: every block that
// pg_walinspect shows is touched, and none besides. The catalog is kept while
// the log grows, as by a run now and then.
func TestAgainstServers(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "1GB"))
		dir := filepath.Join(s.Dir(), "pg_wal")
		g, err := segment.Discover(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		cache, path := memory(t), timeline.SingleTimeline(1)
		from := s.CurrentLSN()
		read := 0
		for round := range 2 {
			s.Workload(fmt.Sprintf("w%d", round), 300)
			s.Checkpoint()
			r := index(t, New(segment.NewDir(dir, g.SegmentSize), g, cache, Options{}), path)
			if !r.Complete() {
				t.Fatalf("round %d: gaps %v", round, r.Gaps)
			}
			if round == 1 && r.Read >= r.Segments-read+3 {
				t.Errorf("read %d of %d segments, %d of which were known", r.Read, r.Segments, read)
			}
			read = r.Read
		}
		span := pg.Span{From: from, To: s.CurrentLSN()}
		r := touched(t, New(segment.NewDir(dir, g.SegmentSize), g, cache, Options{}), path, span)
		if !r.Complete() {
			t.Fatalf("gaps %v", r.Gaps)
		}
		in := incident{dir: dir, g: g, start: g.SegmentSize.Start(g.SegmentSize.Number(from))}
		list, _ := in.walk(t, path)
		if diff := sameMap(r.Blocks, replay(list, span, nil)); diff != "" {
			t.Error(diff)
		}
		if len(s.Query("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_walinspect'")) == 0 || major < 16 {
			return
		}
		s.Exec("CREATE EXTENSION pg_walinspect")
		want := serverBlocks(t, s, span)
		if diff := sameMap(named(r.Blocks), want); diff != "" {
			t.Error(diff)
		}
		t.Logf("%d records, %d blocks of %d forks as pg_walinspect shows them", r.Records, want.Blocks(), want.Len())
	})
}

// serverBlocks asks the server for the blocks of a span.
func serverBlocks(t *testing.T, s *pgtest.Server, span pg.Span) *blockmap.Map {
	m := &blockmap.Map{}
	rows := s.Query(`SELECT DISTINCT reltablespace::text, reldatabase::text, relfilenode::text, relforknumber::text, relblocknumber::text
		FROM pg_get_wal_block_info($1::pg_lsn, $2::pg_lsn)`, span.From.String(), span.To.String())
	for _, row := range rows {
		var n [5]uint64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseUint(row[i], 10, 32); err != nil {
				t.Fatal(err)
			}
		}
		m.Touch(pg.BlockTag{
			RelFork: pg.RelFork{
				RelFileLocator: pg.RelFileLocator{Spc: pg.OID(n[0]), DB: pg.OID(n[1]), Rel: pg.RelFileNumber(n[2])},
				Fork:           pg.ForkNumber(n[3]),
			},
			Block: pg.BlockNumber(n[4]),
		}, false)
	}
	return m
}

// named is the map of the blocks that records name, without cuts.
func named(m *blockmap.Map) *blockmap.Map {
	plain := &blockmap.Map{}
	for rf, e := range m.All() {
		for b := range e.Touched.All() {
			plain.Touch(pg.BlockTag{RelFork: rf, Block: b}, false)
		}
	}
	return plain
}
