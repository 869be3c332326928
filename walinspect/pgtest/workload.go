package pgtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Workload writes WAL of nearly every kind that a server can write: tables with
// TOAST, every index method, DDL, truncation, databases by both strategies,
// tablespaces, rewritten tables and catalogs, sequences, large objects,
// subtransactions, prepared transactions, multixacts, unlogged tables, page
// images in every compression that the server has, and records that run over
// pages and segments.
//
// What it makes is named after name, so it can run several times and on both
// sides of a fork. The amount follows rows: 300 gives each index method a page
// split or two and about 4 MB of WAL, 3000 takes a few seconds.
func (s *Server) Workload(name string, rows int) {
	s.t.Helper()
	w := &workload{s: s, name: name, rows: rows}
	s.Exec("CREATE SCHEMA " + name)
	w.run("heap", heapSteps)
	w.run("indexes", indexSteps)
	w.run("relations", relationSteps)
	w.run("transactions", transactionSteps)
	w.multixacts()
	w.compressed()
	w.long()
	w.databases()
}

// workload fills in what the steps leave open: {w} is the name, {n} the rows.
type workload struct {
	s    *Server
	name string
	rows int
}

func (w *workload) sql(step string) string {
	return strings.NewReplacer("{w}", w.name, "{n}", fmt.Sprint(w.rows)).Replace(step)
}

func (w *workload) run(what string, steps []string) {
	w.s.t.Helper()
	w.runIn("postgres", what, steps)
}

// runIn runs the steps in one session. A step that begins with a number, such
// as "15: ", is for servers of that major and later.
func (w *workload) runIn(db, what string, steps []string) {
	w.s.t.Helper()
	statements := []string{"SET search_path = " + w.name + ", public"}
	for _, step := range steps {
		var since int
		if n, _ := fmt.Sscanf(step, "%d: ", &since); n == 1 {
			_, step, _ = strings.Cut(step, ": ")
		}
		if w.s.Major() >= since {
			statements = append(statements, w.sql(step))
		}
	}
	if err := w.s.TryExecIn(db, statements...); err != nil {
		w.s.t.Fatalf("workload %s, %s: %s", w.name, what, err)
	}
}

// multixacts locks rows from two sessions at once, also rows that one of them
// has updated.
func (w *workload) multixacts() {
	w.s.t.Helper()
	a, b := w.s.Conn("postgres"), w.s.Conn("postgres")
	both := func(conn *pgx.Conn, steps ...string) {
		w.s.t.Helper()
		for _, step := range steps {
			if _, err := conn.Exec(context.Background(), w.sql(step)); err != nil {
				w.s.t.Fatalf("workload %s, multixacts: %s: %s", w.name, step, err)
			}
		}
	}
	both(a, "CREATE TABLE {w}.locked (id int PRIMARY KEY, n int)", "INSERT INTO {w}.locked SELECT i, 0 FROM generate_series(1, 100) i")
	both(a, "BEGIN", "SELECT * FROM {w}.locked WHERE id <= 50 FOR SHARE")
	both(b, "BEGIN", "SELECT * FROM {w}.locked WHERE id <= 60 FOR KEY SHARE", "COMMIT")
	both(a, "COMMIT", "BEGIN", "UPDATE {w}.locked SET n = 1 WHERE id <= 20")
	both(b, "BEGIN", "SELECT * FROM {w}.locked WHERE id <= 30 FOR KEY SHARE")
	both(a, "ROLLBACK")
	both(b, "COMMIT", "VACUUM FREEZE {w}.locked")
	a.Close(context.Background())
	b.Close(context.Background())
}

// databases makes databases by every strategy that the server has, fills and
// drops them, and moves one between tablespaces.
func (w *workload) databases() {
	w.s.t.Helper()
	strategies := []string{""}
	if w.s.Major() >= 15 {
		strategies = []string{" STRATEGY = file_copy", " STRATEGY = wal_log"}
	}
	steps := []string{"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE {w}_inplace LOCATION ''"}
	var drops []string
	for i, strategy := range strategies {
		steps = append(steps,
			fmt.Sprintf("CREATE DATABASE {w}_db%d%s", i, strategy),
			fmt.Sprintf("CREATE DATABASE {w}_gone%d%s", i, strategy))
		drops = append(drops, fmt.Sprintf("DROP DATABASE {w}_gone%d", i))
	}
	w.run("databases", append(append(steps, drops...),
		"CREATE TABLE moved (n int) TABLESPACE {w}_inplace",
		"INSERT INTO moved SELECT generate_series(1, {n})",
		"ALTER TABLE moved SET TABLESPACE pg_default",
		"CREATE TABLE stays (n int) TABLESPACE {w}_inplace",
		"INSERT INTO stays SELECT generate_series(1, {n})",
		"ALTER DATABASE {w}_db0 SET TABLESPACE {w}_inplace",
	))
	for i := range strategies {
		w.runIn(fmt.Sprintf("%s_db%d", w.name, i), "databases", []string{
			"CREATE TABLE inside AS SELECT i, rpad('value ' || i, 32, '.') AS v FROM generate_series(1, {n}) i",
		})
	}
}

// compressed makes page images in each compression. A checkpoint goes before
// each, so that the next change of a page carries its image.
func (w *workload) compressed() {
	w.s.t.Helper()
	methods := []string{"on"}
	if w.s.Major() >= 15 {
		offered := w.s.Value("SELECT array_to_string(enumvals, ' ') FROM pg_settings WHERE name = 'wal_compression'")
		methods = strings.Fields(offered)
		methods = slices.DeleteFunc(methods, func(m string) bool { return m == "on" || m == "off" })
	}
	for _, method := range methods {
		w.run("compression", []string{"CHECKPOINT", "SET wal_compression = " + method,
			"UPDATE plain SET n = n + 1 WHERE id % 50 = 0", "UPDATE toasted SET n = n + 1 WHERE id % 5 = 0"})
	}
}

// long writes records that run over pages and, where that is cheap, segments.
func (w *workload) long() {
	w.s.t.Helper()
	steps := []string{
		"SELECT pg_logical_emit_message(false, 'pgtest', repeat('short', 10))",
		"SELECT pg_logical_emit_message(true, 'pgtest', repeat('over pages ', 3000))",
		"SELECT pg_create_restore_point('{w}')",
	}
	if w.s.cfg.segMB <= 16 {
		steps = append(steps, fmt.Sprintf(
			"SELECT pg_logical_emit_message(true, 'pgtest', repeat('over segments ', %d))", w.s.cfg.segMB*1_100_000/14))
	}
	w.run("long records", append(steps, "INSERT INTO plain SELECT i, 'last', i FROM generate_series(900001, 900010) i"))
}
