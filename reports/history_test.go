package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func historyFile(tli pg.TimelineID, rows ...string) HistoryFile {
	return HistoryFile{Path: "/wal/" + tli.HistoryName(), Content: []byte(strings.Join(rows, "\n") + "\n")}
}

func TestCheckHistory(t *testing.T) {
	two := historyFile(2, "1\t0/3000060\tno recovery target specified")
	three := historyFile(3, "1\t0/3000060\tno recovery target specified", "", "2\t0/5000000\tbefore lunch")
	tests := []struct {
		name  string
		place HistoryPlace
		want  []string // code, then line where there is one
	}{
		{name: "no files", place: HistoryPlace{Current: 1}},
		{name: "two that agree", place: HistoryPlace{Current: 3, Files: []HistoryFile{two, three}}},
		{
			name:  "a row moved to the top by hand",
			place: HistoryPlace{Files: []HistoryFile{two, historyFile(3, "2\t0/5000000\tx", "1\t0/3000060\tx")}},
			want:  []string{"history-syntax:2"},
		},
		{
			name:  "a row above the file's own number",
			place: HistoryPlace{Files: []HistoryFile{historyFile(2, "1\t0/3000060\tx", "4\t0/5000000\tx")}},
			want:  []string{"history-syntax:2"},
		},
		{
			name:  "no position",
			place: HistoryPlace{Files: []HistoryFile{historyFile(2, "1\tnowhere")}},
			want:  []string{"history-syntax:1"},
		},
		{
			name:  "empty, as after a full disk",
			place: HistoryPlace{Files: []HistoryFile{{Path: "/wal/00000002.history"}}},
			want:  []string{"history-empty"},
		},
		{
			name:  "lower case name",
			place: HistoryPlace{Files: []HistoryFile{{Path: "/wal/0000000a.history", Content: two.Content}}},
			want:  []string{"history-name"},
		},
		{
			name:  "switch points backwards",
			place: HistoryPlace{Files: []HistoryFile{historyFile(3, "1\t0/5000000\tx", "2\t0/3000060\tx")}},
			want:  []string{"history-backwards:2"},
		},
		{
			name:  "parent tells another beginning",
			place: HistoryPlace{Files: []HistoryFile{two, historyFile(3, "1\t0/4000000\tx", "2\t0/5000000\tx")}},
			want:  []string{"history-conflict", "history-ancestors:2"},
		},
		{
			name:  "child lost a row",
			place: HistoryPlace{Files: []HistoryFile{two, historyFile(3, "2\t0/5000000\tx")}},
			want:  []string{"history-ancestors:1"},
		},
		{
			name:  "a hole hides the newest",
			place: HistoryPlace{Current: 2, Files: []HistoryFile{two, historyFile(4, "1\t0/3000060\tx", "2\t0/5000000\tx", "3\t0/6000000\tx")}},
			want:  []string{"history-hole"},
		},
		{
			name:  "current timeline without its file",
			place: HistoryPlace{Current: 4, Files: []HistoryFile{two, three}},
			want:  []string{"history-missing"},
		},
		{
			name:  "checkpoint at the switch point is past it",
			place: HistoryPlace{Current: 1, Checkpoint: 0x3000060, Files: []HistoryFile{two}},
			want:  []string{"past-switch-point"},
		},
		{
			name:  "minimum recovery point at the switch point is not",
			place: HistoryPlace{Current: 1, Checkpoint: 0x2000000, MinRecoveryPoint: 0x3000060, Files: []HistoryFile{two}},
		},
		{
			name:  "an archive that begins late has no hole",
			place: HistoryPlace{Files: []HistoryFile{three}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range CheckHistory(tt.place).Findings {
				code := f.Code
				if f.Line > 0 {
					code += fmt.Sprintf(":%d", f.Line)
				}
				got = append(got, code)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoPlacesThatTookTheSameNumber(t *testing.T) {
	a := HistoryPlace{Path: "/a", Files: []HistoryFile{{Path: "/a/00000002.history", Content: []byte("1\t0/3000060\tx\n")}}}
	b := HistoryPlace{Path: "/b", Files: []HistoryFile{{Path: "/b/00000002.history", Content: []byte("1\t0/3000100\ty\n")}}}
	c := CheckHistory(a, b)
	if len(c.Findings) != 1 || c.Findings[0].Code != "history-conflict" {
		t.Fatalf("findings %+v, want one history-conflict", c.Findings)
	}
	for _, want := range []string{"0/3000060", "/a/00000002.history", "0/3000100", "/b/00000002.history"} {
		if !strings.Contains(c.Findings[0].Detail, want) {
			t.Errorf("detail %q does not name %s", c.Findings[0].Detail, want)
		}
	}
}

// TestRepairCommandCanBePasted quotes the place in a command to type.
func TestRepairCommandCanBePasted(t *testing.T) {
	place := HistoryPlace{Path: "/wal of the shop", Current: 1, Log: &PlaceLog{SegmentSize: 16 << 20, Held: map[pg.TimelineID][]uint64{7: {3}}}}
	c := CheckHistory(place)
	i := slices.IndexFunc(c.Findings, func(f Finding) bool { return f.Code == "segment-unknown-timeline" })
	if want := "forkpoint history repair 7 '/wal of the shop'"; i < 0 || !strings.HasSuffix(c.Findings[i].Hint, want) {
		t.Errorf("findings %+v, want a hint that ends with %s", c.Findings, want)
	}
}

// A file is its own place's, whatever the names of other places begin with and
// however a place is written.
func TestPlaceHoldsItsOwnFiles(t *testing.T) {
	one := HistoryPlace{Path: "./n1", Files: []HistoryFile{{Path: "n1/pg_wal/00000002.history"}}}
	ten := HistoryPlace{Path: "n10", Files: []HistoryFile{{Path: "n10/pg_wal/00000002.history"}}}
	for _, place := range []HistoryPlace{one, ten} {
		for _, other := range []HistoryPlace{one, ten} {
			if got, want := place.holds(other.Files[0].Path), place.Path == other.Path; got != want {
				t.Errorf("%s holds %s: %t, want %t", place.Path, other.Files[0].Path, got, want)
			}
		}
	}
}
