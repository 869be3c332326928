package source

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout limits how long sent data may stay unacknowledged.
func setUserTimeout(raw syscall.RawConn, d time.Duration) error {
	var err error
	ctl := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
	return errors.Join(ctl, err)
}

// checkPeer verifies the OS user of the process behind a socket.
func checkPeer(conn net.Conn, want string) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	ctl := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(ctl, err); err != nil {
		return fmt.Errorf("look up the server's OS user: %w", err)
	}
	account, err := user.LookupId(strconv.FormatUint(uint64(cred.Uid), 10))
	if err != nil {
		return fmt.Errorf("look up the server's OS user: %w", err)
	}
	if account.Username != want {
		return fmt.Errorf("requirepeer specifies %q, but the server runs as %q", want, account.Username)
	}
	return nil
}
