// Package walstream receives the write-ahead log of a running server through
// the physical replication protocol ("Streaming Replication Protocol" in
// PostgreSQL's manual), byte for byte as it lies in segment files.
//
// A [Conn] is one connection: it names the server ([Conn.Identify]), starts at
// a position of a timeline ([Conn.Start]) and then delivers pieces of the log
// ([Conn.Receive]) until the timeline ends or the connection does. Connecting
// again is up to the caller. A [Spool] makes segment files of the pieces.
package walstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"forkpoint/walinspect/pg"
)

// Identity is what a server says of itself (IDENTIFY_SYSTEM).
type Identity struct {
	SystemID    uint64
	Timeline    pg.TimelineID // current one
	Flushed     pg.LSN        // end of the log that can be streamed
	SegmentSize pg.SegmentSize
}

// Conn is a replication connection. It belongs to one goroutine.
type Conn struct {
	pg       *pgconn.PgConn
	server   string
	reported pg.LSN    // flushed, as the server was told last
	received pg.LSN    // end of what came
	told     time.Time // when the server was told last
}

// Connect opens a replication connection. The role needs REPLICATION, and
// pg_hba.conf a line for the database "replication".
func Connect(ctx context.Context, conninfo string) (*Conn, error) {
	config, err := pgconn.ParseConfig(conninfo)
	if err != nil {
		return nil, fmt.Errorf("connect for replication: %w", err)
	}
	config.RuntimeParams["replication"] = "true"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "forkpoint"
	}
	c, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect for replication: %w", err)
	}
	return &Conn{pg: c, server: fmt.Sprintf("server at host %s port %d", config.Host, config.Port)}, nil
}

// Close ends the connection. A stream need not be ended before.
func (c *Conn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.pg.Close(ctx) // nothing is lost if it fails
}

// Identify asks the server who it is.
func (c *Conn) Identify(ctx context.Context) (Identity, error) {
	var id Identity
	row, err := c.row(ctx, "IDENTIFY_SYSTEM", 3)
	if err != nil {
		return id, err
	}
	tli, errTLI := strconv.ParseUint(row[1], 10, 32)
	id.SystemID, err = strconv.ParseUint(row[0], 10, 64)
	if err = errors.Join(err, errTLI); err != nil {
		return id, fmt.Errorf("IDENTIFY_SYSTEM: %w", err)
	}
	id.Timeline = pg.TimelineID(tli)
	if id.Flushed, err = pg.ParseLSN(row[2]); err != nil {
		return id, fmt.Errorf("IDENTIFY_SYSTEM: %w", err)
	}
	if row, err = c.row(ctx, "SHOW wal_segment_size", 1); err != nil {
		return id, err
	}
	id.SegmentSize, err = segmentSize(row[0])
	return id, err
}

// segmentSize reads a size as servers show it, such as 16MB.
func segmentSize(text string) (pg.SegmentSize, error) {
	number, shift := text, 0
	for unit, s := range map[string]int{"kB": 10, "MB": 20, "GB": 30} {
		if n, is := strings.CutSuffix(text, unit); is {
			number, shift = n, s
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if size := pg.SegmentSize(n << shift); err == nil && n<<shift <= 1<<30 && size.Valid() {
		return size, nil
	}
	return 0, fmt.Errorf("wal_segment_size %q: want a power of two from 1MB to 1GB", text)
}

// History fetches a timeline's history file.
func (c *Conn) History(ctx context.Context, tli pg.TimelineID) ([]byte, error) {
	row, err := c.row(ctx, fmt.Sprintf("TIMELINE_HISTORY %d", tli), 2)
	if err != nil {
		return nil, err
	}
	return []byte(row[1]), nil
}

// SlotPosition asks from where on a physical replication slot keeps the log;
// 0 if it keeps nothing yet, or if the server is older than 15 and does not
// tell.
func (c *Conn) SlotPosition(ctx context.Context, slot string) (pg.LSN, error) {
	row, err := c.row(ctx, "READ_REPLICATION_SLOT "+quoteName(slot), 3)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == "42601": // syntax error: the command is not known
		return 0, nil
	case err != nil:
		return 0, err
	case row[0] == "":
		return 0, fmt.Errorf("replication slot %q does not exist", slot)
	case row[1] == "":
		return 0, nil
	}
	return pg.ParseLSN(row[1])
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// row runs a command that answers with one row of so many columns.
func (c *Conn) row(ctx context.Context, command string, columns int) ([]string, error) {
	results, err := c.pg.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	if len(results) == 0 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < columns {
		return nil, fmt.Errorf("%s: want one row of %d columns", command, columns)
	}
	var row []string
	for _, v := range results[0].Rows[0] {
		row = append(row, string(v))
	}
	return row, nil
}

// String names the server without what may be secret.
func (c *Conn) String() string { return c.server }
