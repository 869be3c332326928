package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// diverged is a fail-over of which the test knows every commit.
type diverged struct {
	pair      *pgtest.Pair
	committed []pg.XID // on the old primary after the fork, in order
	subxacts  int
	prepared  string
}

// diverge brings about commits, aborts, subtransactions, two-phase commits,
// dropped and new tables after the fork, and a transaction that spans it.
func diverge(t *testing.T, major int) *diverged {
	t.Helper()
	d := &diverged{pair: pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "256MB"),
		pgtest.Conf("max_prepared_transactions", "5"), pgtest.Conf("autovacuum", "off"))}
	p := d.pair.Primary
	p.Exec("CREATE TABLE items (id int PRIMARY KEY, v text)", "CREATE TABLE doomed (a int)",
		"INSERT INTO items SELECT g, repeat('x', 90) FROM generate_series(1, 3000) g")
	p.Checkpoint()
	p.Exec("UPDATE items SET v = 'before' WHERE id <= 500", "BEGIN; INSERT INTO items VALUES (-1, 'p'); PREPARE TRANSACTION 'across'")
	d.pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		if side == "new" {
			s.Exec("UPDATE items SET v = 'new' WHERE id BETWEEN 100 AND 120")
			return
		}
		d.lose(s)
	})
	return d
}

// lose makes the commits that only the old primary has.
func (d *diverged) lose(s *pgtest.Server) {
	for _, sql := range []string{
		"INSERT INTO items SELECT g, 'lost' FROM generate_series(10001, 10040) g",
		"UPDATE items SET v = 'lost' WHERE id BETWEEN 1 AND 25",
		"DELETE FROM items WHERE id > 2990 AND id <= 3000",
		"CREATE TABLE made AS SELECT generate_series(1, 10) a",
		"DROP TABLE doomed",
	} {
		rows := s.Query("WITH x AS (SELECT 1) SELECT pg_current_xact_id()::text") // not this one's number is lost, but the next
		last, _ := strconv.ParseUint(rows[0][0], 10, 64)
		s.Exec(sql)
		d.committed = append(d.committed, pg.XID(last), pg.XID(last+1))
	}
	s.Exec("BEGIN; SAVEPOINT a; INSERT INTO items VALUES (20001, 's'); SAVEPOINT b; INSERT INTO items VALUES (20002, 's'); COMMIT")
	d.committed = append(d.committed, d.committed[len(d.committed)-1]+1)
	d.subxacts = 2
	s.Exec("BEGIN; INSERT INTO items VALUES (20003, 'aborted'); ROLLBACK")
	s.Exec("COMMIT PREPARED 'across'")
	s.Exec("BEGIN; INSERT INTO made VALUES (11); PREPARE TRANSACTION 'in doubt'")
	d.prepared = "in doubt"
}

// answer runs forkpoint as mustForkpoint does and returns what it wrote to
// stdout alone.
func answer(t *testing.T, want status, args ...string) string {
	t.Helper()
	binary := pgtest.Executable(t)
	link := filepath.Join(filepath.Dir(binary), "forkpoint")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	cmd := pgtest.RunAs(exec.Command(link, args...))
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != int(want) {
		t.Fatalf("forkpoint %q: status %d, want %d\n%s\n%s", args, got, want, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// report runs the command and decodes its answer.
func report(t *testing.T, want status, args ...string) *reports.Divergence {
	t.Helper()
	out := answer(t, want, append([]string{"report", "--format", "json"}, args...)...)
	var d reports.Divergence
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("forkpoint report %q: %v\n%s", args, err, out)
	}
	return &d
}

// TestReportReal holds the report against what the test itself did, and
// against pg_rewind's view of the same two directories.
func TestReportReal(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		d := diverge(t, major)
		old := d.pair.Old.Dir()
		got := report(t, statusFindings, "-D", old, "--source-server", d.pair.Primary.ConnString()) // 3: a transaction is in doubt
		d.check(t, got)
		d.checkItems(t, got)

		catalog := filepath.Join(d.pair.Old.Home(), "catalog.db")
		mustForkpoint(t, "index", old, "--catalog", catalog)
		var again reports.Indexing
		if err := json.Unmarshal([]byte(answer(t, statusDone, "index", old, "--catalog", catalog, "--format", "json")), &again); err != nil {
			t.Fatal(err)
		}
		if ix := again.Timelines[0]; ix.Read > 1 || ix.Skipped < 2 { // the newest may have been written to just now
			t.Errorf("a second run reads %d segments again and skips %d", ix.Read, ix.Skipped)
		}
		d.pair.Primary.Stop(pgtest.Fast)
		d.checkCheckpoint(t, got)
		local := report(t, statusFindings, "-D", old, "--source-pgdata", d.pair.Primary.Dir())
		d.check(t, local)
		if diff := cmp.Diff([]any{got.Relations[0], madeBySource(got)}, []any{local.Relations[0], madeBySource(local)}); diff != "" {
			t.Errorf("a stopped source gives another answer (-live +stopped):\n%s", diff)
		}
		checkSource(t, got, 1<<30)
		d.checkCatalogAlone(t, catalog)
	})
}

