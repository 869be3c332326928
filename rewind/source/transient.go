package source

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// transientCodes are the SQLSTATE classes and codes that another try can
// cure (src/backend/utils/errcodes.txt).
var transientCodes = []string{
	"08",    // connection exceptions
	"40",    // a standby's recovery conflicts, serialization
	"53000", // insufficient resources
	"53200", // out of memory
	"53300", // too many connections
	"25P03", // idle_in_transaction_session_timeout
	"25P04", // transaction_timeout
	"57014", // cancelled by somebody
	"57P01", // the server shuts down
	"57P02", // another process crashed
	"57P03", // starting up or shutting down
	"57P05", // idle_session_timeout
}

// transient tells whether the same request can succeed at another time. Where
// several servers were tried, one that may come is enough.
func transient(err error) bool {
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, e := range joined.Unwrap() {
			if transient(e) {
				return true
			}
		}
		return false
	}
	switch e := err.(type) {
	case nil:
		return false
	case *pgconn.PgError:
		for _, code := range transientCodes {
			if strings.HasPrefix(e.Code, code) {
				return true
			}
		}
		return false
	case *idleError:
		return true
	case *net.DNSError:
		return e.IsTemporary || e.IsTimeout
	case syscall.Errno:
		switch e {
		case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
			syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENETRESET, syscall.EAGAIN:
			return true
		case syscall.ENOENT: // the socket of a server that is not there
			return true
		}
		return false
	}
	for _, is := range []error{
		ErrBusy, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, context.DeadlineExceeded,
		pgconn.ErrReadOnlyConnection, pgconn.ErrReadWriteConnection, pgconn.ErrPrimaryConnection, pgconn.ErrStandbyConnection,
	} {
		if err == is {
			return true
		}
	}
	return transient(errors.Unwrap(err))
}

// hasCode tells whether the server gave that SQLSTATE.
func hasCode(err error, code string) bool {
	e, is := serverError(err)
	return is && e.Code == code
}

const (
	codeTooMany       = "53300"
	codeNotReady      = "57P03"
	codeNoPermission  = "42501"
	codeUndefinedFile = "58P01"
)
