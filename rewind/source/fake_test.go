package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// fake is a server that answers as a test tells it, to show what a broken or
// hostile one could do.
type fake struct {
	conninfo string
	control  []byte

	mu sync.Mutex
	// answer gives the rows for a query that is recognised by a part of its
	// text, where they are not the usual ones.
	answer map[string]func(args [][]byte) ([][][]byte, *pgproto3.ErrorResponse)
	refuse []*pgproto3.ErrorResponse // for the next connections
	wg     sync.WaitGroup
}

func newFake(t *testing.T) *fake {
	t.Helper()
	raw, err := (&pgcontrol.Control{
		SystemID: 77, Version: 1300, CatalogVersion: pg.CatalogOfMajor(15), Major: 15, State: 6, MaxAlign: 8, BlockSize: 8192,
		RelSegSize: 131072, WALBlockSize: 8192, SegmentSize: 16 << 20, NameDataLen: 64, IndexMaxKeys: 32, ToastMaxChunk: 1996,
		LargeObjectBlock: 2048, Float8ByVal: true, CheckpointCopy: pgcontrol.Checkpoint{Timeline: 1},
	}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	f := &fake{conninfo: "host=127.0.0.1 sslmode=disable user=x port=" + port, control: raw,
		answer: map[string]func([][]byte) ([][][]byte, *pgproto3.ErrorResponse){}}
	f.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() {
				defer conn.Close()
				f.serve(conn) // until the client goes
			})
		}
	})
	t.Cleanup(func() { l.Close(); f.wg.Wait() })
	return f
}

// rows makes a fixed answer.
func rows(list ...[][]byte) func([][]byte) ([][][]byte, *pgproto3.ErrorResponse) {
	return func([][]byte) ([][][]byte, *pgproto3.ErrorResponse) { return list, nil }
}

func (f *fake) serve(conn net.Conn) error {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	f.mu.Lock()
	if len(f.refuse) > 0 {
		b.Send(f.refuse[0])
		f.refuse = f.refuse[1:]
		f.mu.Unlock()
		return b.Flush()
	}
	f.mu.Unlock()
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "15.1 (fake)"})
	b.Send(&pgproto3.ParameterStatus{Name: "server_encoding", Value: "UTF8"})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := b.Flush(); err != nil {
		return err
	}
	sql := ""
	for {
		m, err := b.Receive()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SET")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Parse:
			sql = m.Query
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
			f.reply(b, sql, m.Parameters)
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		}
		if err := b.Flush(); err != nil {
			return err
		}
	}
}

// reply answers a query. The client's messages after Bind change nothing.
func (f *fake) reply(b *pgproto3.Backend, sql string, args [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	give := f.usual(sql)
	for part, own := range f.answer {
		if strings.Contains(sql, part) {
			give = own
		}
	}
	list, refusal := give(args)
	if refusal != nil {
		b.Send(refusal)
		return
	}
	columns := 0
	if len(list) > 0 {
		columns = len(list[0])
	}
	b.Send(&pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, columns)})
	for _, row := range list {
		b.Send(&pgproto3.DataRow{Values: row})
	}
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
}

