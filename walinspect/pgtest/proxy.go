package pgtest

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// Fault is what a [Proxy] does to one connection once so many bytes have gone
// from the server to the client.
type Fault struct {
	After int64
	Kind  FaultKind
}

// FaultKind is a way of ill-treating a connection.
type FaultKind int

const (
	NoFault  FaultKind = iota
	Drop               // reset both sides
	Stall              // pass nothing on any more, either way
	Truncate           // close towards the client as if the server had
)

// Proxy passes TCP connections on to a server and ill-treats some.
type Proxy struct {
	listener net.Listener
	fault    func(n int) Fault // of the n-th connection, from 1

	mu      sync.Mutex
	backend string // socket
	n       int
	open    map[net.Conn]bool
	closed  bool
	wg      sync.WaitGroup
}

// NewProxy makes a proxy that ends with the test. The fault of each connection,
// counted from 1, is asked for when it comes.
func NewProxy(t testing.TB, s *Server, fault func(n int) Fault) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, fault: fault, open: map[net.Conn]bool{}}
	p.To(s)
	p.wg.Go(p.accept)
	t.Cleanup(p.Break)
	return p
}

// To makes new connections go to another server.
func (p *Proxy) To(s *Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend = filepath.Join(s.socketDir(), fmt.Sprintf(".s.PGSQL.%d", socketPort))
}

// Conninfo is a connection string of a server, but through the proxy.
func (p *Proxy) Conninfo(conninfo string) string {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return conninfo + " host=127.0.0.1 sslmode=disable port=" + port // the last of a keyword counts
}

// Count is how many connections there were.
func (p *Proxy) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// Break ends all connections and takes none any more.
func (p *Proxy) Break() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.listener.Close()
	p.wg.Wait()
}

func (p *Proxy) accept() {
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

func (p *Proxy) keep(conns ...net.Conn) bool {
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

func (p *Proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(p.open, c)
	}
}

func (p *Proxy) pass(client, server net.Conn, f Fault) {
	p.wg.Go(func() {
		io.Copy(server, client)
		server.(*net.UnixConn).CloseWrite()
	})
	var from io.Reader = server
	if f.Kind != NoFault {
		from = io.LimitReader(server, f.After)
	}
	io.Copy(client, from)
	switch f.Kind {
	case Stall:
		return // until the proxy ends
	case Drop:
		client.(*net.TCPConn).SetLinger(0)
	}
	p.end(client, server)
}
