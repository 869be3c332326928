package source

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSocketOptions looks at what is set on a connection.
func TestSocketOptions(t *testing.T) {
	bare(t)
	f := newFake(t)
	for _, tt := range []struct {
		extra                              string
		alive, idle, interval, count, user int
	}{
		{"", 1, 30, 10, 3, 60_000},
		{" keepalives_idle=7 keepalives_interval=8 keepalives_count=9 tcp_user_timeout=1234", 1, 7, 8, 9, 1234},
		{" tcp_user_timeout=0", 1, 30, 10, 3, 0},
		{" keepalives=0", 0, -1, -1, -1, 60_000},
	} {
		s := connect(t, f.conninfo+tt.extra, Options{})
		for w := range s.dialer.open {
			raw, err := w.Conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				for _, o := range []struct {
					name                string
					level, option, want int
				}{
					{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, tt.alive},
					{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, tt.idle},
					{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, tt.interval},
					{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, tt.count},
					{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, tt.user},
				} {
					if got, err := unix.GetsockoptInt(int(fd), o.level, o.option); o.want >= 0 && (err != nil || got != o.want) {
						t.Errorf("%q: %s is %d (%v), want %d", tt.extra, o.name, got, err, o.want)
					}
				}
			})
		}
		s.Close()
	}
}