func i8(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

var yes, no = []byte{1}, []byte{0}

func (f *fake) usual(sql string) func([][]byte) ([][][]byte, *pgproto3.ErrorResponse) {
	switch {
	case strings.Contains(sql, "has_function_privilege"):
		return rows([][]byte{i8(1), yes, []byte("x"), []byte("x"), []byte("x")})
	case strings.Contains(sql, "pg_postmaster_start_time"):
		return rows([][]byte{i8(1), i8(1), i8(1), no, i8(100), []byte("000000010000000000000001"), nil})
	case sql == readFileQuery:
		return rows([][]byte{f.control})
	}
	return rows()
}

// file is a row of a listing.
func file(name string, size int64, dir []byte) [][]byte {
	return [][]byte{[]byte(name), i8(size), dir, i8(0)}
}

// TestRogueListing gives listings that no honest server would give.
func TestRogueListing(t *testing.T) {
	for _, tt := range []struct {
		name string
		rows [][][]byte
		is   error
		says string
	}{
		{"upwards", [][][]byte{file("..", 0, yes)}, ErrUnsafePath, `".."`},
		{"slash", [][][]byte{file("../../etc/passwd", 1, no)}, ErrUnsafePath, "etc/passwd"},
		{"absolute", [][][]byte{file("/etc", 0, yes)}, ErrUnsafePath, `"/etc"`},
		{"empty name", [][][]byte{file("", 1, no)}, ErrUnsafePath, "empty"},
		{"NUL", [][][]byte{file("a\x00b", 1, no)}, ErrUnsafePath, "NUL"},
		{"itself", [][][]byte{file(".", 1, yes)}, ErrUnsafePath, `"."`},
		{"round in circles", [][][]byte{file("a", 0, yes)}, nil, "directories deep"},
		{"out of order", [][][]byte{file("b", 1, no), file("a", 1, no)}, nil, `"a" comes after "b"`},
		{"negative size", [][][]byte{file("a", -1, no)}, nil, "-1"},
		{"NULL name", [][][]byte{{nil, i8(1), no, i8(0)}}, nil, "column 1 of the answer is NULL"},
		{"NULL kind", [][][]byte{{[]byte("a"), i8(1), nil, i8(0)}}, nil, "column 3 of the answer is NULL"},
		{"NULL time", [][][]byte{{[]byte("a"), i8(1), no, nil}}, nil, "column 4 of the answer is NULL"},
		{"short number", [][][]byte{{[]byte("a"), []byte{1}, no, i8(0)}}, nil, "column 2 of the answer has 1 bytes, want 8"},
		{"few columns", [][][]byte{{[]byte("a")}}, nil, "row of 1 columns, want 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.answer["pg_ls_dir"] = rows(tt.rows...)
			s := connect(t, f.conninfo, Options{RetryFor: -1})
			var last error
			n := 0
			for file, err := range s.Files(t.Context()) {
				if last = err; err == nil && CheckPath(file.Path) != nil {
					t.Errorf("listed %q", file.Path)
				}
				n++
			}
			if last == nil || tt.is != nil && !errors.Is(last, tt.is) || !strings.Contains(last.Error(), tt.says) || errors.Is(last, ErrTransient) {
				t.Errorf("%v, want %q", last, tt.says)
			}
			s.Close()
		})
	}
	t.Run("twice", func(t *testing.T) {
		f := newFake(t)
		f.answer["pg_ls_dir"] = rows(file("a", 1, no), file("a", 2, no), file("b", 1, no))
		s := connect(t, f.conninfo, Options{})
		if got := listing(t, s.Files(t.Context())); len(got) != 2 {
			t.Errorf("listed %q", got)
		}
		s.Close()
	})
	t.Run("tablespace", func(t *testing.T) {
		for _, location := range []string{"../../etc", "", "/etc/../x", "pg_tblspc/2"} {
			f := newFake(t)
			f.answer["pg_ls_dir"] = func(args [][]byte) ([][][]byte, *pgproto3.ErrorResponse) {
				if len(args) == 0 {
					return [][][]byte{file("pg_tblspc", 0, yes)}, nil
				}
				return [][][]byte{append(file("1", 0, yes), []byte(location))}, nil
			}
			s := connect(t, f.conninfo, Options{RetryFor: -1})
			var last error
			for _, last = range s.Files(t.Context()) {
			}
			if !errors.Is(last, ErrUnsafePath) {
				t.Errorf("%q: %v", location, last)
			}
			s.Close()
		}
	})
}

