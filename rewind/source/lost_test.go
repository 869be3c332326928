package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// put makes a file in the data directory of a server.
func put(t testing.TB, s *pgtest.Server, name string, data []byte) {
	t.Helper()
	path := filepath.Join(s.Dir(), name)
	for _, err := range []error{
		os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600), pgtest.Own(path),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pattern is bytes of which every part is different.
func pattern(n int) []byte {
	b := make([]byte, 0, n+16)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "%011d\n", i)
	}
	return b[:n]
}

// TestLostConnections fetches through a proxy that ill-treats the first
// connections. Nothing may be missing or come twice.
func TestLostConnections(t *testing.T) {
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg)
	want := map[string][]byte{}
	var ranges []Range
	for i, size := range []int{3 << 20, 10, 0, 5<<20 + 17, PartSize, 2 * PartSize, 300_000} {
		name := fmt.Sprintf("extra/%d", i)
		want[name] = pattern(size)
		put(t, pg, name, want[name])
		ranges = append(ranges, Range{Path: name, Length: int64(size), ToEnd: true})
	}
	for _, kind := range []pgtest.FaultKind{pgtest.Drop, pgtest.Stall, pgtest.Truncate} {
		for _, jobs := range []int{1, 3} {
			t.Run(fmt.Sprintf("kind %d with %d jobs", kind, jobs), func(t *testing.T) {
				t.Parallel()
				p := pgtest.NewProxy(t, pg, func(n int) pgtest.Fault {
					return pgtest.Fault{After: 100_000 + int64(n)*400_000, Kind: []pgtest.FaultKind{pgtest.NoFault, kind}[min(1, max(0, 14-n))]}
				})
				s := connect(t, p.Conninfo(conninfo), Options{Jobs: jobs, IdleTimeout: 300 * time.Millisecond})
				got := fetch(t, s, ranges)
				for name, data := range want {
					if string(got[name]) != string(data) {
						t.Errorf("%s: %d bytes, want %d", name, len(got[name]), len(data))
					}
				}
				if p.Count() < 4 {
					t.Errorf("only %d connections: the proxy did nothing", p.Count())
				}
			})
		}
	}
	t.Run("listing", func(t *testing.T) {
		t.Parallel()
		p := pgtest.NewProxy(t, pg, func(n int) pgtest.Fault {
			return pgtest.Fault{After: 20_000 + int64(n)*3_000, Kind: []pgtest.FaultKind{pgtest.NoFault, pgtest.Drop}[min(1, n%3)]}
		})
		s := connect(t, p.Conninfo(conninfo), Options{})
		ignore := append([]string{"pg_wal"}, changing...)
		direct := connect(t, conninfo, Options{})
		if diff := cmp.Diff(listing(t, direct.Files(t.Context()), ignore...), listing(t, s.Files(t.Context()), ignore...)); diff != "" {
			t.Errorf("(-direct +proxy):\n%s", diff)
		}
		if p.Count() < 3 {
			t.Errorf("only %d connections: the proxy did nothing", p.Count())
		}
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		p := pgtest.NewProxy(t, pg, func(n int) pgtest.Fault {
			return pgtest.Fault{After: 5_000, Kind: []pgtest.FaultKind{pgtest.NoFault, pgtest.Drop}[min(1, n-1)]}
		})
		s := connect(t, p.Conninfo(conninfo), Options{RetryFor: 500 * time.Millisecond})
		s.release(breakOff(t, s))
		_, err := s.ReadFile(t.Context(), "extra/0")
		var lost *TransientError
		if !errors.Is(err, ErrTransient) || !errors.As(err, &lost) || lost.Hint() == "" {
			t.Errorf("%v, want a transient error", err)
		}
	})
	t.Run("not retried", func(t *testing.T) {
		t.Parallel()
		p := pgtest.NewProxy(t, pg, func(int) pgtest.Fault { return pgtest.Fault{After: 60_000, Kind: pgtest.Drop} })
		s := connect(t, p.Conninfo(conninfo), Options{RetryFor: -1})
		err := s.Fetch(t.Context(), slices.Values(ranges), func(Chunk) error { return nil })
		if !errors.Is(err, ErrTransient) || p.Count() > 3 {
			t.Errorf("%v after %d connections, want a transient error", err, p.Count())
		}
	})
}

// breakOff takes the idle session of a source and cuts its connection.
func breakOff(t *testing.T, s *Server) *session {
	sess, err := s.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sess.conn.Conn().Close()
	return sess
}

