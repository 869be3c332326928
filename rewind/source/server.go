package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// Server is a live server as a source.
type Server struct {
	opts           Options
	connection     connection
	hosts          []host
	connectTimeout time.Duration
	deadline       time.Time // zero for none
	dialer         *dialer
	pool           pool
	rate           *rate.Limiter // nil for no limit

	versionDir string // see datadir.Dir.VersionDir
	major      int
	encoding   string // of the database

	mu       sync.Mutex
	identity identity // of the server that was reached last
}

var _ Source = (*Server)(nil)

// Connect opens a session on a live server. The connection string is libpq's,
// keywords or a URI, and what it leaves out comes from the service file, the
// environment and the password file as libpq would have it. Options that ask
// for protection which cannot be given are refused; load_balance_hosts and the
// options for encryption by GSSAPI are not followed.
//
// A role that lacks the functions a rewind needs gets a [GrantError].
func Connect(ctx context.Context, conninfo string, opts Options) (*Server, error) {
	s, err := newServer(conninfo, opts)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.Close() // whatever was opened is not used
		return nil, err
	}
	return s, nil
}

// Name is what a server is called in messages, of a connection string that may
// have a password.
func Name(conninfo string) string {
	s, err := newServer(conninfo, Options{})
	if err != nil {
		return "a server"
	}
	return s.String()
}

// newServer reads the connection string and connects to nothing yet.
func newServer(conninfo string, opts Options) (*Server, error) {
	c, err := resolveConninfo(conninfo)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts.withDefaults(), connection: c, pool: pool{changed: make(chan struct{})}}
	if c.set["fallback_application_name"] == "" {
		c.set["fallback_application_name"] = s.opts.ApplicationName
	}
	if s.hosts, err = c.hosts(); err != nil {
		return nil, err
	}
	if s.dialer, err = newDialer(c, s.opts.IdleTimeout); err != nil {
		return nil, err
	}
	timeout, set, err := c.duration("connect_timeout", time.Second)
	if err != nil {
		return nil, err
	}
	if s.connectTimeout = s.opts.ConnectTimeout; set {
		s.connectTimeout = max(timeout, 0)
	}
	if problem := c.passfileProblem(); problem != "" {
		s.opts.Log.Warn("password file is not used: "+problem, "path", c.set["passfile"])
	}
	if s.opts.Timeout > 0 {
		s.deadline = time.Now().Add(s.opts.Timeout)
	}
	if s.opts.Rate > 0 {
		s.rate = rate.NewLimiter(rate.Limit(s.opts.Rate), 2*PartSize)
	}
	return s, nil
}

// open makes the first connection and notes what server it reached.
func (s *Server) open(ctx context.Context) error {
	connect := func() string { return "connect" }
	return s.within(ctx, connect, s.opts.WaitReady, func(ctx context.Context, sess *session) (bool, error) {
		var raw []byte
		control, err := s.control(ctx, sess, &raw)
		if err != nil {
			return false, err
		}
		if control.Major != sess.major {
			return false, fmt.Errorf("control file is of version %d, but the server of version %d", control.Major, sess.major)
		}
		s.major, s.versionDir = control.Major, control.VersionDir()
		s.encoding = sess.conn.ParameterStatus("server_encoding")
		return false, nil
	})
}

// Kind is [Live].
func (s *Server) Kind() Kind { return Live }

func (s *Server) String() string {
	text := "server at "
	for i, h := range s.hosts {
		if i > 0 {
			text += ", "
		}
		text += h.String()
	}
	return text
}

// BytesRead counts everything that came over the network, also protocol and
// listings, after encryption.
func (s *Server) BytesRead() int64 { return s.dialer.received.Load() }

// Major is the server's version.
func (s *Server) Major() int { return s.major }

// RecoveryConninfo is the primary_conninfo for a standby of this server, as
// pg_rewind writes it with --write-recovery-conf: the options that were in
// effect, also those that come from the environment. A password is in it if
// one was given other than by a password file. See [QuoteSetting].
func (s *Server) RecoveryConninfo() string { return s.connection.recoveryConninfo(s.major) }

// Control reads the control file until its checksum holds. The server may be
// writing it, and a read is not atomic against that.
func (s *Server) Control(ctx context.Context) (raw []byte, c *pgcontrol.Control, err error) {
	err = s.do(ctx, "read control file", func(ctx context.Context, sess *session) (bool, error) {
		c, err = s.control(ctx, sess, &raw)
		return false, err
	})
	return raw, c, err
}

const (
	controlTries = 20
	controlPause = 20 * time.Millisecond
)

// readFileQuery looks first, because reading a file that is not there leaves an
// error in the server's log.
const readFileQuery = `SELECT CASE WHEN (pg_catalog.pg_stat_file($1, true)).size IS NOT NULL
  THEN pg_catalog.pg_read_binary_file($1) END`

func (s *Server) control(ctx context.Context, sess *session, raw *[]byte) (*pgcontrol.Control, error) {
	for try := 1; ; try++ {
		if err := sess.readFile(ctx, "global/pg_control", raw); err != nil {
			return nil, err
		}
		c, err := pgcontrol.Decode(*raw)
		torn := errors.Is(err, pgcontrol.ErrTorn) || len(*raw) < pgcontrol.Size
		if err == nil || !torn || try == controlTries {
			return c, err
		}
		if err := pause(ctx, controlPause); err != nil {
			return nil, err
		}
	}
}

// readFile reads a whole file; the error matches fs.ErrNotExist where there is
// none.
func (sess *session) readFile(ctx context.Context, path string, to *[]byte) error {
	missing := false
	err := sess.query(ctx, readFileQuery, []param{textParam(path)}, 1, func(r *row) error {
		if missing = r.null(0); !missing {
			*to = append([]byte{}, r.bytes(0)...)
		}
		return nil
	})
	if missing || hasCode(err, codeUndefinedFile) {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return err
}

func (s *Server) History(ctx context.Context, tli pg.TimelineID) ([]byte, error) {
	return s.ReadFile(ctx, "pg_wal/"+tli.HistoryName())
}

func (s *Server) ReadFile(ctx context.Context, path string) (data []byte, err error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	err = s.do(ctx, "read "+path, func(ctx context.Context, sess *session) (bool, error) {
		if s.odd(path) {
			return false, s.readOdd(ctx, sess, path, &data)
		}
		return false, sess.readFile(ctx, path, &data)
	})
	return data, err
}