// TestRogueFetch gives bytes that were not asked for.
func TestRogueFetch(t *testing.T) {
	for _, tt := range []struct {
		name string
		rows [][][]byte
		says string
	}{
		{"too much", [][][]byte{{i8(1), make([]byte, 11)}}, "asked for 10 bytes at 0, got 11"},
		{"other part", [][][]byte{{i8(2), make([]byte, 10)}}, "answer for part 2, want 1"},
		{"part without number", [][][]byte{{nil, make([]byte, 10)}}, "NULL"},
		{"too many parts", [][][]byte{{i8(1), make([]byte, 10)}, {i8(2), make([]byte, 10)}}, "answer for part 2"},
		{"nothing", nil, "ended after 0 of 1 parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.answer["unnest($2"] = rows(tt.rows...)
			s := connect(t, f.conninfo, Options{RetryFor: -1})
			err := s.Fetch(t.Context(), one(Range{Path: "a", Length: 10}), func(c Chunk) error {
				if len(c.Data) != 10 {
					return fmt.Errorf("delivered %d bytes", len(c.Data))
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, ErrTransient) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			s.Close()
		})
	}
}

// TestTornControl reads a control file that a server is just writing, and one
// that stays damaged.
func TestTornControl(t *testing.T) {
	f := newFake(t)
	s := connect(t, f.conninfo, Options{})
	torn := append([]byte{}, f.control...)
	torn[100] ^= 1
	reads := 0
	f.mu.Lock()
	f.answer[readFileQuery] = func([][]byte) ([][][]byte, *pgproto3.ErrorResponse) {
		if reads++; reads < 4 {
			return [][][]byte{{torn}}, nil
		}
		return [][][]byte{{f.control}}, nil
	}
	f.mu.Unlock()
	if raw, c, err := s.Control(t.Context()); err != nil || reads != 4 || c.SystemID != 77 || string(raw) != string(f.control) {
		t.Errorf("after %d readings: %v", reads, err)
	}
	f.mu.Lock()
	f.answer[readFileQuery] = rows([][]byte{torn})
	f.mu.Unlock()
	if _, _, err := s.Control(t.Context()); !errors.Is(err, pgcontrol.ErrTorn) {
		t.Error(err)
	}
	s.Close()
}

func said(code string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: "caf\xe9 " + code}
}

// TestNotReady connects to a server that is starting up.
func TestNotReady(t *testing.T) {
	f := newFake(t)
	f.refuse = []*pgproto3.ErrorResponse{said("57P03"), said("57P03"), said("53300")}
	s, err := Connect(t.Context(), f.conninfo, Options{WaitReady: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for code, wanted := range map[string]bool{"57P03": true, "53300": true, "28P01": false, "3D000": false, "28000": false} {
		f.mu.Lock()
		f.refuse = []*pgproto3.ErrorResponse{said(code)}
		f.mu.Unlock()
		_, err := Connect(t.Context(), f.conninfo+" password=hunter2", Options{})
		if err == nil || errors.Is(err, ErrTransient) != wanted || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", code, err)
		}
	}
	if _, err := Connect(t.Context(), "host=127.0.0.1 port=1 user=x", Options{}); !errors.Is(err, ErrTransient) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Connect(t.Context(), "host=/nowhere user=x", Options{}); !errors.Is(err, ErrTransient) {
		t.Errorf("no socket: %v", err)
	}
	if _, err := Connect(t.Context(), "host=127.0.0.1 port=1 user=x sslmode=verify-ca sslrootcert=/no/such/file", Options{}); errors.Is(err, ErrTransient) || !errors.Is(err, ErrConninfo) {
		t.Errorf("no certificate: %v", err)
	}
}

// TestHostsInTurn takes the first of several hosts that has a server, and stays
// with it.
func TestHostsInTurn(t *testing.T) {
	f := newFake(t)
	port := f.conninfo[strings.LastIndex(f.conninfo, "=")+1:]
	conninfo := "host=/nowhere,127.0.0.1,127.0.0.1 port=1,1," + port + " user=x sslmode=disable"
	s := connect(t, conninfo, Options{})
	if s.identity.host.port != port {
		t.Errorf("reached %s", s.identity.host)
	}
	s.Close()
	s = connect(t, "host=nowhere.invalid hostaddr=127.0.0.1 port="+port+" user=x sslmode=disable", Options{})
	s.Close()

	f.mu.Lock()
	f.refuse = []*pgproto3.ErrorResponse{said("28P01")}
	f.mu.Unlock()
	_, err := Connect(t.Context(), "host=127.0.0.1,127.0.0.1 port="+port+" user=x sslmode=disable", Options{})
	if err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("a refused password: %v", err)
	}
}
