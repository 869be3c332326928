package pgtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
)

// Server is a cluster and, between [Server.Start] and [Server.Stop], the server
// that runs it.
type Server struct {
	t       testing.TB
	install Install
	cfg     config
	home    string // all that belongs to the server
	data    string
	port    int // of 127.0.0.1; 0 without TCP
	proc    *process
}

// New makes a cluster, with a superuser postgres and the databases that initdb
// makes. It is not started.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := prepare(t, newConfig(opts))
	if err := makeCluster(s.install, s.cfg, s.data); err != nil {
		t.Fatal(err)
	}
	if s.cfg.linkedWAL {
		s.linkWAL()
	}
	s.appendFile("postgresql.conf", confText(s.cfg.settings()))
	return s
}

// Run is [New] and [Server.Start].
func Run(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := New(t, opts...)
	s.Start()
	return s
}

// prepare makes the directories around a data directory, and sees to their end.
func prepare(t testing.TB, c config) *Server {
	t.Helper()
	skipShort(t)
	in, err := Find(c.major)
	if err != nil {
		missing(t, err.Error())
	}
	s := &Server{t: t, install: in, cfg: c, home: Scratch(t)}
	s.data = filepath.Join(s.home, "data")
	s.mkdir(s.socketDir())
	if c.tcp {
		s.port = freePort(t)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the log of %s:\n%s", s, tail(s.Log(), 15))
		}
		if s.proc != nil {
			s.proc.stop(Immediate)
		}
	})
	return s
}

// Dir is the data directory.
func (s *Server) Dir() string { return s.data }

// Home is the directory around the data directory. It holds the sockets, the
// log, the tablespaces and a linked pg_wal, and is the place for what a test
// wants to put beside the data directory.
func (s *Server) Home() string { return s.home }

// Major is the server's version.
func (s *Server) Major() int { return s.install.Major }

// BinDir is the directory of the server's programs.
func (s *Server) BinDir() string { return s.install.BinDir }

// SegmentSize is the cluster's WAL segment size.
func (s *Server) SegmentSize() pg.SegmentSize { return pg.SegmentSize(s.cfg.segMB << 20) }

func (s *Server) String() string {
	return fmt.Sprintf("PostgreSQL %d in %s", s.install.Major, s.data)
}

// ConnString is a connection string for the database postgres, in libpq's
// form of keywords and values.
func (s *Server) ConnString() string { return s.connString("postgres") }

func (s *Server) connString(db string) string {
	if s.port != 0 {
		return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable", s.port, db)
	}
	return fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", s.socketDir(), socketPort, db)
}

// socketPort is part of a socket's name. Each server has a directory of its own
// for sockets, so all can have the same.
const socketPort = 5432

func (s *Server) socketDir() string { return filepath.Join(s.home, "s") }

// Log is what the server has written to its log so far, over all its runs.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return ""
	}
	return string(b)
}

func (s *Server) logFile() string { return filepath.Join(s.home, "log") }

// Set appends a parameter to postgresql.conf, where the last one counts. It
// takes effect at the next start, or after [Server.Reload].
func (s *Server) Set(name, value string) {
	s.t.Helper()
	s.appendFile("postgresql.conf", confText([]setting{{name, value}}))
}

// WriteFile makes or replaces a file below the data directory.
func (s *Server) WriteFile(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.data, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := Own(path); err != nil {
		s.t.Fatal(err)
	}
}

// ReadFile returns the content of a file below the data directory.
func (s *Server) ReadFile(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *Server) appendFile(name, text string) {
	s.t.Helper()
	old, err := os.ReadFile(filepath.Join(s.data, name))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	s.WriteFile(name, string(old)+text)
}

// linkWAL moves pg_wal out of the data directory.
func (s *Server) linkWAL() {
	s.t.Helper()
	inside, outside := filepath.Join(s.data, "pg_wal"), filepath.Join(s.home, "wal")
	if err := os.Rename(inside, outside); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(outside, inside); err != nil {
		s.t.Fatal(err)
	}
	if err := Own(inside); err != nil {
		s.t.Fatal(err)
	}
}

// mkdir makes a directory that belongs to the servers' user.
func (s *Server) mkdir(dir string) {
	s.t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := Own(dir); err != nil {
		s.t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the server binds it next
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
