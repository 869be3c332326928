package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// harmed is a copy of what a real server wrote, in a folder of its own.
type harmed struct {
	t        *testing.T
	dir      string
	size     pg.SegmentSize
	segments []pg.SegmentName // of the path to timeline 3
	end      pg.LSN           // of the log
}

func copyFixture(t *testing.T, fixture string) *harmed {
	t.Helper()
	g, err := segment.Discover(t.Context(), fixture)
	if err != nil {
		t.Fatal(err)
	}
	h := &harmed{t: t, dir: t.TempDir(), size: g.SegmentSize}
	source := segment.NewDir(fixture, h.size)
	newest := map[uint64]pg.SegmentName{}
	var names []string
	for info, err := range source.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name.Format(h.size))
		if info.Name.Timeline >= newest[info.Name.Number].Timeline {
			newest[info.Name.Number] = info.Name
		}
	}
	for _, name := range append(names, pg.TimelineID(2).HistoryName(), pg.TimelineID(3).HistoryName()) {
		f, err := source.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.Bytes()
		f.Close() // read only
		if err == nil {
			err = os.WriteFile(filepath.Join(h.dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range newest {
		h.segments = append(h.segments, name)
	}
	slices.SortFunc(h.segments, func(a, b pg.SegmentName) int { return int(a.Number) - int(b.Number) })
	check, _ := h.check("3")
	h.end = check.Runs[0].To
	return h
}

func (h *harmed) path(n int) string {
	return filepath.Join(h.dir, h.segments[(n+len(h.segments))%len(h.segments)].Format(h.size))
}

// change overwrites bytes of the n-th segment; -1 is the last.
func (h *harmed) change(n int, offset uint32, change func(old []byte)) {
	h.t.Helper()
	b, err := os.ReadFile(h.path(n))
	if err == nil {
		change(b[offset:])
		err = os.WriteFile(h.path(n), b, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *harmed) check(timeline string) (walCheck, int) {
	h.t.Helper()
	stdout, stderr, status := forkpointOutput(h.t, "inspect", "--check", h.dir, "--timeline", timeline, "--format", "json")
	var check walCheck
	if err := json.Unmarshal([]byte(stdout), &check); err != nil || len(check.Runs) == 0 {
		h.t.Fatalf("inspect --check: status %d, %v\n%s%s", status, err, stdout, stderr)
	}
	return check, status
}

// TestCheckNamesHowTheLogEnds does one named damage each to segments that real
// servers wrote. inspect --check names it, and finds what survives beyond.
func TestCheckNamesHowTheLogEnds(t *testing.T) {
	flip := func(b []byte) { b[0] ^= 0x10 }
	tests := []struct {
		name     string
		harm     func(h *harmed)
		timeline string   // 3 if empty
		reasons  []string // of the runs of valid log
		status   int
	}{
		{name: "none", harm: func(*harmed) {}, reasons: []string{"clean-end"}},
		{name: "the last record is not there in full", harm: func(h *harmed) {
			h.change(-1, uint32(h.size.Offset(h.end))-12, flip)
		}, reasons: []string{"torn"}},
		{name: "older pages follow", harm: func(h *harmed) {
			older, err := os.ReadFile(h.path(0))
			if err != nil {
				t.Fatal(err)
			}
			next := uint32(h.size.Offset(h.end)+8191) &^ 8191
			h.change(-1, next, func(b []byte) { copy(b, older[next:]) })
		}, reasons: []string{"recycled"}},
		{name: "the segment after a switch is absent", harm: func(h *harmed) {
			if err := os.Remove(h.path(-1)); err != nil {
				t.Fatal(err)
			}
		}, timeline: "2", reasons: []string{"switch-tail"}},
		{name: "a page of zeros", harm: func(h *harmed) {
			h.change(1, 40*8192, func(b []byte) { clear(b[:8192]) })
		}, reasons: []string{"zero-fill", "clean-end"}, status: 3},
		{name: "a bit", harm: func(h *harmed) { h.change(1, 300_001, flip) }, reasons: []string{"corrupt", "clean-end"}, status: 3},
		{name: "a page of another version", harm: func(h *harmed) { h.change(1, 40*8192, flip) }, reasons: []string{"corrupt", "clean-end"}, status: 3},
		{name: "a segment is missing", harm: func(h *harmed) {
			if err := os.Remove(h.path(1)); err != nil {
				t.Fatal(err)
			}
		}, reasons: []string{"missing-segment", "clean-end"}, status: 3},
		{name: "half a file", harm: func(h *harmed) {
			if err := os.Truncate(h.path(1), int64(h.size)/2); err != nil {
				t.Fatal(err)
			}
		}, reasons: []string{"truncated-file", "clean-end"}, status: 3},
		{name: "another cluster's file", harm: func(h *harmed) { h.change(1, 24, flip) }, reasons: []string{"wrong-cluster", "clean-end"}, status: 3},
		{name: "a later timeline's file", harm: func(h *harmed) {
			h.change(1, 4, func(b []byte) { b[0] = 3 })
		}, reasons: []string{"wrong-timeline", "clean-end"}, status: 3},
	}
	for _, fixture := range []string{"pg13", "pg17", "pg19"} {
		for _, tt := range tests {
			t.Run(fixture+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				h := copyFixture(t, "../../testdata/"+fixture)
				tt.harm(h)
				timeline := tt.timeline
				if timeline == "" {
					timeline = "3"
				}
				check, status := h.check(timeline)
				var reasons []string
				for _, run := range check.Runs {
					reasons = append(reasons, string(run.Stop.Reason))
				}
				if diff := cmp.Diff(tt.reasons, reasons); diff != "" || status != tt.status {
					t.Fatalf("status %d, want %d; reasons (-want +got)\n%s", status, tt.status, diff)
				}
				first := check.Runs[0].Stop
				if first.Want == "" || first.Got == "" || first.LSN == 0 {
					t.Errorf("no evidence: %+v", first)
				}
				if wrong := len(check.Findings); (wrong > 0) != (tt.status != 0) || wrong > 0 && check.Findings[0].Code != "wal-"+tt.reasons[0] {
					t.Errorf("findings %+v", check.Findings)
				}
				if last := check.Runs[len(check.Runs)-1]; timeline == "3" && tt.reasons[0] != "torn" && last.To != h.end {
					t.Errorf("the last valid record ends at %s, want %s", last.To, h.end)
				}
				plain, _, _ := forkpointOutput(t, "inspect", "--check", h.dir, "--timeline", timeline)
				if !strings.Contains(plain, tt.reasons[0]) {
					t.Errorf("the text does not name %s:\n%s", tt.reasons[0], plain)
				}
			})
		}
	}
}
