package timeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func parse(t testing.TB, tli pg.TimelineID, text string) *History {
	t.Helper()
	h, err := Parse(tli, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTree(t *testing.T) {
	tree := NewTree(
		parse(t, 2, "1\t0/3000\tfirst\n"),
		parse(t, 4, "1\t0/3000\tfirst\n2\t0/5000\n"),
		parse(t, 5, "1\t0/2000\n"),
		parse(t, 7, "1\t0/3000\n2\t0/5000\n6\t0/9000\n"),
	)
	if diff := cmp.Diff([]pg.TimelineID{1, 2, 4, 5, 6, 7}, tree.Timelines()); diff != "" {
		t.Errorf("timelines: %s", diff)
	}
	if got := tree.Conflicts(); got != nil {
		t.Errorf("conflicts: %v", got)
	}
	if diff := cmp.Diff([]Branch{{5, 1, 0x2000, ""}, {2, 1, 0x3000, "first"}}, tree.Children(1)); diff != "" {
		t.Errorf("children of 1: %s", diff)
	}
	if diff := cmp.Diff([]Branch{{4, 2, 0x5000, ""}, {6, 2, 0x5000, ""}}, tree.Children(2)); diff != "" {
		t.Errorf("children of 2: %s", diff)
	}
	paths := map[pg.TimelineID]Path{
		1: SingleTimeline(1),
		2: {{1, 0, 0x3000}, {2, 0x3000, pg.MaxLSN}},
		6: {{1, 0, 0x3000}, {2, 0x3000, 0x5000}, {6, 0x5000, pg.MaxLSN}},
	}
	for tli, want := range paths {
		got, known := tree.Path(tli)
		if diff := cmp.Diff(want, got); diff != "" || !known {
			t.Errorf("path to %d, known %t: %s", tli, known, diff)
		}
	}
	if _, known := tree.Path(3); known {
		t.Error("timeline 3 is known")
	}
	if b, found := tree.Branch(1); found {
		t.Errorf("timeline 1 begins at %v", b)
	}
	if tree.History(6) != nil || tree.History(7) == nil {
		t.Error("history files are mixed up")
	}
}

func TestTreeConflicts(t *testing.T) {
	tree := NewTree(
		parse(t, 2, "1\t0/3000\tfirst\n"),
		parse(t, 3, "1\t0/4000\tsecond\n2\t0/5000\n"),
		parse(t, 3, "1\t0/3000\n"),
	)
	want := []Conflict{
		{2, []Story{
			{Branch{2, 1, 0x3000, "first"}, []pg.TimelineID{2}},
			{Branch{2, 1, 0x4000, "second"}, []pg.TimelineID{3}},
		}},
		{3, []Story{
			{Branch{3, 2, 0x5000, ""}, []pg.TimelineID{3}},
			{Branch{3, 1, 0x3000, ""}, []pg.TimelineID{3}},
		}},
	}
	if diff := cmp.Diff(want, tree.Conflicts()); diff != "" {
		t.Error(diff)
	}
	if b, _ := tree.Branch(2); b.Begin != 0x3000 {
		t.Errorf("timeline 2 begins at %s, but its own file says 0/3000", b.Begin)
	}
}
