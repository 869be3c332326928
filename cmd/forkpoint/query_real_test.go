package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// dumped is what pg_waldump prints of a record.
type dumped struct {
	lsn    string
	xid    pg.XID
	rmgr   string
	blocks []string // rel/db/number#block of the main fork
}

var (
	dumpedLine  = regexp.MustCompile(`^rmgr: (\S+) .*tx: +(\d+), lsn: ([0-9A-F/]+),`)
	dumpedBlock = regexp.MustCompile(`rel (\d+/\d+/\d+) (fork \S+ )?blk (\d+)`)
)

func dump(t *testing.T, s *pgtest.Server, span pg.Span) []dumped {
	t.Helper()
	var list []dumped
	for line := range strings.Lines(s.PgWaldump(1, span)) {
		m := dumpedLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		lsn, err := pg.ParseLSN(m[3])
		if err != nil {
			t.Fatal(err)
		}
		xid, _ := strconv.ParseUint(m[2], 10, 32)
		d := dumped{lsn: lsn.String(), xid: pg.XID(xid), rmgr: m[1]}
		for _, b := range dumpedBlock.FindAllStringSubmatch(line, -1) {
			if b[2] == "" || b[2] == "fork main " {
				d.blocks = append(d.blocks, b[1]+"#"+b[3])
			}
		}
		list = append(list, d)
	}
	return list
}

