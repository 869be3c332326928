package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// session is one connection that is set up and known to reach the right
// server.
type session struct {
	conn  *pgconn.PgConn
	major int
	host  host
}

// sessionSettings make a session one that only reads, waits for nobody, is
// not cut off by a limit that was meant for others, and finds in its path only
// what the server itself has. They are single SET commands because those work
// whatever the role's settings are: a query would fail on a standby where the
// default isolation is serializable.
//
// Text comes in the encoding of the database, for with SQL_ASCII the server
// converts nothing. So a file name that is not valid in it passes.
func sessionSettings(major int) string {
	list := []string{
		"search_path TO pg_catalog",
		"default_transaction_isolation TO 'read committed'",
		"default_transaction_deferrable TO off",
		"default_transaction_read_only TO on",
		"statement_timeout TO 0",
		"lock_timeout TO 0",
		"idle_in_transaction_session_timeout TO 0",
		"synchronous_commit TO off",
		"max_parallel_workers_per_gather TO 0",
		"jit TO off",
		"client_encoding TO SQL_ASCII",
	}
	if major >= 14 {
		list = append(list, "idle_session_timeout TO 0")
	}
	if major >= 17 {
		list = append(list, "transaction_timeout TO 0")
	}
	return "SET " + strings.Join(list, "; SET ")
}

// openSession connects to the first of the hosts that will have it.
func (s *Server) openSession(ctx context.Context, hosts []host) (*session, error) {
	attrs := []string{s.connection.set["target_session_attrs"]}
	if attrs[0] == "prefer-standby" {
		attrs = []string{"standby", "any"}
	}
	failures := &connectError{several: len(hosts) > 1}
	for _, attr := range attrs {
		for _, h := range hosts {
			sess, err := s.openHost(ctx, h, attr)
			if err == nil {
				return sess, nil
			}
			if context.Cause(ctx) != nil {
				return nil, context.Cause(ctx)
			}
			failures.add(h, err)
			if e, said := serverError(err); said && e.Code != codeNotReady {
				return nil, failures // libpq stops here too
			}
		}
	}
	return nil, failures
}

// connectError is why none of the hosts would have a session.
type connectError struct {
	several bool
	text    []string
	errs    []error
}

func (e *connectError) Error() string { return strings.Join(e.text, "; ") }

func (e *connectError) Unwrap() []error { return e.errs }

// add notes a failure. What the driver says around the causes is dropped, the
// user and the address, and what it says twice: it tries with TLS and without.
func (e *connectError) add(h host, err error) {
	driver := (*pgconn.ConnectError)(nil)
	if errors.As(err, &driver) {
		err = driver.Unwrap()
	}
	for _, cause := range causes(err) {
		var lookup *net.DNSError
		switch said, is := serverError(cause); {
		case is:
			cause = plainError(said)
		case errors.As(cause, &lookup):
			cause = lookup
		case driver != nil && errors.Unwrap(cause) != nil:
			cause = errors.Unwrap(cause)
		}
		text := cause.Error()
		if e.several {
			text = h.String() + ": " + text
		}
		if !slices.Contains(e.text, text) {
			e.text = append(e.text, text)
		}
		e.errs = append(e.errs, cause)
	}
}

// openHost connects to one host and sets the session up.
func (s *Server) openHost(ctx context.Context, h host, attr string) (*session, error) {
	config, err := s.connection.config(h, attr)
	if err != nil {
		return nil, err
	}
	config.DialFunc = s.dialer.dial
	if strings.HasPrefix(h.name, "@") && h.addr == "" {
		config.DialFunc = s.dialer.abstract(h)
		config.LookupFunc = lookUpAs("localhost")
	} else if h.addr != "" {
		config.LookupFunc = lookUpAs(h.addr)
	}
	if s.connectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.connectTimeout)
		defer cancel()
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	sess := &session{conn: conn, host: h}
	sess.major, err = majorOf(conn.ParameterStatus("server_version"))
	if err == nil {
		err = conn.Exec(ctx, sessionSettings(sess.major)).Close()
	}
	if err != nil {
		s.discard(sess)
		return nil, err
	}
	return sess, nil
}

func lookUpAs(addr string) pgconn.LookupFunc {
	return func(context.Context, string) ([]string, error) { return []string{addr}, nil }
}

// majorOf reads the major version from "15.20 (Debian 15.20-1)", "18beta2" or
// "19devel".
func majorOf(version string) (int, error) {
	end := strings.IndexFunc(version, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(version)
	}
	major, err := strconv.Atoi(version[:end])
	if err != nil {
		return 0, fmt.Errorf("server version %q is not a number", version)
	}
	return major, nil
}

// causes takes a joined error apart.
func causes(err error) []error {
	joined, is := err.(interface{ Unwrap() []error })
	if !is {
		joined, is = errors.Unwrap(err).(interface{ Unwrap() []error })
	}
	if !is {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, causes(e)...)
	}
	return all
}
