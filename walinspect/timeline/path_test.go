package timeline

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

const mb = 1 << 20

// path parses a history and gives its path; timeline 1 has none.
func path(t testing.TB, tli pg.TimelineID, text string) Path {
	t.Helper()
	if text == "" {
		return SingleTimeline(tli)
	}
	h, err := Parse(tli, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return h.Path()
}

func TestOwner(t *testing.T) {
	p := path(t, 4, "1\t0/300000\n3\t0/500000\n")
	tests := []struct {
		lsn  pg.LSN
		want pg.TimelineID
	}{
		{0, 1}, {1, 1}, {0x2FFFFF, 1}, {0x300000, 3}, {0x4FFFFF, 3}, {0x500000, 4}, {pg.MaxLSN, 4},
	}
	for _, tt := range tests {
		if got := p.Owner(tt.lsn); got != tt.want {
			t.Errorf("Owner(%s) = %d, want %d", tt.lsn, got, tt.want)
		}
	}
	if got := SingleTimeline(1).Owner(5); got != 1 {
		t.Errorf("single timeline: owner %d", got)
	}
	if got := (Path)(nil).Owner(5); got != 0 {
		t.Errorf("empty path: owner %d", got)
	}
}

func TestSegmentTimelines(t *testing.T) {
	tests := []struct {
		name    string
		history string
		segment uint64
		want    []pg.TimelineID
	}{
		{"before the switch", "1\t0/380000\n", 2, []pg.TimelineID{1}},
		{"segment of the switch", "1\t0/380000\n", 3, []pg.TimelineID{9, 1}},
		{"after the switch", "1\t0/380000\n", 4, []pg.TimelineID{9}},
		{"switch at the border, before it", "1\t0/400000\n", 3, []pg.TimelineID{1}},
		{"switch at the border, after it", "1\t0/400000\n", 4, []pg.TimelineID{9}},
		{"two switches in one segment", "1\t0/310000\n4\t0/320000\n", 3, []pg.TimelineID{9, 4, 1}},
		{"two switches, the segment between", "1\t0/110000\n4\t0/320000\n", 2, []pg.TimelineID{4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := path(t, 9, tt.history).SegmentTimelines(mb, tt.segment)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommonAncestor(t *testing.T) {
	tests := []struct {
		name           string
		source, target Path
		want           ForkPoint
	}{
		{"standby promoted, old primary is rewound",
			path(t, 2, "1\t0/3000\n"), path(t, 1, ""), ForkPoint{0x3000, 1, 2, 1}},
		{"promoted standby is rewound to its old primary",
			path(t, 1, ""), path(t, 2, "1\t0/3000\n"), ForkPoint{0x3000, 1, 1, 2}},
		{"two standbys promoted to the same number",
			path(t, 2, "1\t0/3000\n"), path(t, 2, "1\t0/4000\n"), ForkPoint{0x3000, 1, 2, 1}},
		{"two standbys promoted, target left first",
			path(t, 3, "1\t0/5000\n"), path(t, 2, "1\t0/4000\n"), ForkPoint{0x4000, 1, 1, 2}},
		{"two standbys promoted at one position",
			path(t, 3, "1\t0/4000\n"), path(t, 2, "1\t0/4000\n"), ForkPoint{0x4000, 1, 3, 2}},
		{"source promoted twice",
			path(t, 3, "1\t0/3000\n2\t0/5000\n"), path(t, 1, ""), ForkPoint{0x3000, 1, 2, 1}},
		{"target on the middle timeline",
			path(t, 3, "1\t0/3000\n2\t0/5000\n"), path(t, 2, "1\t0/3000\n"), ForkPoint{0x5000, 2, 3, 2}},
		{"the same",
			path(t, 2, "1\t0/3000\n"), path(t, 2, "1\t0/3000\n"), ForkPoint{pg.MaxLSN, 2, 2, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CommonAncestor(tt.source, tt.target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Same() != (tt.name == "the same") {
				t.Errorf("Same() = %t", got.Same())
			}
		})
	}
	for _, pair := range [][2]Path{{SingleTimeline(1), SingleTimeline(2)}, {path(t, 3, "2\t0/1\n"), SingleTimeline(1)}, {nil, SingleTimeline(1)}} {
		if fork, err := CommonAncestor(pair[0], pair[1]); !errors.Is(err, ErrUnrelated) {
			t.Errorf("CommonAncestor(%v, %v) = %v, %v; want ErrUnrelated", pair[0], pair[1], fork, err)
		}
	}
}

// history draws a well-formed history as servers write them: positions increase.
func history(t *rapid.T, label string) *History {
	h := &History{}
	tli, end := pg.TimelineID(0), pg.LSN(0)
	for range rapid.IntRange(0, 4).Draw(t, label+" ancestors") {
		tli += pg.TimelineID(rapid.IntRange(1, 2).Draw(t, label+" timeline"))
		end += pg.LSN(rapid.IntRange(1, 5).Draw(t, label+" length")) * mb / 2
		h.Entries = append(h.Entries, Entry{Timeline: tli, End: end})
	}
	h.Timeline = tli + 1
	return h
}

func TestPathProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := history(t, "h").Path()
		n := rapid.Uint64Range(0, 14).Draw(t, "segment")
		files := p.SegmentTimelines(mb, n)
		if !slices.IsSortedFunc(files, func(a, b pg.TimelineID) int { return int(b) - int(a) }) {
			t.Fatalf("files of segment %d: %v", n, files)
		}
		var owners []pg.TimelineID // of every position in the segment where an owner can change
		for l := pg.SegmentSize(mb).Start(n); l < pg.SegmentSize(mb).Start(n+1); l += mb / 2 {
			owner := p.Owner(l)
			step, found := p.Step(owner)
			if !found || !step.Span().Contains(l) {
				t.Fatalf("owner of %s is %d with %v", l, owner, step)
			}
			owners = append(owners, owner)
		}
		slices.Reverse(owners)
		if diff := cmp.Diff(slices.Compact(owners), files); diff != "" {
			t.Fatalf("segment %d of %v:\n%s", n, p, diff)
		}
	})
}

func TestCommonAncestorProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := history(t, "a").Path(), history(t, "b").Path()
		fork, err := CommonAncestor(a, b)
		if errors.Is(err, ErrUnrelated) {
			if a[0].Timeline == b[0].Timeline {
				t.Fatalf("%v and %v: %v", a, b, err)
			}
			return
		}
		mirror, _ := CommonAncestor(b, a)
		if diff := cmp.Diff(ForkPoint{fork.LSN, fork.Timeline, fork.Target, fork.Source}, mirror); diff != "" {
			t.Fatal(diff)
		}
		if fork.Same() != cmp.Equal(a, b) {
			t.Fatalf("%v and %v: %v", a, b, fork)
		}
		for l := pg.LSN(0); l < min(fork.LSN, 30*mb); l += mb / 4 {
			if a.Owner(l) != b.Owner(l) {
				t.Fatalf("before the fork point, at %s, owners are %d and %d", l, a.Owner(l), b.Owner(l))
			}
		}
		if fork.Same() {
			return
		}
		if a.Owner(fork.LSN-1) != fork.Timeline || a.Owner(fork.LSN) != fork.Source || b.Owner(fork.LSN) != fork.Target {
			t.Fatalf("%v and %v: %v", a, b, fork)
		}
	})
}
