package lineage

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

// A server has its log from segment 3 on. Of an archive counts what leads into
// it, and no segment that another server wrote under the same name.
func TestJoin(t *testing.T) {
	crossing := func(length int) *waltest.Builder {
		b := branch(200, 0, 0)
		for range 1200 {
			b.Append(waltest.Noop(length))
		}
		return b
	}
	exact := func(length int) *waltest.Builder {
		b := waltest.New(waltest.Config{})
		for n := range 4 {
			b.Append(waltest.Noop(length))
			b.FillTo(pg.LSN(n+2) * mb)
		}
		b.Append(waltest.Noop(100))
		return b
	}
	for _, tt := range []struct {
		name         string
		own, archive *waltest.Builder
		want         int // of the archive's segments 1 and 2
		linked       pg.LSN
	}{
		{"its own", crossing(3000), crossing(3000), 2, 0},
		{"another's", crossing(3000), crossing(2900), 0, 0},
		{"its own, no record crosses", exact(3000), exact(3000), 2, 3 * mb},
	} {
		t.Run(tt.name, func(t *testing.T) {
			logs := Logs{B: write(t, tt.own.Log(), 3), Path: timeline.SingleTimeline(1), Geometry: tt.own.Log().Geometry}
			j, err := Join(t.Context(), logs, write(t, tt.archive.Log()), pg.Span{From: mb, To: tt.own.End()})
			if err != nil || j.Segments() != tt.want || j.Linked != tt.linked || (tt.want == 2) != (j.Unsure == "") {
				t.Fatalf("%d segments count, linked at %s, %v (%s); want %d", j.Segments(), j.Linked, err, j.Unsure, tt.want)
			}
			listed := 0
			for info, err := range j.List(t.Context()) {
				f, errOpen := j.Open(t.Context(), info.Name.Format(mb))
				if err != nil || errOpen != nil {
					t.Fatal(err, errOpen)
				}
				f.Close() // read only
				listed++
			}
			if want := len(tt.own.Log().Segments()) - 2 + tt.want; listed != want {
				t.Errorf("%d segments, want %d", listed, want)
			}
		})
	}
}

// unread is a source whose files cannot be opened.
type unread struct {
	segment.Source
	stop context.CancelFunc // called meanwhile, if set
}

func (u unread) Open(context.Context, string) (*segment.File, error) {
	if u.stop != nil {
		u.stop()
	}
	return nil, errors.New("out of reach")
}

// An archive that cannot be read now has nothing that counts; who is stopped
// meanwhile is told so.
func TestJoinUnread(t *testing.T) {
	log := branch(700, 0, 0).Log()
	logs := Logs{B: write(t, log, 2), Path: timeline.SingleTimeline(1), Geometry: log.Geometry}
	span := pg.Span{From: mb, To: 3 * mb}
	j, err := Join(t.Context(), logs, unread{}, span)
	if err != nil || j.Segments() != 0 || j.Unsure != "out of reach" {
		t.Errorf("%d segments count, %v (%s)", j.Segments(), err, j.Unsure)
	}
	ctx, stop := context.WithCancel(t.Context())
	if _, err := Join(ctx, logs, unread{stop: stop}, span); err == nil {
		t.Error("no error of one that was stopped")
	}
	damaged := branch(700, 0, 0).Log()
	damaged.Flip(mb + 500_000)
	j, err = Join(t.Context(), logs, write(t, damaged), span)
	if err != nil || j.Segments() != 0 || !strings.Contains(j.Unsure, "up to 0/17") {
		t.Errorf("damaged: %d segments count, %v (%s)", j.Segments(), err, j.Unsure)
	}
}

