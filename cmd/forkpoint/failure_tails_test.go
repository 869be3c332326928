package main

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// walTail is a crashed server's log and what a case makes of its end.
type walTail struct {
	t    *testing.T
	s    *pgtest.Server
	end  pg.LSN // of the last record
	last pg.LSN // start of the last record but some
}

func (w walTail) file(n uint64) string {
	return filepath.Join(w.s.Dir(), "pg_wal", w.s.SegmentSize().Name(1, n))
}

// change rewrites the log's segment n, and makes it where it is not there.
func (w walTail) change(n uint64, edit func(b []byte)) {
	w.t.Helper()
	b, err := os.ReadFile(w.file(n))
	if os.IsNotExist(err) {
		b, err = make([]byte, w.s.SegmentSize()), nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	edit(b)
	if err := os.WriteFile(w.file(n), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := pgtest.Own(w.file(n)); err != nil {
		w.t.Fatal(err)
	}
}

// redoDone is where a server says that its crash recovery ended: the start of
// the last record.
var redoDone = regexp.MustCompile(`redo done at ([0-9A-F]+/[0-9A-F]+)`)

// A6: what lies behind the last record of a crashed target. Of each end both
// say the same: forkpoint where the log ends, and the server, by what it has
// after its recovery. Damage with log behind it is no end for forkpoint, but
// the server takes it for one and loses the rest.
func TestTailsAtServers(t *testing.T) {
	const page = 8192
	cases := []struct {
		name   string
		make   func(w walTail)
		damage bool
		says   string // the server
	}{
		{"as the crash left it", func(walTail) {}, false, ""},
		{"zeros", func(w walTail) {
			w.change(w.s.SegmentSize().Number(w.end), func(b []byte) { clear(b[w.s.SegmentSize().Offset(w.end):]) })
		}, false, "invalid record length at"},
		{"older pages of a recycled segment", func(w walTail) {
			size := w.s.SegmentSize()
			older, err := os.ReadFile(w.file(size.Number(w.end) - 1))
			if err != nil {
				w.t.Fatal(err)
			}
			w.change(size.Number(w.end), func(b []byte) {
				from := (size.Offset(w.end) + page - 1) / page * page
				clear(b[size.Offset(w.end):from])
				copy(b[from:], older[from:])
			})
		}, false, "invalid record length at"},
		{"a record of other log", func(w walTail) {
			w.change(w.s.SegmentSize().Number(w.end), func(b []byte) {
				at := b[w.s.SegmentSize().Offset(w.end):]
				copy(at, b[w.s.SegmentSize().Offset(w.last):][:min(len(at), 64)])
			})
		}, false, "incorrect prev-link"},
		{"a flipped bit, and valid records behind it", func(w walTail) {
			w.change(w.s.SegmentSize().Number(w.last), func(b []byte) { b[w.s.SegmentSize().Offset(w.last)+21] ^= 1 })
		}, true, "incorrect resource manager data checksum"},
	}
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 20000) n")
		pair.Split()
		pair.Primary.Checkpoint()
		s := pair.Old
		s.Exec("CREATE TABLE lost AS SELECT generate_series(1, 20000) n", "CHECKPOINT")
		w := walTail{t: t, s: s, last: s.CurrentLSN()}
		s.Exec("INSERT INTO lost VALUES (-1)", "INSERT INTO lost VALUES (-2)", "INSERT INTO lost VALUES (-3)")
		s.Stop(pgtest.Immediate)
		source := []string{"--source-server", pair.Primary.ConnString()}
		w.end = diagnosis(t, 3, append(source, "-D", s.Dir())...).TargetEnd
		kept := s.Dir() + ".kept"
		run := func(name string, args ...string) {
			t.Helper()
			if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
		}
		run("cp", "-a", s.Dir(), kept)
		for _, c := range cases {
			c.make(w)
			before := len(s.Log())
			var d *reports.Diagnosis
			if c.damage {
				if d = diagnosis(t, 3, append(source, "-D", s.Dir())...); d.Verdict == reports.RemedyRewind || !strings.Contains(codes(d), "coverage") {
					t.Errorf("%s: verdict %s, findings %s", c.name, d.Verdict, codes(d))
				}
			} else if d = diagnosis(t, 3, append(source, "-D", s.Dir())...); d.Verdict != reports.RemedyRewind || d.TargetEnd != w.end {
				t.Errorf("%s: verdict %s, end %s, want %s", c.name, d.Verdict, d.TargetEnd, w.end)
			}
			s.Start()
			rows, log := s.Value("SELECT count(*) FROM lost WHERE n < 0"), s.Log()[before:]
			if want := map[bool]string{false: "3", true: "0"}[c.damage]; rows != want || !strings.Contains(log, c.says) {
				t.Errorf("%s: the server has %s of 3 rows, want %s, and %q in\n%s", c.name, rows, want, c.says, log)
			}
			if at := redoDone.FindStringSubmatch(log); at == nil {
				t.Errorf("%s: no redo\n%s", c.name, log)
			} else if lsn, err := pg.ParseLSN(at[1]); err != nil || (lsn >= w.last) == c.damage || lsn >= w.end {
				t.Errorf("%s: redo done at %s, records from %s to %s", c.name, at[1], w.last, w.end)
			}
			// pg_rewind recovers in the way of the server, and sees no more.
			s.Stop(pgtest.Fast)
			if out, err := s.PgRewind("--dry-run", "--source-server", pair.Primary.ConnString()); err != nil || !strings.Contains(out, "servers diverged at") {
				t.Errorf("%s: pg_rewind: %v\n%s", c.name, err, out)
			}
			run("rm", "-rf", s.Dir())
			run("cp", "-a", kept, s.Dir())
		}
	})
}

