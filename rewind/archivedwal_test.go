package rewind

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

// asked notes which segments an archive was asked for.
type asked struct {
	segment.Source
	size   pg.SegmentSize
	oldest uint64
	broken bool
}

func (a *asked) Open(ctx context.Context, name string) (*segment.File, error) {
	n, err := pg.ParseSegmentName(name, a.size)
	if err != nil {
		return nil, err
	}
	a.oldest = min(a.oldest, n.Number)
	if a.broken {
		return nil, errors.New("the archive is out of reach")
	}
	return a.Source.Open(ctx, name)
}

// TestCompareArchived: the source has the last segment of its log, and an
// archive the rest. The target ends in the last but two.
func TestCompareArchived(t *testing.T) {
	const size = pg.SegmentSize(1 << 20)
	// write builds a log with a commit in one segment, and at one border no
	// record that crosses it.
	write := func(segments, commit, exact uint64, time uint64) *waltest.Builder {
		b := waltest.New(waltest.Config{})
		for n := uint64(1); n <= segments; n++ {
			b.Append(waltest.Noop(800_000))
			if n == commit {
				b.Append(walinspect.Record{Rmgr: pg.RmgrXact, XID: 700, Main: binary.LittleEndian.AppendUint64(nil, time)})
			}
			if n == exact {
				b.FillTo(size.Start(n + 1))
				continue
			}
			b.FillTo(size.Start(n+1) - 1024)
			b.Append(waltest.Noop(3000))
		}
		return b
	}
	files := func(b *waltest.Builder, from, to uint64) segment.Source {
		dir := t.TempDir()
		for n, name := range b.Log().Segments() {
			if n < from || n > to {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name.Format(size)), b.Log().Segment(n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return segment.NewDir(dir, size)
	}
	const none = 0
	for _, tt := range []struct {
		name     string
		segments uint64
		commit   uint64
		exact    uint64
		other    bool // the target committed at another time
		broken   bool
		part     bool   // the target's log is a part of the source's
		oldest   uint64 // segment that the archive was asked for
		unjoined string
	}{
		{"its log leads on", 9, 7, none, false, false, true, 6, ""},
		{"the commit is further back", 9, 4, none, false, false, true, 3, ""},
		{"a border before the commit that no record crosses", 9, 7, 6, false, false, true, 6, ""},
		{"a border that no record crosses", 9, 7, 7, false, false, false, 6,
			"no record goes on over 0/800000, where 000000010000000000000007 of"},
		{"such a border past the target's end", 9, 6, 8, false, false, false, 6,
			"the source's own 000000010000000000000006 to 000000010000000000000008, restored into its pg_wal, would settle it"},
		{"another log", 9, 7, none, true, false, false, 6, "the two differ at"},
		{"no commit", 9, none, none, false, false, false, 0, "000000010000000000000000 is not in"},
		{"no commit for long", 80, none, none, false, false, false, 14, "no more than 64 segments"},
		{"an archive that cannot be read", 9, 7, none, false, true, false, 8, "the archive is out of reach"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := write(tt.segments, tt.commit, tt.exact, 1)
			targets := log
			if tt.other {
				targets = write(tt.segments, tt.commit, tt.exact, 2)
			}
			end := tt.segments - 2
			archive := &asked{files(log, 0, tt.segments), size, tt.segments, tt.broken}
			r := withPlan(t)
			r.cfg.Archives = archive
			r.sit.targetEnd, r.sit.target.timeline = size.Start(end+1)-4096, 1
			r.sit.sourceEnd = source.Position{LSN: size.Start(tt.segments + 1)}
			c, err := r.compareArchived(t.Context(), lineage.Logs{
				A: files(targets, 0, end), B: files(log, tt.segments, tt.segments+1),
				Path: timeline.SingleTimeline(1), Geometry: log.Log().Geometry,
			})
			if err != nil {
				t.Fatal(err)
			}
			if (c != nil) != tt.part || !strings.Contains(r.sit.unjoined, tt.unjoined) || archive.oldest != tt.oldest {
				t.Errorf("shown: %t, asked back to segment %d, %q", c != nil, archive.oldest, r.sit.unjoined)
			}
		})
	}
}
