package source

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"forkpoint/walinspect/pg"
)

// Types of parameters (src/include/catalog/pg_type.dat).
const (
	byteaOID     = 17
	int8OID      = 20
	textOID      = 25
	textArrayOID = 1009
	int8ArrayOID = 1016
)

// param is a parameter in the binary format.
type param struct {
	oid   uint32
	bytes []byte
}

func textParam(s string) param { return param{textOID, []byte(s)} }

func byteaParam(b string) param { return param{byteaOID, []byte(b)} }

func textArrayParam(list []string) param {
	b := arrayHeader(textOID, len(list))
	for _, s := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return param{textArrayOID, b}
}

func int8ArrayParam(list []int64) param {
	b := arrayHeader(int8OID, len(list))
	for _, n := range list {
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return param{int8ArrayOID, b}
}

// arrayHeader begins a one-dimensional array without NULLs (array_send in
// src/backend/utils/adt/arrayfuncs.c).
func arrayHeader(element uint32, n int) []byte {
	var b []byte
	for _, word := range []uint32{1, 0, element, uint32(n), 1} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

// query runs one statement and hands its rows to each. An error of each ends
// the connection, for the rest of the rows is not worth waiting for.
func (s *session) query(ctx context.Context, sql string, params []param, columns int, each func(*row) error) error {
	values, oids := make([][]byte, len(params)), make([]uint32, len(params))
	for i, p := range params {
		values[i], oids[i] = p.bytes, p.oid
	}
	binaryFormat := []int16{1}
	if len(params) == 0 {
		values, oids = nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := s.conn.ExecParams(ctx, sql, values, oids, binaryFormat, binaryFormat)
	for r := (row{}); result.NextRow(); {
		r.cells = result.Values()
		err := fmt.Errorf("row of %d columns, want %d", len(r.cells), columns)
		if len(r.cells) == columns {
			if err = each(&r); r.err != nil {
				err = r.err
			}
		}
		if err != nil {
			cancel() // makes the driver cancel the rest at the server
			result.Close()
			return err
		}
	}
	_, err := result.Close()
	return err
}

// row gives the cells of a row, which are in the binary format. A NULL where
// none is expected, or a cell of another size than its type has, is kept as an
// error and ends the query.
type row struct {
	cells [][]byte
	err   error
}

func (r *row) null(i int) bool { return r.cells[i] == nil }

func (r *row) cell(i, size int) []byte {
	switch {
	case r.cells[i] == nil:
		r.fail(i, "is NULL")
	case size >= 0 && len(r.cells[i]) != size:
		r.fail(i, fmt.Sprintf("has %d bytes, want %d", len(r.cells[i]), size))
	default:
		return r.cells[i]
	}
	return make([]byte, max(size, 0))
}

func (r *row) fail(i int, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("column %d of the answer %s", i+1, what)
	}
}

func (r *row) bytes(i int) []byte { return r.cell(i, -1) } // valid until the next row

func (r *row) text(i int) string { return string(r.cell(i, -1)) }

func (r *row) bool(i int) bool { return r.cell(i, 1)[0] != 0 }

func (r *row) int64(i int) int64 { return int64(binary.BigEndian.Uint64(r.cell(i, 8))) }

func (r *row) lsn(i int) pg.LSN { return pg.LSN(r.int64(i)) }

// time reads a timestamp: microseconds since the year 2000.
func (r *row) time(i int) time.Time {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.int64(i)) * time.Microsecond)
}

// serverError is the server's part of an error, if it has one.
func serverError(err error) (*pgconn.PgError, bool) {
	for err != nil {
		if e, is := err.(*pgconn.PgError); is {
			return e, true
		}
		switch wrapped := err.(type) {
		case interface{ Unwrap() error }:
			err = wrapped.Unwrap()
		case interface{ Unwrap() []error }:
			for _, e := range wrapped.Unwrap() {
				if found, is := serverError(e); is {
					return found, true
				}
			}
			return nil, false
		default:
			return nil, false
		}
	}
	return nil, false
}