// A7: the link back of a record leads to a segment that never was. pg_rewind
// asks for it. forkpoint follows no links: within a segment that record is damage,
// and where a segment begins with it, its block references count like any
// other's.
func TestLinkToNowhere(t *testing.T) {
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.Diverge(pgtest.Fast, write)
		ends := []string{"-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString()}
		d := diagnosis(t, 3, ends...)
		w := walTail{t: t, s: pair.Old}
		size, at := w.s.SegmentSize(), d.Fork.LSN
		switch { // the first record past the fork lies behind a page's header
		case size.Offset(at) == 0:
			at += 40
		case at%8192 == 0:
			at += 24
		}
		w.change(size.Number(at), func(b []byte) {
			rec := b[size.Offset(at):]
			length := binary.LittleEndian.Uint32(rec)
			if length < 24 || size.Offset(at)%8192+length > 8192 {
				t.Fatalf("the record at %s has %d bytes, which go over a page", at, length)
			}
			binary.LittleEndian.PutUint64(rec[8:], 0x28)
			table := crc32.MakeTable(crc32.Castagnoli)
			binary.LittleEndian.PutUint32(rec[20:], crc32.Update(crc32.Checksum(rec[24:length], table), table, rec[:20]))
		})
		out, err := w.s.PgRewind("--dry-run", "--source-server", pair.Primary.ConnString())
		if err == nil || !strings.Contains(out, size.Name(1, 0)) {
			t.Errorf("pg_rewind: %v\n%s", err, out)
		}
		if size.Offset(d.Fork.LSN) != 0 {
			if d = diagnosis(t, 3, ends...); d.Verdict == reports.RemedyRewind || len(d.Missing()) > 0 {
				t.Errorf("verdict %s, missing %q", d.Verdict, d.Missing())
			}
			return
		}
		// Segments are read each for itself: nobody asks for what is before.
		if d = diagnosis(t, 3, ends...); d.Verdict != reports.RemedyRewind || len(d.Missing()) > 0 {
			t.Errorf("verdict %s, missing %q", d.Verdict, d.Missing())
		}
		rejoin(t, bothNames[0], w.s, pair.Primary, true)
	})
}
