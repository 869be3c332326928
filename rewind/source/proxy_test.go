package source

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// fault is what a proxy does to one connection once so many bytes have gone
// from the server to the client.
type fault struct {
	after int64
	kind  faultKind
}

type faultKind int

const (
	none     faultKind = iota
	drop               // reset both sides
	stall              // pass nothing on any more, either way
	truncate           // close towards the client as if the server had
)

// proxy passes connections on to a server and ill-treats some.
type proxy struct {
	listener net.Listener
	fault    func(n int) fault // of the n-th connection, from 1

	mu      sync.Mutex
	backend string // socket
	n       int
	open    map[net.Conn]bool
	closed  bool
	wg      sync.WaitGroup
}

func newProxy(t testing.TB, s *pgtest.Server, f func(n int) fault) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, fault: f, open: map[net.Conn]bool{}}
	p.to(t, s)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		l.Close()
		p.wg.Wait()
	})
	return p
}

// to makes new connections go to another server.
func (p *proxy) to(t testing.TB, s *pgtest.Server) {
	set, err := parseConninfo(s.ConnString())
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend = filepath.Join(set["host"], ".s.PGSQL."+set["port"])
}

// conninfo is that of a server, but through the proxy.
func (p *proxy) conninfo(conninfo string) string {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	set, _ := parseConninfo(conninfo)
	set["host"], set["port"], set["sslmode"] = "127.0.0.1", port, "disable"
	var parts []string
	for keyword, value := range set {
		parts = append(parts, keyword+"="+quoteConninfo(value))
	}
	return strings.Join(parts, " ")
}

// count is how many connections there were.
func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.n++
		f, backend := p.fault(p.n), p.backend
		p.mu.Unlock()
		server, err := net.Dial("unix", backend)
		if err != nil {
			client.Close()
			continue
		}
		if !p.keep(client, server) {
			return
		}
		p.wg.Go(func() { p.pass(client, server, f) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			c.Close()
			continue
		}
		p.open[c] = true
	}
	return !p.closed
}

func (p *proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(p.open, c)
	}
}

func (p *proxy) pass(client, server net.Conn, f fault) {
	p.wg.Go(func() {
		io.Copy(server, client)
		server.(*net.UnixConn).CloseWrite()
	})
	var from io.Reader = server
	if f.kind != none {
		from = io.LimitReader(server, f.after)
	}
	io.Copy(client, from)
	switch f.kind {
	case stall:
		return // until the proxy ends
	case drop:
		client.(*net.TCPConn).SetLinger(0)
	}
	p.end(client, server)
}
