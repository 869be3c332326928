package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// rowCounts are inserted, updated, of these hot, and deleted rows.
type rowCounts [4]int64

// ledger is what a test itself did on a server that is left behind. The server
// counts the rows (pg_stat_xact_all_tables); what the log says is not asked.
type ledger struct {
	t         *testing.T
	s         *pgtest.Server
	committed []pg.XID
	aborted   []pg.XID
	subxacts  int
	origin    pg.XID               // committed as the replay of another server's, at 0/ABCD there
	rows      map[string]rowCounts // by the OID of the table
	names     map[string]string
}

func (l *ledger) exec(conn *pgx.Conn, statements ...string) {
	l.t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			l.t.Fatalf("%s: %v", sql, err)
		}
	}
}

func (l *ledger) number(conn *pgx.Conn, sql string) pg.XID {
	l.t.Helper()
	var text string
	if err := conn.QueryRow(context.Background(), sql).Scan(&text); err != nil {
		l.t.Fatalf("%s: %v", sql, err)
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		l.t.Fatalf("%s: %v", sql, err)
	}
	return pg.XID(n)
}

// next is the identifier that the next transaction will get.
func (l *ledger) next() pg.XID {
	l.t.Helper()
	n, err := strconv.ParseUint(l.s.Value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"), 10, 32)
	if err != nil {
		l.t.Fatal(err)
	}
	return pg.XID(n)
}

// count takes in the rows that the transaction of a session has changed.
func (l *ledger) count(conn *pgx.Conn) {
	l.t.Helper()
	rows, err := conn.Query(context.Background(), `SELECT relid::text, schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del
		FROM pg_stat_xact_all_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND (schemaname <> 'pg_catalog' OR relname = 'pg_largeobject')`)
	if err != nil {
		l.t.Fatal(err)
	}
	var oid, name string
	var n rowCounts
	if _, err := pgx.ForEachRow(rows, []any{&oid, &name, &n[0], &n[1], &n[2], &n[3]}, func() error {
		l.add(oid, name, n)
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) add(oid, name string, n rowCounts) {
	sum := l.rows[oid]
	for i := range sum {
		sum[i] += n[i]
	}
	l.rows[oid], l.names[oid] = sum, name
}

// tx runs a transaction in a session of its own, for the server's counters are
// those of the session, and returns its identifier.
func (l *ledger) tx(end string, statements ...string) pg.XID {
	l.t.Helper()
	conn := l.s.Conn("postgres")
	defer conn.Close(context.Background())
	l.exec(conn, append([]string{"BEGIN"}, statements...)...)
	xid := l.number(conn, "SELECT pg_current_xact_id()::text")
	l.count(conn)
	l.exec(conn, end)
	switch {
	case end == "COMMIT":
		l.committed = append(l.committed, xid)
	case end == "ROLLBACK":
		l.aborted = append(l.aborted, xid)
	}
	return xid
}

// raw runs what cannot be in a transaction. All identifiers that it takes
// commit.
func (l *ledger) raw(statements ...string) {
	l.t.Helper()
	from := l.next()
	for _, sql := range statements {
		l.s.Exec(sql)
	}
	l.took(from)
}

// took notes that all identifiers from one on have committed.
func (l *ledger) took(from pg.XID) {
	l.t.Helper()
	for xid := from; xid < l.next(); xid++ {
		l.committed = append(l.committed, xid)
	}
}

// common is done before the fork.
func (l *ledger) common() {
	l.s.Exec("CREATE TABLE plain (id int PRIMARY KEY, n int DEFAULT 0, v text) WITH (fillfactor = 60)",
		"INSERT INTO plain SELECT g, 0, repeat('x', 60) FROM generate_series(1, 2000) g",
		"CREATE TABLE toasted (id int, big text)", "ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL",
		"CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id)", "CREATE TABLE part_low PARTITION OF parted FOR VALUES FROM (0) TO (100)",
		"CREATE TABLE part_high PARTITION OF parted FOR VALUES FROM (100) TO (1000)",
		"CREATE TABLE emptied AS SELECT g FROM generate_series(1, 300) g", "CREATE TABLE vacuumed AS SELECT g FROM generate_series(1, 300) g",
		"CREATE TABLE altered AS SELECT g FROM generate_series(1, 300) g", "CREATE TABLE before (g int)", "CREATE TABLE doomed (g int)",
		"CREATE SEQUENCE counter", "CREATE TABLE moved AS SELECT g FROM generate_series(1, 300) g", "CREATE TABLE open_a (g int)", "CHECKPOINT")
}

// lose does everything that only the old primary will have.
func (l *ledger) lose() {
	l.tx("COMMIT", "INSERT INTO plain SELECT g, 0, 'lost' FROM generate_series(10001, 10040) g")
	l.tx("COMMIT", "SET LOCAL synchronous_commit = off", "DELETE FROM plain WHERE id > 1990 AND id <= 2000")
	for i := range 3 { // every page with an image; some updates do not fit their page
		l.raw("CHECKPOINT")
		l.tx("COMMIT", fmt.Sprintf("UPDATE plain SET n = n + 1, v = repeat('y', %d) WHERE id <= 600", 60+40*i))
	}
	l.tx("ROLLBACK", "UPDATE plain SET n = -1 WHERE id < 30", "DELETE FROM plain WHERE id > 1900")
	l.tx("COMMIT", "COPY plain (id) FROM PROGRAM 'seq 20001 20500'")
	l.tx("COMMIT", "INSERT INTO plain SELECT g, 5, 'conflict' FROM generate_series(590, 610) g ON CONFLICT (id) DO UPDATE SET n = 7")
	l.tx("COMMIT", "INSERT INTO toasted SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 20) g")
	l.tx("COMMIT", "UPDATE toasted SET big = big || 'z' WHERE id < 6", "DELETE FROM toasted WHERE id > 15")
	l.tx("COMMIT", "INSERT INTO parted SELECT g, 'p' FROM generate_series(50, 149) g", "UPDATE parted SET id = id + 100 WHERE id < 60")
	l.tx("COMMIT", "TRUNCATE emptied")
	l.tx("COMMIT", "INSERT INTO emptied SELECT generate_series(1, 7)")
	altered := l.s.Value("SELECT 'altered'::regclass::oid::text")
	l.tx("COMMIT", "ALTER TABLE altered ALTER g TYPE bigint")
	l.add(altered, "public.altered", rowCounts{300}) // into files that belong to no table until the end
	l.tx("COMMIT", "INSERT INTO vacuumed SELECT generate_series(1, 3)", "DELETE FROM vacuumed WHERE g > 200")
	l.raw("VACUUM FULL vacuumed")
	l.tx("COMMIT", "INSERT INTO before SELECT generate_series(1, 4)", "ALTER TABLE before RENAME TO after", "INSERT INTO after VALUES (5)")
	doomed := l.s.Value("SELECT 'doomed'::regclass::oid::text")
	l.tx("COMMIT", "INSERT INTO doomed VALUES (1)", "DROP TABLE doomed")
	l.add(doomed, "public.doomed", rowCounts{1}) // nobody can ask for it after that
	l.tx("COMMIT", "CREATE TABLE made AS SELECT generate_series(1, 11) g", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	l.tx("COMMIT", "SELECT nextval('counter') FROM generate_series(1, 100)")
	l.tx("COMMIT", "SELECT lo_from_bytea(424242, decode(repeat('61', 5000), 'hex'))", "SELECT lo_from_bytea(0, 'x')")
	l.tx("COMMIT", "SELECT lo_unlink(424242)")
	l.nested()
	l.tx("COMMIT", "SELECT pg_replication_origin_create('elsewhere')")
	l.origin = l.tx("COMMIT", "SELECT pg_replication_origin_session_setup('elsewhere')", "SELECT pg_replication_origin_xact_setup('0/ABCD', now())",
		"INSERT INTO plain VALUES (60001)")
	from := l.next()
	l.s.CreateTablespace("later")
	l.s.CreateTablespace("brief")
	l.took(from)
	l.tx("COMMIT", "CREATE TABLE far TABLESPACE later AS SELECT generate_series(1, 9) g", "DELETE FROM far WHERE g > 6")
	l.tx("COMMIT", "ALTER TABLE moved SET TABLESPACE later")
	l.raw("DROP TABLESPACE brief")
	l.raw("CREATE DATABASE extra", "CREATE DATABASE passing", "DROP DATABASE passing")
}

// nested makes subtransactions that end in both ways, and so many in one that
// the server assigns them to their parent in a record.
func (l *ledger) nested() {
	conn := l.s.Conn("postgres")
	defer conn.Close(context.Background())
	l.exec(conn, "BEGIN", "INSERT INTO plain VALUES (30001)", "SAVEPOINT a", "INSERT INTO plain VALUES (30002)")
	lost := l.number(conn, "SELECT xmin::text FROM plain WHERE id = 30002")
	l.exec(conn, "ROLLBACK TO a", "SAVEPOINT b", "INSERT INTO plain VALUES (30003)", "RELEASE b")
	top := l.number(conn, "SELECT pg_current_xact_id()::text")
	l.count(conn)
	l.exec(conn, "COMMIT")
	// Rolling back to a savepoint begins another subtransaction, in which b is.
	l.aborted, l.committed, l.subxacts = append(l.aborted, lost), append(l.committed, top), l.subxacts+2
	l.tx("COMMIT", `DO $$BEGIN FOR i IN 1..70 LOOP BEGIN INSERT INTO plain VALUES (40000 + i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END$$`)
	l.subxacts += 70
}

// TestReportTruth makes a history of which every commit and every row is known,
// and wants the report to say the same.
func TestReportTruth(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "256MB"), pgtest.Conf("autovacuum", "off"),
			pgtest.Conf("max_prepared_transactions", "5"), pgtest.Conf("wal_log_hints", "on"))
		l := &ledger{t: t, s: pair.Primary, rows: map[string]rowCounts{}, names: map[string]string{}}
		l.common()
		ends, stays := l.s.Conn("postgres"), l.s.Conn("postgres")
		var across, unfinished, twice, gone, doubt pg.XID
		for conn, xid := range map[*pgx.Conn]*pg.XID{ends: &across, stays: &unfinished} {
			l.exec(conn, "BEGIN", "INSERT INTO open_a VALUES (1)")
			*xid = l.number(conn, "SELECT pg_current_xact_id()::text")
		}
		l.s.Exec("INSERT INTO plain VALUES (-1)") // flushes their records, so that the standby has them
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			if side == "new" {
				s.Exec("UPDATE plain SET n = 100 WHERE id < 50", "CREATE TABLE only_new AS SELECT 1 AS g")
				return
			}
			l.lose()
			l.exec(ends, "INSERT INTO open_a VALUES (2)", "COMMIT")
			l.committed = append(l.committed, across)
			l.add(s.Value("SELECT 'open_a'::regclass::oid::text"), "public.open_a", rowCounts{1})
			twice = l.tx("PREPARE TRANSACTION 'twice'", "INSERT INTO plain VALUES (50001)")
			gone = l.tx("PREPARE TRANSACTION 'gone'", "INSERT INTO plain VALUES (50002)")
			doubt = l.tx("PREPARE TRANSACTION 'doubt'", "INSERT INTO plain VALUES (50003)")
			s.Exec("COMMIT PREPARED 'twice'", "ROLLBACK PREPARED 'gone'")
			l.committed, l.aborted = append(l.committed, twice), append(l.aborted, gone)
			for oid := range l.names {
				if now := s.Query("SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::text::oid", oid); len(now) > 0 {
					l.names[oid] = now[0][0]
				}
			}
			s.Checkpoint() // so that the catalogs on disk know the names
		})
		pair.Primary.Stop(pgtest.Fast)
		got := report(t, statusFindings, "-D", pair.Old.Dir(), "--source-pgdata", pair.Primary.Dir())

		l.checkTransactions(got)
		if p := got.Transactions.Prepared; len(p) != 1 || p[0].XID != doubt || p[0].GID != "doubt" {
			t.Errorf("in doubt: %+v, want %d", p, doubt)
		}
		open := []reports.OpenAtFork{{XID: across, Outcome: "commit"}, {XID: unfinished, Outcome: "unfinished"}}
		slices.SortFunc(open, func(a, b reports.OpenAtFork) int { return int(a.XID) - int(b.XID) })
		for i := range got.Transactions.Open {
			got.Transactions.Open[i].LSN = 0
		}
		if diff := cmp.Diff(open, got.Transactions.Open); diff != "" {
			t.Errorf("open at the fork (-made +reported):\n%s", diff)
		}
		l.checkRows(got)
		checkChanges(t, got)
	})
}

