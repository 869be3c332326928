package pgtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"forkpoint/walinspect/pg"
)

// Conn opens a session, which ends with the test at the latest.
func (s *Server) Conn(db string) *pgx.Conn {
	s.t.Helper()
	conn, err := s.connect(db)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (s *Server) connect(db string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(s.connString(db))
	if err != nil {
		return nil, err
	}
	// Statements change the tables that later ones use: nothing is prepared.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.RuntimeParams["application_name"] = "pgtest"
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pgx.ConnectConfig(ctx, cfg)
}

// Exec runs statements one after the other in one session of the database
// postgres, each as a transaction of its own.
func (s *Server) Exec(statements ...string) {
	s.t.Helper()
	s.ExecIn("postgres", statements...)
}

// ExecIn is [Server.Exec] in another database.
func (s *Server) ExecIn(db string, statements ...string) {
	s.t.Helper()
	if err := s.TryExecIn(db, statements...); err != nil {
		s.t.Fatal(err)
	}
}

// TryExecIn is [Server.ExecIn] for statements that may fail. It stops at the
// first that does.
func (s *Server) TryExecIn(db string, statements ...string) error {
	conn, err := s.connect(db)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			return fmt.Errorf("%s: %w", clip(sql), err)
		}
	}
	return nil
}

// Query returns the rows of a query in the database postgres as text; NULL is
// the empty string.
func (s *Server) Query(sql string, args ...any) [][]string {
	s.t.Helper()
	return s.QueryIn("postgres", sql, args...)
}

// QueryIn is [Server.Query] in another database.
func (s *Server) QueryIn(db, sql string, args ...any) [][]string {
	s.t.Helper()
	rows, err := s.TryQueryIn(db, sql, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// TryQueryIn is [Server.QueryIn] for queries that may fail.
func (s *Server) TryQueryIn(db, sql string, args ...any) ([][]string, error) {
	conn, err := s.connect(db)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	return queryText(conn, sql, args...)
}

// queryText reads rows in the text form that the server sends.
func queryText(conn *pgx.Conn, sql string, args ...any) ([][]string, error) {
	rows, err := conn.Query(context.Background(), sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clip(sql), err)
	}
	defer rows.Close()
	var table [][]string
	for rows.Next() {
		var row []string
		for _, v := range rows.RawValues() {
			row = append(row, string(v))
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", clip(sql), err)
	}
	return table, nil
}

// Value is the first column of a query's first row.
func (s *Server) Value(sql string, args ...any) string {
	s.t.Helper()
	rows := s.Query(sql, args...)
	if len(rows) == 0 || len(rows[0]) == 0 {
		s.t.Fatalf("%s: no row", clip(sql))
	}
	return rows[0][0]
}

// Checkpoint makes a checkpoint, or on a standby a restartpoint.
func (s *Server) Checkpoint() {
	s.t.Helper()
	s.Exec("CHECKPOINT")
}

// SwitchWAL makes the server go on in a new segment, and returns the end of
// what it wrote to the old one.
func (s *Server) SwitchWAL() pg.LSN {
	s.t.Helper()
	return s.lsn("SELECT pg_switch_wal()")
}

// CurrentLSN is the end of what the server has written and flushed, which is
// everything committed; on a standby, of what it has replayed.
func (s *Server) CurrentLSN() pg.LSN {
	s.t.Helper()
	return s.lsn("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END")
}

// Timeline is the timeline of the latest checkpoint, from the control file.
func (s *Server) Timeline() pg.TimelineID {
	s.t.Helper()
	var tli uint32
	if _, err := fmt.Sscan(s.Value("SELECT timeline_id FROM pg_control_checkpoint()"), &tli); err != nil {
		s.t.Fatal(err)
	}
	return pg.TimelineID(tli)
}

func (s *Server) lsn(sql string) pg.LSN {
	s.t.Helper()
	lsn, err := pg.ParseLSN(s.Value(sql))
	if err != nil {
		s.t.Fatal(err)
	}
	return lsn
}

// clip shortens a statement for a message.
func clip(sql string) string {
	if len(sql) > 200 {
		return sql[:200] + "…"
	}
	return sql
}
