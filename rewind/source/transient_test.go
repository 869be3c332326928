package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestTransient(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
	}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"refused", dial(syscall.ECONNREFUSED), true},
		{"reset", fmt.Errorf("wrapped: %w", dial(syscall.ECONNRESET)), true},
		{"no socket", dial(syscall.ENOENT), true},
		{"socket of others", dial(syscall.EACCES), false},
		{"end of stream", io.ErrUnexpectedEOF, true},
		{"idle", fmt.Errorf("read: %w", &idleError{"no answer", 1}), true},
		{"connect timeout", context.DeadlineExceeded, true},
		{"no such host", &net.DNSError{IsNotFound: true}, false},
		{"name server down", &net.DNSError{IsTemporary: true}, true},
		{"starting up", &pgconn.PgError{Code: "57P03"}, true},
		{"full", &pgconn.PgError{Code: "53300"}, true},
		{"shut down", &pgconn.PgError{Code: "57P01"}, true},
		{"recovery conflict", &pgconn.PgError{Code: "40001"}, true},
		{"wrong password", &pgconn.PgError{Code: "28P01"}, false},
		{"no privilege", &pgconn.PgError{Code: "42501"}, false},
		{"disk full", &pgconn.PgError{Code: "53100"}, false},
		{"damaged file", &pgconn.PgError{Code: "58030"}, false},
		{"one of two servers may come", &connectError{errs: []error{errors.New("x"), dial(syscall.ECONNREFUSED)}}, true},
		{"none of two", &connectError{errs: []error{errors.New("x"), &pgconn.PgError{Code: "28P01"}}}, false},
		{"only a standby", fmt.Errorf("validate: %w", pgconn.ErrReadOnlyConnection), true},
		{"the caller's", own(io.EOF), false},
		{"another server", &OtherServerError{}, false},
		{"closed", errClosed, false},
	} {
		if got := transient(tt.err); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

func TestMajorOf(t *testing.T) {
	for in, want := range map[string]int{"15.20 (Debian 15.20-1)": 15, "18beta2": 18, "19devel": 19, "13": 13, "": 0, "devel": 0} {
		if got, err := majorOf(in); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
}