// madeBySource leaves out what questions alone change in the catalogs, by
// pruning pages.
func madeBySource(d *reports.Divergence) []reports.SourceChange {
	return slices.DeleteFunc(slices.Clone(d.SourceSide), func(s reports.SourceChange) bool { return s.Name == nil || s.Name.Schema != "public" })
}

// checkSource looks at what is told of a source that was running, of whose log
// no more than so many bytes were to be read.
func checkSource(t *testing.T, got *reports.Divergence, limit int64) {
	t.Helper()
	gap := slices.IndexFunc(got.Findings, func(f reports.Finding) bool { return f.Code == "source-wal-gap" })
	switch {
	case limit == 0:
		if got.Source.Known || len(got.SourceSide) > 0 {
			t.Errorf("of the source's log, which was not to be read, %d relations are known", len(got.SourceSide))
		}
	case limit == 1<<30:
		if !got.Source.Known || gap >= 0 || got.Source.Commits == 0 || got.Blocks.Both == 0 {
			t.Errorf("the source's log is not known: %+v, %d blocks of both, findings %+v", got.Source, got.Blocks.Both, got.Findings)
		}
	case got.Source.Known || gap < 0 || !strings.Contains(got.Findings[gap].Detail, "--source-wal"):
		t.Errorf("nothing says that only a part of the source's log was read: %+v, findings %+v", got.Source, got.Findings)
	}
}

// TestReportSourceWAL reads a part of a running source's log, or none.
func TestReportSourceWAL(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "256MB"), pgtest.Conf("wal_log_hints", "on"))
		pair.Primary.Exec("CREATE TABLE t AS SELECT g, 0 AS n FROM generate_series(1, 1000) g", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET n = 1 WHERE g < 10")
			if side == "new" {
				s.Exec("CREATE TABLE much AS SELECT repeat(g::text, 200) AS v FROM generate_series(1, 6000) g")
			}
		})
		for size, limit := range map[string]int64{"0": 0, "2MB": 2 << 20, "1GB": 1 << 30} {
			d := report(t, statusDone, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString(), "--source-wal", size)
			checkSource(t, d, limit)
			if limit == 2<<20 && d.Source.WALBytes == 0 {
				t.Error("nothing was read")
			}
		}
	})
}

// withoutSource leaves out what only a source whose log is at hand can tell.
func withoutSource(r reports.RelationChange) reports.RelationChange {
	r.Source, r.Both = 0, 0
	return r
}