// A file of the archive is damaged: it is named, with the place and what was
// found there, and where the archive's next place has the segment, that one
// counts.
func TestJoinDamagedFile(t *testing.T) {
	log := branch(1400, 0, 0).Log()
	logs := Logs{B: write(t, log, 3), Path: timeline.SingleTimeline(1), Geometry: log.Geometry}
	span := pg.Span{From: mb, To: 3*mb + 1000}
	second := log.Segment(2)
	packed := gzipped(t, second)
	garbage := bytes.Clone(second)
	for i := range garbage[600_000:] {
		garbage[600_000+i] = byte(i*7 + 1)
	}
	for _, tt := range []struct {
		name, file string
		content    []byte
		want       []string
	}{
		{"shorter than a segment", "000000010000000000000002", second[:600_000], []string{"/000000010000000000000002 ", "up to 0/291", "byte 596", "truncated-file, 600000 bytes of a segment of 1048576", "--archive"}},
		{"garbage behind valid records", "000000010000000000000002", garbage, []string{"/000000010000000000000002 ", "up to 0/292", "byte 599", "corrupt (record-checksum), want ", "--archive"}},
		{"compressed and cut short", "000000010000000000000002.gz", packed[:len(packed)/2], []string{"/000000010000000000000002.gz ", "up to 0/2", "truncated-file, ", "bytes of a segment of 1048576", "--archive"}},
		{"compressed and without its head", "000000010000000000000002.gz", packed[100:], []string{"/000000010000000000000002.gz: ", "the name says gzip"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, tt.file), tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			bad := segment.NewDir(folder, mb)
			j, err := Join(t.Context(), logs, bad, span)
			if err != nil || j.Segments() != 0 {
				t.Fatalf("%d segments count, %v", j.Segments(), err)
			}
			for _, want := range append(tt.want, folder) {
				if !strings.Contains(j.Unsure, want) {
					t.Errorf("want %q in %q", want, j.Unsure)
				}
			}
			c, err := FirstDifference(t.Context(), Logs{A: write(t, log), B: bad, Path: logs.Path, Geometry: logs.Geometry}, pg.Span{From: mb, To: pg.MaxLSN})
			if err != nil || c.Differs || !strings.Contains(c.Unsure, folder) && c.B.Stop != walinspect.StopTorn {
				t.Errorf("compared: %+v, %v", c, err)
			}
			j, err = Join(t.Context(), logs, segment.NewChain(bad, write(t, log)), span)
			if err != nil || j.Segments() != 2 || j.Unsure != "" {
				t.Errorf("with another copy: %d segments count, %v (%s)", j.Segments(), err, j.Unsure)
			}
		})
	}
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// A restore_command fetches no more than so many segments for a comparison. A
// folder is read through, and what it has needs no fetching.
func TestJoinBoundsFetching(t *testing.T) {
	const last = Farthest + 6
	b := waltest.New(waltest.Config{})
	for n := uint64(1); n < last; n++ {
		b.Append(waltest.Noop(900_000))
		b.FillTo(pg.LSN(n+1)*mb - 1024)
		b.Append(waltest.Noop(3000))
	}
	log := b.Log()
	folder := t.TempDir()
	for n, name := range log.Segments() {
		if err := os.WriteFile(filepath.Join(folder, name.Format(mb)), log.Segment(n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restore := func() segment.Source {
		r, err := segment.NewRestore(segment.RestoreConfig{Command: "cp " + folder + "/%f %p", Dir: t.TempDir(), Size: mb})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	logs := Logs{B: write(t, log, last), Path: timeline.SingleTimeline(1), Geometry: log.Geometry}
	span := pg.Span{From: mb, To: b.End()}
	j, err := Join(t.Context(), logs, restore(), span)
	if err != nil || j.Segments() != Farthest {
		t.Fatalf("%d segments count, %v", j.Segments(), err)
	}
	for _, want := range []string{"has fetched 64 segments", "back to 000000010000000000000006", "000000010000000000000001 to 000000010000000000000005", "--archive"} {
		if !strings.Contains(j.Unsure, want) {
			t.Errorf("want %q in %q", want, j.Unsure)
		}
	}
	j, err = Join(t.Context(), logs, segment.NewChain(segment.NewDir(folder, mb), restore()), span)
	if err != nil || j.Segments() != last-1 || j.Unsure != "" {
		t.Errorf("with a folder: %d segments count, %v (%s)", j.Segments(), err, j.Unsure)
	}
}
