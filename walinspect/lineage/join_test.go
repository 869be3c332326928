package lineage

import (
	"testing"

	"forkpoint/walinspect/pg"
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
		linked       bool
	}{
		{"its own", crossing(3000), crossing(3000), 2, false},
		{"another's", crossing(3000), crossing(2900), 0, false},
		{"its own, no record crosses", exact(3000), exact(3000), 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			logs := Logs{B: write(t, tt.own.Log(), 3), Path: timeline.SingleTimeline(1), Geometry: tt.own.Log().Geometry}
			j, err := Join(t.Context(), logs, write(t, tt.archive.Log()), pg.Span{From: mb, To: tt.own.End()})
			if err != nil || j.Segments() != tt.want || j.Linked != tt.linked || (tt.want == 2) != (j.Unsure == "") {
				t.Fatalf("%d segments count, linked %t, %v (%s); want %d", j.Segments(), j.Linked, err, j.Unsure, tt.want)
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