func (d *diverged) check(t *testing.T, got *reports.Divergence) {
	t.Helper()
	if got.Verdict != reports.VerdictDiverged || got.Fork.Timeline != 1 || got.Fork.Target != 1 || got.Fork.Source != 2 {
		t.Errorf("verdict %q, fork %+v", got.Verdict, got.Fork)
	}
	wantFork, _, _ := strings.Cut(strings.TrimPrefix(d.pair.Primary.ReadFile("pg_wal/00000002.history"), "1\t"), "\t")
	if got.Fork.LSN.String() != wantFork && got.Fork.LSN.Padded() != wantFork {
		t.Errorf("fork at %s, the history file says %s", got.Fork.LSN, wantFork)
	}
	var xids []pg.XID
	for x := range got.Transactions.Committed.All() {
		if x.Kind == blockmap.Commit {
			xids = append(xids, x.XID)
		}
	}
	if diff := cmp.Diff(d.committed, xids); diff != "" {
		t.Errorf("commits only on the target (-made +reported):\n%s", diff)
	}
	if got.Transactions.Commits != len(d.committed)+1 || got.Transactions.Aborts != 1 || got.Transactions.Subxacts != d.subxacts {
		t.Errorf("%d commits, %d aborts, %d subtransactions; want %d, 1, %d", got.Transactions.Commits,
			got.Transactions.Aborts, got.Transactions.Subxacts, len(d.committed)+1, d.subxacts)
	}
	if p := got.Transactions.Prepared; len(p) != 1 || p[0].GID != d.prepared {
		t.Errorf("in doubt: %+v, want %q", p, d.prepared)
	}
	if !got.Target.End.Natural {
		t.Errorf("the target's log ends with %+v", got.Target.End)
	}
}

// checkItems compares the counts of rows of one table, found by its name.
func (d *diverged) checkItems(t *testing.T, got *reports.Divergence) {
	t.Helper()
	for _, r := range got.Relations {
		if r.Name == nil || r.Name.Relation != "items" || r.Fork != pg.MainFork {
			continue
		}
		a := r.Activity
		if a.Inserts != 43 || a.Updates+a.HotUpdates != 25 || a.Deletes != 10 {
			t.Errorf("items: %d inserted, %d updated, %d deleted; want 43 (one aborted), 25, 10", a.Inserts, a.Updates+a.HotUpdates, a.Deletes)
		}
		if r.SinceRedo <= r.SinceFork || r.Restored == 0 {
			t.Errorf("items: %d blocks since redo, %d since the fork, %d restored", r.SinceRedo, r.SinceFork, r.Restored)
		}
		return
	}
	t.Error("the table items is not in the report by its name")
}

// checkCheckpoint asks pg_rewind of the same major, in a dry run.
func (d *diverged) checkCheckpoint(t *testing.T, got *reports.Divergence) {
	t.Helper()
	if !d.pair.Old.HasProgram("pg_rewind") || got.Checkpoint == nil {
		return
	}
	out, err := d.pair.Old.PgRewind("--dry-run", "--target-pgdata", d.pair.Old.Dir(), "--source-pgdata", d.pair.Primary.Dir())
	if err != nil {
		t.Fatalf("pg_rewind: %v\n%s", err, out)
	}
	for _, lsn := range []string{got.Checkpoint.LSN.String(), got.Checkpoint.LSN.Padded()} {
		if strings.Contains(out, fmt.Sprintf("rewinding from last common checkpoint at %s on timeline 1", lsn)) {
			return
		}
	}
	t.Errorf("pg_rewind knows another last common checkpoint than %s:\n%s", got.Checkpoint.LSN, out)
}

// checkCatalogAlone takes the old primary's log away and asks again.
func (d *diverged) checkCatalogAlone(t *testing.T, catalog string) {
	t.Helper()
	mustForkpoint(t, "index", d.pair.Primary.Dir(), "--catalog", catalog)
	if err := os.RemoveAll(d.pair.Old.Dir()); err != nil {
		t.Fatal(err)
	}
	d.check(t, report(t, statusFindings, "1", "2", "--catalog", catalog))
}

// TestInspectReal compares the records of a running server, and then of the
// stopped one, with pg_waldump's.
func TestInspectReal(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_waldump") {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
			from := s.CurrentLSN()
			s.Workload("inspected", 50)
			to := s.CurrentLSN()
			want := s.PgWaldump(1, pg.Span{From: from, To: to})
			got := answer(t, statusDone, "inspect", s.Dir(), "--start", from.String(), "--end", to.String())
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("records (-pg_waldump +forkpoint):\n%s", diff)
			}
			s.Stop(pgtest.Fast)
			mustForkpoint(t, "inspect", s.Dir(), "--check")
		})
	}
}
