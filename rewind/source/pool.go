package source

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pool keeps the sessions that are not in use. More are opened as they are
// needed, unless the server said that it has no room for more.
type pool struct {
	mu      sync.Mutex
	idle    []*session
	open    int           // sessions there are, idle or in use
	most    int           // 0 for as many as are wanted
	changed chan struct{} // closed when a session was given back or lost
	ending  []chan struct{}
}

// acquire takes an idle session or opens one.
func (s *Server) acquire(ctx context.Context) (*session, error) {
	patience := time.NewTimer(max(s.opts.RetryFor, time.Second))
	defer patience.Stop()
	for {
		sess, wait := s.pool.take()
		if sess != nil {
			return sess, nil
		}
		if wait == nil {
			sess, err := s.openChecked(ctx)
			if err == nil {
				return sess, nil
			}
			if wait = s.pool.failed(hasCode(err, codeTooMany)); wait == nil {
				return nil, err
			}
			s.opts.Log.Warn("the source takes no more connections; going on with fewer")
		}
		select {
		case <-wait:
		case <-patience.C:
			return nil, ErrBusy
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ErrBusy is what a request gets that waits for others in vain.
var ErrBusy = errors.New("all connections that the source takes are in use")

// take gives an idle session; or nil and a channel to wait on; or twice nil
// where one may be opened.
func (p *pool) take() (*session, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		sess := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return sess, nil
	}
	if p.most > 0 && p.open >= p.most {
		return nil, p.changed
	}
	p.open++
	return nil, nil
}

// failed notes that a session could not be opened. If the server is full and
// there are other sessions, it gives a channel to wait on for one of them.
func (p *pool) failed(full bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if !full || p.open == 0 {
		p.signal()
		return nil
	}
	p.most = p.open
	return p.changed
}

// signal wakes those who wait. The lock is held.
func (p *pool) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// release gives a session back, or ends it after an error that leaves it
// unusable.
func (s *Server) release(sess *session) {
	s.pool.mu.Lock()
	keep := !sess.conn.IsClosed() && !sess.conn.IsBusy() && len(s.pool.idle) <= s.opts.Jobs
	if keep {
		s.pool.idle = append(s.pool.idle, sess)
	} else {
		s.pool.open--
		if s.pool.open == 0 {
			s.pool.most = 0
		}
	}
	s.pool.signal()
	s.pool.mu.Unlock()
	if !keep {
		s.discard(sess)
	}
}

// discard ends a session. What the driver still does about an interrupted
// request, [Server.Close] waits for.
func (s *Server) discard(sess *session) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	sess.conn.Close(ctx) // a connection that cannot be closed well is given up
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	still := s.pool.ending[:0]
	for _, done := range append(s.pool.ending, sess.conn.CleanupDone()) {
		select {
		case <-done:
		default:
			still = append(still, done)
		}
	}
	s.pool.ending = still
}

// Close ends all connections. Interrupted requests get a second for being
// cancelled at the server.
func (s *Server) Close() error {
	s.pool.mu.Lock()
	idle := s.pool.idle
	s.pool.idle, s.pool.open = nil, s.pool.open-len(idle)
	s.pool.mu.Unlock()
	for _, sess := range idle {
		s.discard(sess)
	}
	s.pool.mu.Lock()
	ending := s.pool.ending
	s.pool.mu.Unlock()
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	for _, done := range ending {
		select {
		case <-done:
		case <-grace.C:
			s.dialer.close()
			<-done
		}
	}
	s.dialer.close()
	return nil
}