func (l *ledger) checkTransactions(got *reports.Divergence) {
	l.t.Helper()
	for _, list := range []struct {
		what string
		want []pg.XID
		got  reports.Stream[reports.Transaction]
	}{{"commits", l.committed, got.Transactions.Committed}, {"aborts", l.aborted, got.Transactions.Aborted}} {
		var xids []pg.XID
		for x := range list.got.All() {
			xids = append(xids, x.XID)
			if origin := x.XID == l.origin; origin != (x.Origin != 0) || origin != (x.OriginLSN == 0xABCD) {
				l.t.Errorf("transaction %d is said to come from origin %d at %s", x.XID, x.Origin, x.OriginLSN)
			}
		}
		if diff := cmp.Diff(list.want, xids); diff != "" {
			l.t.Errorf("%s only on the target (-made +reported):\n%s", list.what, diff)
		}
	}
	if got.Transactions.Subxacts != l.subxacts {
		l.t.Errorf("%d subtransactions, want %d", got.Transactions.Subxacts, l.subxacts)
	}
}

// checkRows compares the counts of all tables, with TOAST tables and large
// objects, by name.
func (l *ledger) checkRows(got *reports.Divergence) {
	l.t.Helper()
	want, reported := map[string]rowCounts{}, map[string]rowCounts{}
	for oid, n := range l.rows {
		want[l.names[oid]] = n
	}
	images := int64(0)
	for _, r := range got.Relations {
		a := r.Activity
		n := rowCounts{a.Inserts, a.Updates + a.HotUpdates, a.HotUpdates, a.Deletes}
		if r.Fork != pg.MainFork || n == (rowCounts{}) {
			continue
		}
		images += a.Images
		name := r.RelFork.String()
		if r.Name != nil {
			name = r.Name.Schema + "." + r.Name.Relation
		}
		if strings.HasPrefix(name, "pg_catalog.") && name != "pg_catalog.pg_largeobject" || strings.HasPrefix(name, "pg_catalog.pg_toast") {
			continue
		}
		sum := reported[name]
		for i := range sum {
			sum[i] += n[i]
		}
		reported[name] = sum
	}
	if diff := cmp.Diff(want, reported); diff != "" {
		l.t.Errorf("rows inserted, updated, hot, deleted (-made +reported):\n%s", diff)
	}
	if images == 0 {
		l.t.Error("no page image: the test does not show that images hide no rows")
	}
}

