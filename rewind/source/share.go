package source

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"golang.org/x/sync/errgroup"
)

// One query asks for at most so much. Its rows are streamed, so more would
// cost no memory, but where a file turns out longer than foreseen the rest of
// the answer is in vain.
const (
	batchParts = 1024
	batchBytes = 64 << 20
)

// transfer is what differs between fetching and hashing.
type transfer struct {
	sql        string
	oddColumns string // with the path expression to be filled in
	columns    int
	take       func(path string, p part, r *row, settle func(outcome) result) error
	gone       func(path string, p part) error

	mu sync.Mutex // held while the caller's functions run
}

// callerError is an error of the caller's own function, which must not be
// taken for one of the connection.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }

func own(err error) error {
	if err == nil {
		return nil
	}
	return &callerError{err}
}

// share hands the groups out to connections, opening one only where the others
// are busy.
func (s *Server) share(ctx context.Context, all iter.Seq2[[]fileTask, error], t *transfer) error {
	workers, ctx := errgroup.WithContext(ctx)
	work := make(chan []fileTask)
	started := 0
	var stop error
	t.mu.Lock()
	for group, err := range all {
		t.mu.Unlock()
		if stop = err; stop != nil {
			t.mu.Lock()
			break
		}
		select {
		case work <- group:
		default:
			if started < s.opts.Jobs {
				started++
				workers.Go(func() error { return s.work(ctx, work, t) })
			}
			select {
			case work <- group:
			case <-ctx.Done():
				stop = context.Cause(ctx)
			}
		}
		t.mu.Lock()
		if stop != nil {
			break
		}
	}
	t.mu.Unlock()
	close(work)
	err := workers.Wait()
	if err == nil {
		err = stop
	}
	if own := (*callerError)(nil); errors.As(err, &own) {
		return own.err
	}
	return err
}

// work reads the groups that come, each over one connection.
func (s *Server) work(ctx context.Context, work <-chan []fileTask, t *transfer) error {
	for group := range work {
		c := cursor{group: group}
		if !c.skipEmpty() {
			continue
		}
		op := func() string { return "read " + group[min(c.task, len(group)-1)].path }
		err := s.within(ctx, op, s.opts.RetryFor, func(ctx context.Context, sess *session) (progressed bool, err error) {
			for err == nil && c.skipEmpty() {
				var moved bool
				moved, err = s.batch(ctx, sess, &c, t)
				progressed = progressed || moved
			}
			return progressed, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// batch asks for the next parts from c on and takes them, moving c.
func (s *Server) batch(ctx context.Context, sess *session, c *cursor, t *transfer) (moved bool, err error) {
	parts, sql, params := s.plan(*c, t)
	next, outdated := 0, false
	err = sess.query(ctx, sql, params, t.columns, func(r *row) error {
		if n := r.int64(0); n != int64(next)+1 || next >= len(parts) {
			return fmt.Errorf("answer for part %d, want %d of %d", n, next+1, len(parts))
		}
		p := parts[next]
		next++
		if outdated || c.passed(p) {
			return nil
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		moved = true
		return t.take(c.group[p.task].path, p, r, func(o outcome) (res result) {
			res.missing = o.missing
			res.short, res.last, outdated = c.settle(p, o)
			return res
		})
	})
	switch {
	case err != nil || next == len(parts):
		return moved, err
	case next == 0 && s.odd(c.group[parts[0].task].path):
		t.mu.Lock()
		defer t.mu.Unlock()
		c.settle(parts[0], outcome{missing: true})
		return true, t.gone(c.group[parts[0].task].path, parts[0])
	}
	return moved, fmt.Errorf("answer ended after %d of %d parts", next, len(parts))
}

// plan makes the query for the next parts from c on. A path that cannot be a
// parameter gets a query of its own.
func (s *Server) plan(c cursor, t *transfer) (parts []part, sql string, params []param) {
	c.skipEmpty()
	first, odd := c.task, s.odd(c.group[c.task].path)
	var paths []string
	var offsets, lengths []int64
	for bytes := int64(0); len(parts) < batchParts && bytes < batchBytes; {
		ahead := c
		p, more := ahead.next()
		if !more || p.task != first && (odd || s.odd(c.group[p.task].path)) {
			break
		}
		c = ahead
		parts, bytes = append(parts, p), bytes+p.length
		paths = append(paths, c.group[p.task].path)
		offsets, lengths = append(offsets, p.offset), append(lengths, p.length)
	}
	if !odd {
		return parts, t.sql, []param{textArrayParam(paths), int8ArrayParam(offsets), int8ArrayParam(lengths)}
	}
	from, expr, params := s.oddPath(paths[0], []param{int8ArrayParam(offsets), int8ArrayParam(lengths)})
	sql = fmt.Sprintf(t.oddColumns, expr) + " FROM " + from +
		", ROWS FROM (pg_catalog.unnest($1::int8[]), pg_catalog.unnest($2::int8[])) WITH ORDINALITY AS r(off, len, n) ORDER BY r.n"
	return parts, sql, params
}
