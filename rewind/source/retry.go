package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// request is one thing to do over a connection. It is repeated from where it
// stopped if the connection breaks; progressed tells whether it got anywhere.
type request func(ctx context.Context, sess *session) (progressed bool, err error)

// do runs a request over a connection of its own.
func (s *Server) do(ctx context.Context, op string, r request) error {
	return s.within(ctx, func() string { return op }, s.opts.RetryFor, r)
}

const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// within repeats a request after transient failures, with growing pauses, until
// patience has passed since it last got anywhere.
func (s *Server) within(ctx context.Context, op func() string, patience time.Duration, r request) error {
	if !s.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, s.deadline, fmt.Errorf("%w: %s", ErrTimeLimit, s.opts.Timeout))
		defer cancel()
	}
	var failing time.Time // since when
	wait := firstPause
	for {
		progressed, err := s.attempt(ctx, r)
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			if errors.Is(cause, ErrTimeLimit) {
				return &TransientError{s.String(), op(), cause}
			}
			return fmt.Errorf("%s (%s): %w", op(), s, cause)
		}
		if !transient(err) {
			return s.explain(op(), err)
		}
		if progressed || failing.IsZero() {
			failing, wait = time.Now(), firstPause
		}
		if time.Since(failing)+wait > patience {
			return &TransientError{s.String(), op(), plainError(err)}
		}
		s.opts.Log.Warn("lost the source, trying again", "op", op(), "err", plainError(err), "in", wait)
		if err := pause(ctx, wait/2+rand.N(wait/2+1)); err != nil {
			continue // the next attempt reports it
		}
		wait = min(2*wait, longPause)
	}
}

func (s *Server) attempt(ctx context.Context, r request) (progressed bool, err error) {
	sess, err := s.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer s.release(sess)
	return r(ctx, sess)
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// explain says what was being done. Errors that have their own words for it
// are left alone.
func (s *Server) explain(op string, err error) error {
	for _, own := range []error{ErrOtherServer, ErrUnsafePath, ErrConninfo} {
		if errors.Is(err, own) {
			return err
		}
	}
	if grants := (*GrantError)(nil); errors.As(err, &grants) {
		return err
	}
	return fmt.Errorf("%s (%s): %w", op, s, plainError(err))
}

// saidError is what a server said, in one line.
type saidError struct{ err *pgconn.PgError }

func (e *saidError) Error() string {
	text := e.err.Message
	if e.err.Detail != "" {
		text += ": " + e.err.Detail
	}
	if !utf8.ValidString(text) { // it comes in the encoding of the database
		text = strings.ToValidUTF8(text, "?")
	}
	return text
}

func (e *saidError) Unwrap() error { return e.err }

// plainError prints what a server said without the frame that the driver puts
// around it.
func plainError(err error) error {
	if said, is := err.(*pgconn.PgError); is {
		return &saidError{said}
	}
	return err
}
