package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// TestRewindSpares is about blocks that a rewind leaves to replay. The record
// that the plan's proof points to is looked up one by one; then each such block
// of the rewound target is filled with garbage, and replay has to make it equal
// to the source's all the same.
func TestRewindSpares(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		rounds := 1
		if torture() {
			rounds = 8
		}
		for round := range rounds {
			rewindSparing(t, major, 200+300*round, round%2 == 1)
		}
	})
}

func rewindSparing(t *testing.T, major, rows int, live bool) {
	pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "1GB"),
		pgtest.Conf("wal_log_hints", "on"), pgtest.Conf("allow_in_place_tablespaces", "on"))
	pair.Primary.Workload("common", rows)
	pair.Primary.Exec("CREATE TABLE spared (i int PRIMARY KEY, v text, p point, a int[])",
		"CREATE INDEX ON spared USING gist (p)", "CREATE INDEX ON spared USING spgist (p)", "CREATE INDEX ON spared USING gin (a)",
		"CREATE INDEX ON spared USING hash (v)", "CREATE INDEX ON spared USING brin (i)", "CREATE INDEX ON spared (v, i)",
		sparedRows(0, 5*rows))
	pair.Primary.Checkpoint()
	pair.Primary.Exec("UPDATE spared SET v = v || 'changed', p = point(i, 1) WHERE i % 7 = 0", sparedRows(5*rows, 15*rows),
		"DELETE FROM spared WHERE i % 11 = 0", "VACUUM spared", "UPDATE spared SET a = a || i WHERE i % 13 = 0",
		"CREATE TABLE copied AS SELECT * FROM spared WHERE i % 3 = 0", "CREATE INDEX ON copied USING gin (a)")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Workload(side, rows/4) })
	from := []string{"-R", "--source-server", pair.Primary.ConnString()}
	if !live {
		pair.Primary.Stop(pgtest.Fast)
		from = []string{"--source-pgdata", pair.Primary.Dir()}
	}
	out := answer(t, statusDone, append([]string{"rewind", "-D", pair.Old.Dir(), "--format", "json"}, from...)...)
	lines := bytes.Split(bytes.TrimSpace([]byte(out)), []byte("\n"))
	var result rewind.Result
	if err := json.Unmarshal(lines[len(lines)-1], &result); err != nil {
		t.Fatal(err)
	}
	p := result.Plan
	if p.Totals.Why.Spared < 100 {
		t.Fatalf("only %d blocks are left to replay", p.Totals.Why.Spared)
	}
	mustForkpoint(t, "verify", "-D", pair.Old.Dir())
	if n := checkProofs(t, pair.Old.Dir(), p); n != p.Totals.Why.Spared {
		t.Errorf("proof of %d blocks, %d are left to replay", n, p.Totals.Why.Spared)
	}
	fillSpared(t, pair.Old.Dir(), p)
	if !live {
		pair.Primary.Start()
	}
	pair.Rejoin(!live)
	pgtest.SameData(pair.Primary, pair.Standby)
	pair.Primary.Stop(pgtest.Fast) // the standby has all of it
	pair.Standby.Stop(pgtest.Fast)
	mustBeExplained(t, "after replay", compared(t, statusDone, pair.Standby.Dir(), pair.Primary.Dir()))
}

// sparedRows inserts rows with numbers from after a first to a last.
func sparedRows(first, last int) string {
	return fmt.Sprintf("INSERT INTO spared SELECT i, repeat(md5(i::text), 8), point(i %% 100, i / 100), ARRAY[i %% 17, i %% 101, i] FROM generate_series(%d, %d) i", first+1, last)
}

// checkProofs reads the log from redo to the fork, and wants the first reference
// to each block that is left to replay to be where its proof says, and to
// restore it. It returns how many blocks there are.
func checkProofs(t *testing.T, dir string, p *plan.Plan) (blocks uint64) {
	t.Helper()
	first := firstReferences(t, dir, p)
	version := openDataDir(t, dir).VersionDir()
	for _, s := range p.Spared {
		rel, ok := pg.ParseRelPath(s.Path, version)
		if !ok || rel.Segment != 0 {
			t.Fatalf("%s is not the first file of a relation", s.Path)
		}
		seen := blockmap.NewSet()
		for _, proof := range s.Proof {
			span := pg.Span{From: proof.From, To: proof.To}
			for from, to := range proof.Blocks.Ranges() {
				for b := from; b < to; b++ {
					ref, touched := first[pg.BlockTag{RelFork: rel.RelFork, Block: b}]
					if !touched || !ref.restores || !span.Contains(ref.lsn) || seen.Contains(b) {
						t.Errorf("%s block %d: proof in %s, first reference at %s (restores it: %v)", s.Path, b, span, ref.lsn, ref.restores)
					}
				}
			}
			seen.AddSet(proof.Blocks)
		}
		blocks += seen.Len()
	}
	return blocks
}

type reference struct {
	lsn      pg.LSN
	restores bool
}

func firstReferences(t *testing.T, dir string, p *plan.Plan) map[pg.BlockTag]reference {
	t.Helper()
	d := openDataDir(t, dir)
	c, err := d.Control()
	if err != nil {
		t.Fatal(err)
	}
	path, err := timeline.ReadPath(c.MinRecoveryTimeline, d.History)
	if err != nil {
		t.Fatal(err)
	}
	size := c.SegmentSize
	pages := segment.NewPages(segment.NewDir(filepath.Join(dir, "pg_wal"), size), size,
		func(n uint64) []pg.TimelineID { return path.SegmentTimelines(size, n) })
	defer pages.Close()
	r := walinspect.NewReader(pages, walinspect.Geometry{SystemID: c.SystemID, SegmentSize: size, PageSize: c.WALBlockSize, BlockSize: c.BlockSize}, p.Checkpoint.Redo)
	r.SetLimit(p.Fork.LSN)
	first := map[pg.BlockTag]reference{}
	for r.Next(t.Context()) {
		for i := range r.Record().Blocks {
			b := &r.Record().Blocks[i]
			if _, known := first[b.Tag]; !known {
				first[b.Tag] = reference{r.Record().LSN, b.HasImage() && b.Image.Apply || b.WillInit()}
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return first
}

// fillSpared overwrites the blocks that are left to replay.
func fillSpared(t *testing.T, dir string, p *plan.Plan) {
	t.Helper()
	garbage := bytes.Repeat([]byte{0xA5}, 8192)
	for _, s := range p.Spared {
		f, err := os.OpenFile(filepath.Join(dir, s.Path), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, proof := range s.Proof {
			for from, to := range proof.Blocks.Ranges() {
				for b := from; b < to; b++ {
					if _, err := f.WriteAt(garbage, int64(b)*8192); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func openDataDir(t *testing.T, dir string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
