//go:build !linux

package source

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// setUserTimeout does nothing: the option is Linux's own.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }

func checkPeer(net.Conn, string) error {
	return errors.New("requirepeer is not supported on this system")
}