// asked runs a query and decodes its answer.
func asked[T any](t *testing.T, args ...string) *T {
	t.Helper()
	var v T
	out := answer(t, statusDone, append(args, "--format", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("forkpoint %q: %v\n%s", args, err, out)
	}
	return &v
}

// TestQueriesReal holds the answers of blocks, blame, xact and top against
// pg_waldump.
func TestQueriesReal(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_waldump") {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "256MB"), pgtest.Conf("autovacuum", "off"))
			s.Exec("CREATE TABLE public.asked (id int PRIMARY KEY, v text)")
			from := s.SwitchWAL()
			s.Exec("INSERT INTO asked SELECT g, repeat('x', 300) FROM generate_series(1, 4000) g", "UPDATE asked SET v = 'y' WHERE id % 7 = 0", "CHECKPOINT",
				"BEGIN; SAVEPOINT a; UPDATE asked SET v = 'z' WHERE id = 1; SAVEPOINT b; DELETE FROM asked WHERE id = 2; COMMIT")
			xid := s.Value("SELECT xmin::text FROM asked WHERE id = 1") // of a subtransaction
			path := s.Value("SELECT pg_relation_filepath('asked')")
			rel := "1663/" + strings.TrimPrefix(path, "base/")
			to := s.SwitchWAL()
			s.Stop(pgtest.Fast)
			size := s.SegmentSize()
			span := pg.Span{From: size.Start(size.Number(from)), To: size.Start(size.Number(to-1) + 1)}
			records := dump(t, s, span)
			catalog := filepath.Join(s.Home(), "catalog.db")
			mustForkpoint(t, "index", s.Dir(), "--catalog", catalog)
			in := func(lsn pg.LSN) bool { return span.Contains(lsn) }

			history := asked[reports.BlockHistory](t, "blocks", "asked", "--pgdata", s.Dir(), "--catalog", catalog)
			blocks, xids := map[string]bool{}, map[pg.XID]bool{}
			for _, seg := range history.Segments {
				if !in(seg.From) || seg.Fork != pg.MainFork {
					continue
				}
				for b := range seg.Blocks.All() {
					blocks[fmt.Sprintf("%s#%d", rel, b)] = true
				}
				for _, x := range seg.XIDs {
					xids[x] = true
				}
			}
			wantBlocks, wantXIDs := map[string]bool{}, map[pg.XID]bool{}
			for _, r := range records {
				for _, b := range r.blocks {
					if strings.HasPrefix(b, rel+"#") {
						wantBlocks[b] = true
						if r.xid != 0 {
							wantXIDs[r.xid] = true
						}
					}
				}
			}
			if diff := cmp.Diff(wantBlocks, blocks); diff != "" || len(blocks) < 100 {
				t.Errorf("blocks (-pg_waldump +forkpoint):\n%s", diff)
			}
			if diff := cmp.Diff(wantXIDs, xids); diff != "" {
				t.Errorf("transactions (-pg_waldump +forkpoint):\n%s", diff)
			}

			blame := asked[reports.RecordHistory](t, "blame", rel, "3", "--catalog", catalog)
			compareLSNs(t, "blame", records, blame, in, func(r dumped) bool { return slices.Contains(r.blocks, rel+"#3") })

			n, _ := strconv.ParseUint(xid, 10, 32)
			sub := pg.XID(n)
			top := sub - 1
			family := asked[reports.RecordHistory](t, "xact", fmt.Sprint(top), "--catalog", catalog)
			compareLSNs(t, "xact", records, family, in, func(r dumped) bool { return r.xid == top || r.xid == sub || r.xid == sub+1 })
			if family.Outcome == nil || len(family.Outcome.Subxacts) != 2 {
				t.Errorf("outcome %+v, want a commit with two subtransactions", family.Outcome)
			}

			for place, archive := range archivesOf(t, filepath.Join(s.Dir(), "pg_wal"), s.Home()) {
				other := filepath.Join(s.Home(), place+".db")
				mustForkpoint(t, "index", archive, "--catalog", other)
				again := asked[reports.RecordHistory](t, "xact", fmt.Sprint(top), "--catalog", other)
				if diff := cmp.Diff(family.Records, again.Records); diff != "" || len(again.Unread) > 0 {
					t.Errorf("xact, indexed from %s: unread %q, records (-pg_wal +%s):\n%s", archive, again.Unread, place, diff)
				}
			}

			rows := asked[reports.Top](t, "top", "--by", "record", "--limit", "1000", "--catalog", catalog).Rows
			all, heap := int64(0), int64(0)
			for _, row := range rows {
				all += row.Records
				if row.What == "Heap DELETE" {
					heap = row.Records
				}
			}
			files, err := filepath.Glob(filepath.Join(s.Dir(), "pg_wal", "00000001????????????????"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			first, err := pg.ParseSegmentName(filepath.Base(slices.Min(files)), size)
			if err != nil {
				t.Fatal(err)
			}
			whole := dump(t, s, pg.Span{From: size.Start(first.Number), To: pg.MaxLSN})
			if int(all) != len(whole) || heap == 0 {
				t.Errorf("top counts %d records, %d deletions; pg_waldump prints %d", all, heap, len(whole))
			}
			byRelation := asked[reports.Top](t, "top", "--limit", "3", "--catalog", catalog, "--pgdata", s.Dir()).Rows
			if len(byRelation) != 3 || !slices.ContainsFunc(byRelation, func(r reports.TopItem) bool { return strings.Contains(r.What, "asked") }) {
				t.Errorf("top by relation: %+v", byRelation)
			}
		})
	}
}

// archivesOf puts the segments of a folder where their files have other names.
func archivesOf(t *testing.T, folder, dir string) map[string]string {
	t.Helper()
	packed, repository := filepath.Join(dir, "wal.tar"), filepath.Join(dir, "15-1")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := errors.Join(w.AddFS(os.DirFS(folder)), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "????????????????????????"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.MkdirAll(filepath.Join(repository, name[:16]), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(repository, name[:16], name+"-0123456789abcdef0123456789abcdef01234567"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"tar": packed, "pgBackRest": repository}
}

func compareLSNs(t *testing.T, what string, records []dumped, got *reports.RecordHistory, in func(pg.LSN) bool, wanted func(dumped) bool) {
	t.Helper()
	var want, have []string
	for _, r := range records {
		if wanted(r) {
			want = append(want, r.lsn)
		}
	}
	for _, r := range got.Records {
		if in(r.LSN) {
			have = append(have, r.LSN.String())
		}
	}
	if diff := cmp.Diff(want, have); diff != "" || len(want) == 0 {
		t.Errorf("%s: %d records (-pg_waldump +forkpoint):\n%s", what, len(want), diff)
	}
}