// TestRestartOfSource stops the server in the middle of a transfer.
func TestRestartOfSource(t *testing.T) {
	pg := pgtest.Run(t)
	s := connect(t, rewindRole(pg), Options{Jobs: 2})
	var ranges []Range
	for i := range 3 {
		name := fmt.Sprintf("extra/%d", i)
		put(t, pg, name, pattern(20<<20))
		ranges = append(ranges, Range{Path: name, Length: 20 << 20})
	}
	left := 2
	got := map[string]int64{}
	err := s.Fetch(t.Context(), slices.Values(ranges), func(c Chunk) error {
		if c.Offset != got[c.Path] {
			return fmt.Errorf("%s: chunk at %d, want %d", c.Path, c.Offset, got[c.Path])
		}
		got[c.Path] += int64(len(c.Data))
		if left > 0 && got[c.Path] == 5<<20 {
			left--
			pg.Restart([]pgtest.StopMode{pgtest.Fast, pgtest.Immediate}[left])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ranges {
		if got[r.Path] != r.Length {
			t.Errorf("%s: %d bytes", r.Path, got[r.Path])
		}
	}
}

// TestOtherServer puts another server behind the same address.
func TestOtherServer(t *testing.T) {
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg)
	standby := pg.NewStandby()
	standby.Start()
	pg.WaitCaughtUp(standby)
	// The servers show times to the second, and these two may be of the same.
	if err := os.Chtimes(filepath.Join(standby.Dir(), "PG_VERSION"), time.Time{}, time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	stranger := pgtest.Run(t, pgtest.Fresh())
	rewindRole(stranger)

	for _, tt := range []struct {
		name, what string
		from, to   *pgtest.Server
	}{
		{"other cluster", "system identifier", pg, stranger},
		{"standby of the same cluster", "data directory", pg, standby},
		{"primary of the same cluster", "data directory", standby, pg},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pgtest.NewProxy(t, tt.from, func(int) pgtest.Fault { return pgtest.Fault{} })
			s := connect(t, p.Conninfo(conninfo), Options{})
			p.To(tt.to)
			s.release(breakOff(t, s))
			_, err := s.ReadFile(t.Context(), "PG_VERSION")
			var other *OtherServerError
			if !errors.As(err, &other) || !errors.Is(err, ErrOtherServer) || errors.Is(err, ErrTransient) || !strings.Contains(other.What, tt.what) {
				t.Errorf("%v, want that the %s is another", err, tt.what)
			}
		})
	}
}

// The same data directory may come back as another server only if its log goes
// on from where it was.
func TestCompareIdentity(t *testing.T) {
	pg := pgtest.Run(t)
	pg.Exec("SELECT pg_switch_wal()")
	s := connect(t, rewindRole(pg), Options{})
	sess, err := s.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.release(sess)
	now := s.identity
	if now.addr != "" {
		t.Errorf("address %q over a socket", now.addr)
	}
	again := func(f *identity) { f.started = f.started.Add(time.Second); f.lsn++ }
	tests := []struct {
		name   string
		change func(known, found *identity)
		same   bool
	}{
		{"nothing", func(_, _ *identity) {}, true},
		{"files were given to another user", func(_, f *identity) { again(f); f.changed = f.changed.Add(time.Hour) }, true},
		{"copied to another address", func(_, f *identity) { again(f); f.changed = f.changed.Add(time.Hour); f.addr = "10.0.0.1" }, false},
		{"copied and promoted", func(_, f *identity) { again(f); f.changed = f.changed.Add(time.Hour); f.timeline++ }, false},
		{"moved to another address", func(_, f *identity) { again(f); f.addr = "10.0.0.1" }, true},
		{"made at another time", func(_, f *identity) { again(f); f.made = f.made.Add(time.Hour) }, false},
		{"restart", func(_, f *identity) { f.started = f.started.Add(time.Second); f.lsn++ }, true},
		{"log went back", func(_, f *identity) { f.started = f.started.Add(time.Second); f.lsn-- }, false},
		{"became a standby", func(_, f *identity) { f.started = f.started.Add(time.Second); f.timeline = 0 }, false},
		{"was a standby", func(k, f *identity) { f.started = f.started.Add(time.Second); k.timeline = 0 }, true},
	}
	for _, tt := range tests {
		known, found := now, now
		tt.change(&known, &found)
		err := s.compare(t.Context(), sess, known, found)
		if errors.Is(err, ErrOtherServer) == tt.same || tt.same && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestPromotionBetweenConnections restarts a primary as one that went on, on a
// timeline of its own.
func TestPromotionBetweenConnections(t *testing.T) {
	pg := pgtest.Run(t)
	s := connect(t, rewindRole(pg), Options{})
	put(t, pg, "standby.signal", nil)
	pg.Restart(pgtest.Fast)
	pg.Promote()
	if tli, err := s.Timeline(t.Context()); err != nil || tli != 2 {
		t.Errorf("timeline %d, %v", tli, err)
	}
	s.identity.lsn += 1 << 30 // as if more had been read before the fork
	s.identity.timeline, s.identity.started = 1, time.Unix(0, 0)
	s.release(breakOff(t, s))
	if _, err := s.Timeline(t.Context()); !errors.Is(err, ErrOtherServer) {
		t.Errorf("%v, want another timeline", err)
	}
}

// TestCancel ends calls that wait, in all the ways a caller can.
func TestCancel(t *testing.T) {
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg)
	put(t, pg, "extra/big", pattern(30<<20))
	big := Range{Path: "extra/big", Length: 30 << 20}
	why := errors.New("the user had enough")

	t.Run("between chunks", func(t *testing.T) {
		s := connect(t, conninfo, Options{})
		ctx, cancel := context.WithCancelCause(t.Context())
		err := s.Fetch(ctx, one(big), func(Chunk) error { cancel(why); return nil })
		if !errors.Is(err, why) || errors.Is(err, ErrTransient) {
			t.Error(err)
		}
	})
	t.Run("while the server is silent", func(t *testing.T) {
		p := pgtest.NewProxy(t, pg, func(int) pgtest.Fault { return pgtest.Fault{After: 1 << 20, Kind: pgtest.Stall} })
		s := connect(t, p.Conninfo(conninfo), Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := s.Fetch(ctx, one(big), func(Chunk) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("while connecting", func(t *testing.T) {
		p := pgtest.NewProxy(t, pg, func(int) pgtest.Fault { return pgtest.Fault{After: 0, Kind: pgtest.Stall} })
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := Connect(ctx, p.Conninfo(conninfo), Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		_, err := Connect(t.Context(), p.Conninfo(conninfo), Options{ConnectTimeout: 300 * time.Millisecond})
		if !errors.Is(err, ErrTransient) {
			t.Error(err)
		}
		if _, err = Connect(t.Context(), p.Conninfo(conninfo)+" connect_timeout=1", Options{}); !errors.Is(err, ErrTransient) {
			t.Error(err)
		}
	})
	t.Run("by the caller's function", func(t *testing.T) {
		s := connect(t, conninfo, Options{Jobs: 2})
		for _, stop := range []error{why, io.EOF, context.Canceled} {
			calls := 0
			err := s.Fetch(t.Context(), one(big), func(Chunk) error { calls++; return stop })
			if err != stop || calls != 1 {
				t.Errorf("%v after %d calls, want %v", err, calls, stop)
			}
		}
		if _, err := s.ReadFile(t.Context(), "PG_VERSION"); err != nil {
			t.Error(err)
		}
	})
	t.Run("by leaving the listing", func(t *testing.T) {
		s := connect(t, conninfo, Options{})
		for _, err := range s.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	})
	t.Run("by closing", func(t *testing.T) {
		s := connect(t, conninfo, Options{})
		err := s.Fetch(t.Context(), one(big), func(Chunk) error { return s.Close() })
		if !errors.Is(err, errClosed) || errors.Is(err, ErrTransient) {
			t.Error(err)
		}
		if _, err := s.ReadFile(t.Context(), "PG_VERSION"); !errors.Is(err, errClosed) {
			t.Error(err)
		}
	})
	t.Run("by the overall limit", func(t *testing.T) {
		s := connect(t, conninfo, Options{Timeout: 500 * time.Millisecond, Rate: 4 << 20})
		err := s.Fetch(t.Context(), one(big), func(Chunk) error { return nil })
		if !errors.Is(err, ErrTimeLimit) || !errors.Is(err, ErrTransient) {
			t.Error(err)
		}
	})
}

func TestRate(t *testing.T) {
	pg := pgtest.Run(t)
	s := connect(t, rewindRole(pg), Options{Rate: 20 << 20})
	put(t, pg, "extra/x", pattern(8<<20))
	start := time.Now()
	fetch(t, s, []Range{{Path: "extra/x", Length: 8 << 20, ToEnd: true}})
	if took := time.Since(start); took < 290*time.Millisecond { // 6 MB beyond the first 2
		t.Errorf("took %s", took)
	}
}

// TestFewConnections has a role that may not open as many as there are jobs.
func TestFewConnections(t *testing.T) {
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg, "CONNECTION LIMIT 2")
	s := connect(t, conninfo, Options{Jobs: 5})
	var ranges []Range
	data := pattern(17 << 20)
	for i := range 5 {
		put(t, pg, fmt.Sprintf("extra/%d", i), data)
		ranges = append(ranges, Range{Path: fmt.Sprintf("extra/%d", i), Length: 17 << 20, ToEnd: true})
	}
	if got := fetch(t, s, ranges); len(got) != 5 {
		t.Errorf("%d files", len(got))
	}
	if n := s.BytesRead(); n < 5*17<<20 || n > 6*17<<20 {
		t.Errorf("BytesRead() = %d", n)
	}
	// A listing keeps a connection while its caller reads files.
	n := 0
	for f, err := range s.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Path == "PG_VERSION" {
			if _, err := s.ReadFile(t.Context(), f.Path); err != nil {
				t.Error(err)
			}
			n++
		}
	}
	if n != 1 {
		t.Error("no PG_VERSION in the listing")
	}
}
