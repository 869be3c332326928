package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// dialer opens the network connections of a source and can end them all.
type dialer struct {
	net         net.Dialer
	idle        time.Duration // see Options.IdleTimeout
	requirePeer string        // OS user that a server behind a socket must run as
	received    atomic.Int64  // bytes, over all connections

	mu     sync.Mutex
	closed bool
	open   map[*wire]struct{}
}

// What is set on connections where the connection string says nothing. Within
// about a minute a peer that is gone is noticed.
const (
	defaultKeepIdle     = 30 * time.Second
	defaultKeepInterval = 10 * time.Second
	defaultKeepCount    = 3
	defaultUserTimeout  = time.Minute
)

// newDialer reads keepalives, keepalives_idle, keepalives_interval,
// keepalives_count and tcp_user_timeout.
func newDialer(c connection, idle time.Duration) (*dialer, error) {
	keep := net.KeepAliveConfig{Enable: true, Idle: defaultKeepIdle, Interval: defaultKeepInterval, Count: defaultKeepCount}
	userTimeout := defaultUserTimeout
	for _, o := range []struct {
		keyword string
		unit    time.Duration
		to      *time.Duration
	}{
		{"keepalives_idle", time.Second, &keep.Idle},
		{"keepalives_interval", time.Second, &keep.Interval},
		{"tcp_user_timeout", time.Millisecond, &userTimeout},
	} {
		d, set, err := c.duration(o.keyword, o.unit)
		if err != nil {
			return nil, err
		}
		if set {
			*o.to = max(d, 0)
		}
	}
	count, set, err := c.duration("keepalives_count", 1)
	if err != nil {
		return nil, err
	}
	if set {
		keep.Count = max(int(count), 0)
	}
	on, set, err := c.duration("keepalives", 1)
	if err != nil {
		return nil, err
	}
	keep.Enable = !set || on != 0

	d := &dialer{idle: idle, requirePeer: c.set["requirepeer"], open: map[*wire]struct{}{}}
	d.net = net.Dialer{KeepAlive: -1, KeepAliveConfig: keep}
	d.net.ControlContext = func(_ context.Context, network, _ string, raw syscall.RawConn) error {
		if userTimeout == 0 || network == "unix" {
			return nil
		}
		return setUserTimeout(raw, userTimeout)
	}
	return d, nil
}

var errClosed = errors.New("the source is closed")

// dial is the driver's dial function.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if network == "unix" && d.requirePeer != "" {
		if err := checkPeer(conn, d.requirePeer); err != nil {
			conn.Close() // nothing was sent over it
			return nil, err
		}
	}
	w := &wire{Conn: conn, dialer: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		conn.Close() // nothing was sent over it
		return nil, errClosed
	}
	d.open[w] = struct{}{}
	return w, nil
}

// abstract dials a socket that has a name but no place among files.
func (d *dialer) abstract(h host) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.dial(ctx, "unix", h.name+"/.s.PGSQL."+h.port)
	}
}

// close ends all connections there are, and those to come.
func (d *dialer) close() {
	d.mu.Lock()
	d.closed = true
	open := d.open
	d.open = nil
	d.mu.Unlock()
	for w := range open {
		w.Conn.Close() // it is given up
	}
}

// wire is a network connection that gives up when nothing moves for a while.
type wire struct {
	net.Conn
	dialer *dialer

	mu       sync.Mutex
	deadline time.Time // as the driver set it; zero for none
}

func (w *wire) Read(b []byte) (int, error) {
	if err := w.arm(w.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	n, err := w.Conn.Read(b)
	w.dialer.received.Add(int64(n))
	return n, w.explain(err, "no answer")
}

func (w *wire) Write(b []byte) (int, error) {
	if err := w.arm(w.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(b)
	return n, w.explain(err, "nothing taken")
}

func (w *wire) SetDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	return w.Conn.SetDeadline(t)
}

func (w *wire) Close() error {
	w.dialer.mu.Lock()
	delete(w.dialer.open, w)
	w.dialer.mu.Unlock()
	return w.Conn.Close()
}

// arm sets the deadline of one call: the driver's or the idle limit, whichever
// is earlier.
func (w *wire) arm(set func(time.Time) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.deadline
	if w.dialer.idle > 0 {
		if idle := time.Now().Add(w.dialer.idle); t.IsZero() || idle.Before(t) {
			t = idle
		}
	}
	return set(t)
}

// idleError is a wait that reached the idle limit. It is no net.Error, for the
// driver takes those that are timeouts for the caller's doing.
type idleError struct {
	what  string
	limit time.Duration
}

func (e *idleError) Error() string { return fmt.Sprintf("%s from the server for %s", e.what, e.limit) }

// explain tells the idle limit from the driver's own deadline.
func (w *wire) explain(err error, what string) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline.IsZero() || time.Now().Before(w.deadline) {
		return &idleError{what, w.dialer.idle}
	}
	return err
}