// checkChanges looks at what happened to relations and databases as a whole.
func checkChanges(t *testing.T, got *reports.Divergence) {
	t.Helper()
	changes := map[string][]reports.Change{}
	for _, r := range got.Relations {
		if r.Name != nil && r.Name.Schema == "public" && r.Fork == pg.MainFork && len(r.Changes) > 0 {
			changes[r.Name.Relation] = append(changes[r.Name.Relation], r.Changes...)
			slices.Sort(changes[r.Name.Relation])
		}
		if r.Name != nil && r.Name.Relation == "plain" && r.Fork == pg.MainFork && (r.Size == nil || *r.Size < 100_000 || r.Both == 0) {
			t.Errorf("plain: size %v, %d blocks of both", r.Size, r.Both)
		}
	}
	replaced := []reports.Change{reports.ChangeOutdated, reports.ChangeReplaced}
	want := map[string][]reports.Change{"emptied": replaced, "altered": replaced, "vacuumed": replaced, "moved": replaced, "far": {reports.ChangeCreated},
		"doomed": {reports.ChangeDropped}, "made": {reports.ChangeCreated}, "counter": {reports.ChangeAdvanced}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-made +reported):\n%s", diff)
	}
	databases, tablespaces := "", ""
	for _, e := range got.Events {
		name, rest, _ := strings.Cut(e.Detail, " (")
		switch e.Kind {
		case blockmap.DatabaseCreated, blockmap.DatabaseDropped:
			databases += string(e.Kind) + " " + name + "; "
		case blockmap.TablespaceCreated:
			_, path, _ := strings.Cut(rest, " at ")
			tablespaces += "made " + name + " in " + filepath.Base(path) + "; "
		case blockmap.TablespaceDropped:
			tablespaces += "dropped " + name + "; "
		}
	}
	if want := "made tablespace later in ts-later; made tablespace brief in ts-brief; dropped tablespace brief; "; tablespaces != want {
		t.Errorf("tablespaces: %s\nwant %s", tablespaces, want)
	}
	if want := "database-created database extra; database-created database passing; database-dropped database passing; "; databases != want {
		t.Errorf("databases: %s\nwant %s", databases, want)
	}
	functions := slices.ContainsFunc(got.Definitions, func(d reports.Definitions) bool { return d.Catalog == "pg_proc" && d.Inserts == 1 })
	onlyNew := slices.ContainsFunc(got.SourceSide, func(s reports.SourceChange) bool {
		return s.Name != nil && s.Name.Relation == "only_new" && s.Activity.Inserts == 1
	})
	if !functions || !onlyNew {
		t.Errorf("the new function is seen: %t, the source's new table: %t", functions, onlyNew)
	}
	f := got.Rewind.Files
	if f == nil || f.Created == 0 || f.Removed == 0 || got.Rewind.Estimate == nil || got.Rewind.Replay == 0 || len(got.Coverage) < 3 {
		t.Errorf("rewind %+v, files %+v, coverage %+v", got.Rewind, f, got.Coverage)
	}
}
