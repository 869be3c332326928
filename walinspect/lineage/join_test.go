package lineage

import (
	"context"
	"errors"
	"strings"
	"testing"

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
	if err != nil || j.Segments() != 0 || !strings.Contains(j.Unsure, "at 0/17") {
		t.Errorf("damaged: %d segments count, %v (%s)", j.Segments(), err, j.Unsure)
	}
}
