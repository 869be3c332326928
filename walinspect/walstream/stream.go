package walstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"forkpoint/walinspect/pg"
)

// statusEvery is how often the server is told that somebody is there. It gives
// up after wal_sender_timeout, a minute unless set otherwise.
const statusEvery = 10 * time.Second

// Piece is what came from the server.
type Piece struct {
	At   pg.LSN
	Data []byte // valid until the next call; empty where nothing came in time
	// End is set when the timeline has ended: the log goes on under its number,
	// from a position in the segment that begins the next timeline.
	End *Switch
	// Asked: the server wants to know the position now. One that shuts down waits
	// for an answer that confirms all that it sent.
	Asked bool
}

// Switch says where a timeline ends.
type Switch struct {
	Next pg.TimelineID
	At   pg.LSN
}

// ErrRemoved is matched by the error of Start or Receive where the server does
// not have the log any more: it may find out only when it comes to send it.
var ErrRemoved = errors.New("the server has removed this WAL")

// ErrSlot is matched by the error of Start where the replication slot cannot be
// used any more: from 18 on an invalidated one, before that none.
var ErrSlot = errors.New("the server refuses the replication slot")

// Start asks for the log of a timeline from a position on. slot may be empty.
// The switch is set where the timeline ends there already.
func (c *Conn) Start(ctx context.Context, slot string, tli pg.TimelineID, from pg.LSN) (*Switch, error) {
	command := "START_REPLICATION "
	if slot != "" {
		command += "SLOT " + quoteName(slot) + " "
	}
	command += fmt.Sprintf("PHYSICAL %s TIMELINE %d", from, tli)
	c.pg.Frontend().SendQuery(&pgproto3.Query{String: command})
	if err := c.pg.Frontend().Flush(); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	var end *Switch
	for {
		m, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		switch m := m.(type) {
		case *pgproto3.CopyBothResponse:
			c.received, c.reported, c.told = from, 0, time.Now()
			return nil, nil
		case *pgproto3.DataRow:
			if end, err = switchOf(m); err != nil {
				return nil, fmt.Errorf("%s: %w", command, err)
			}
		case *pgproto3.ErrorResponse:
			return nil, serverError(command, m)
		case *pgproto3.ReadyForQuery:
			if end == nil {
				err = fmt.Errorf("%s: the server did not begin to stream", command)
			}
			return end, err
		}
	}
}

// Receive waits for the next piece, at most for a time.
func (c *Conn) Receive(ctx context.Context, wait time.Duration) (Piece, error) {
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if time.Since(c.told) >= statusEvery {
			if err := c.Confirm(c.reported); err != nil {
				return Piece{}, err
			}
		}
		m, err := c.pg.ReceiveMessage(limit)
		switch {
		case ctx.Err() != nil:
			return Piece{}, context.Cause(ctx)
		case err != nil && pgconn.Timeout(err):
			return Piece{}, nil
		case err != nil:
			return Piece{}, fmt.Errorf("receive WAL at %s: %w", c.received, err)
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			piece, err := c.data(m.Data)
			if err != nil || len(piece.Data) > 0 || piece.Asked {
				return piece, err
			}
		case *pgproto3.CopyDone:
			return c.ended(ctx)
		case *pgproto3.ErrorResponse:
			return Piece{}, serverError(fmt.Sprintf("receive WAL at %s", c.received), m)
		case *pgproto3.CommandComplete:
			return Piece{}, fmt.Errorf("receive WAL at %s: the server ended the stream, it is shutting down", c.received)
		}
	}
}

// serverError is what the server said to what it was asked to do.
func serverError(what string, m *pgproto3.ErrorResponse) error {
	err := fmt.Errorf("%s: %w", what, pgconn.ErrorResponseToPgError(m))
	switch m.Code {
	case "58P01": // undefined file
		return fmt.Errorf("%w: %w", ErrRemoved, err)
	case "55000": // object not in prerequisite state
		return fmt.Errorf("%w: %w", ErrSlot, err)
	}
	return err
}

// data takes a message apart: log ('w': start, end and time of the server, 8
// bytes each, then the bytes) or a question ('k': end, time, and 1 where an
// answer is wanted).
func (c *Conn) data(b []byte) (Piece, error) {
	switch {
	case len(b) > 25 && b[0] == 'w':
		at := pg.LSN(binary.BigEndian.Uint64(b[1:]))
		if at != c.received {
			return Piece{}, fmt.Errorf("receive WAL at %s: the server sent %s", c.received, at)
		}
		c.received += pg.LSN(len(b) - 25)
		return Piece{At: at, Data: b[25:]}, nil
	case len(b) >= 18 && b[0] == 'k':
		return Piece{At: c.received, Asked: b[17] != 0}, nil
	}
	return Piece{}, fmt.Errorf("receive WAL at %s: a message of %d bytes that is not known", c.received, len(b))
}

// Confirm tells the server what has been received and up to where it is safe:
// a replication slot keeps the log from there on.
func (c *Conn) Confirm(flushed pg.LSN) error {
	const sinceEpoch = 946684800 * time.Second // of PostgreSQL, 2000-01-01
	b := append(make([]byte, 0, 34), 'r')
	b = binary.BigEndian.AppendUint64(b, uint64(c.received))
	b = binary.BigEndian.AppendUint64(b, uint64(flushed))
	b = binary.BigEndian.AppendUint64(b, 0) // nothing is applied
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixMicro()-sinceEpoch.Microseconds()))
	b = append(b, 0) // no answer wanted
	c.pg.Frontend().Send(&pgproto3.CopyData{Data: b})
	if err := c.pg.Frontend().Flush(); err != nil {
		return fmt.Errorf("tell the server the position %s: %w", flushed, err)
	}
	c.reported, c.told = flushed, time.Now()
	return nil
}

// ended agrees to the end of the stream and reads where the log goes on.
func (c *Conn) ended(ctx context.Context) (Piece, error) {
	c.pg.Frontend().Send(&pgproto3.CopyDone{})
	if err := c.pg.Frontend().Flush(); err != nil {
		return Piece{}, fmt.Errorf("end the stream: %w", err)
	}
	var end *Switch
	for {
		m, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return Piece{}, fmt.Errorf("end the stream: %w", err)
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			if end, err = switchOf(m); err != nil {
				return Piece{}, err
			}
		case *pgproto3.ErrorResponse:
			return Piece{}, fmt.Errorf("end the stream: %w", pgconn.ErrorResponseToPgError(m))
		case *pgproto3.ReadyForQuery:
			if end == nil {
				return Piece{}, fmt.Errorf("the server ended the stream at %s without a next timeline", c.received)
			}
			return Piece{At: c.received, End: end}, nil
		}
	}
}

// switchOf reads the row that ends a timeline: next timeline, and where.
func switchOf(m *pgproto3.DataRow) (*Switch, error) {
	if len(m.Values) < 2 {
		return nil, fmt.Errorf("end of the timeline: want two columns, got %d", len(m.Values))
	}
	tli, err := strconv.ParseUint(string(m.Values[0]), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("end of the timeline: %w", err)
	}
	at, err := pg.ParseLSN(string(m.Values[1]))
	if err != nil {
		return nil, fmt.Errorf("end of the timeline: %w", err)
	}
	return &Switch{pg.TimelineID(tli), at}, nil
}
