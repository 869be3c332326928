package source

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// partsFrom gives the parts to read as r, in order.
const partsFrom = `ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::int8[]))
  WITH ORDINALITY AS r(path, off, len, n)`

const (
	fetchQuery = `SELECT r.n, pg_catalog.pg_read_binary_file(r.path, r.off, r.len, true) FROM ` + partsFrom

	// OFFSET 0 keeps the file from being read once for each use of it.
	hashQuery = `SELECT r.n, pg_catalog.octet_length(d.data)::int8, pg_catalog.sha256(d.data) FROM ` + partsFrom + `,
  LATERAL (SELECT pg_catalog.pg_read_binary_file(r.path, r.off, r.len, true) AS data OFFSET 0) AS d`
)

func (s *Server) Fetch(ctx context.Context, ranges iter.Seq[Range], deliver func(Chunk) error) error {
	return s.share(ctx, groups(ranges, true), &transfer{
		sql: fetchQuery, oddColumns: "SELECT r.n, pg_catalog.pg_read_binary_file(%s, r.off, r.len, true)", columns: 2,
		take: func(path string, p part, r *row, settle func(outcome) result) error {
			var data []byte
			if !r.null(1) {
				data = r.bytes(1)
			}
			if int64(len(data)) > p.length {
				return fmt.Errorf("read %s: asked for %d bytes at %d, got %d", path, p.length, p.offset, len(data))
			}
			if err := s.throttle(ctx, len(data)); err != nil {
				return err
			}
			res := settle(outcome{int64(len(data)), r.null(1)})
			return own(deliver(Chunk{Path: path, Offset: p.offset, Data: data, Missing: res.missing, Short: res.short, Last: res.last}))
		},
		gone: func(path string, p part) error {
			return own(deliver(Chunk{Path: path, Offset: p.offset, Missing: true, Last: true}))
		},
	})
}

func (s *Server) Hash(ctx context.Context, ranges iter.Seq[Range], deliver func(Digest) error) error {
	return s.share(ctx, groups(ranges, false), &transfer{
		sql: hashQuery, columns: 3,
		oddColumns: `SELECT r.n, pg_catalog.octet_length(pg_catalog.pg_read_binary_file(%[1]s, r.off, r.len, true))::int8,
  pg_catalog.sha256(pg_catalog.pg_read_binary_file(%[1]s, r.off, r.len, true))`,
		take: func(path string, p part, r *row, settle func(outcome) result) error {
			d := Digest{Path: path, Offset: p.offset}
			if !r.null(1) {
				d.Length = r.int64(1)
				copy(d.Sum[:], r.cell(2, len(d.Sum)))
			}
			if d.Length < 0 || d.Length > p.length {
				return fmt.Errorf("hash %s: asked for %d bytes at %d, got %d", path, p.length, p.offset, d.Length)
			}
			res := settle(outcome{d.Length, r.null(1)})
			d.Missing, d.Short, d.Last = res.missing, res.short, res.last
			return own(deliver(d))
		},
		gone: func(path string, p part) error {
			return own(deliver(Digest{Path: path, Offset: p.offset, Missing: true, Last: true}))
		},
	})
}

func (s *Server) Hashes(ctx context.Context, path string, size int64) ([]Digest, error) {
	return collectHashes(ctx, s, path, size)
}

// throttle waits until so many bytes more may be read, or ctx is done. The
// limiter's own wait would give up at once where a deadline comes before.
func (s *Server) throttle(ctx context.Context, n int) error {
	if s.rate == nil || n == 0 {
		return nil
	}
	return pause(ctx, s.rate.ReserveN(time.Now(), n).Delay())
}
