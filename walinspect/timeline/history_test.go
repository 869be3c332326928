package timeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func TestParse(t *testing.T) {
	long := "# " + strings.Repeat("x", maxLine-2)
	tests := []struct {
		name string
		in   string
		want []Entry
	}{
		{"empty file", "", nil},
		{"first promotion", "1\t0/30000D8\tno recovery target specified\n", []Entry{{1, 0x30000D8, "no recovery target specified", 1}}},
		{"third timeline, with the blank line the server makes", "1\t0/3000000\tno recovery target specified\n\n2\t0/5000148\tbefore 2026-01-02 03:04:05+00\n\n",
			[]Entry{{1, 0x3000000, "no recovery target specified", 1}, {2, 0x5000148, "before 2026-01-02 03:04:05+00", 3}}},
		{"version 19", "1\t0/030000D8\tno recovery target specified\n", []Entry{{1, 0x30000D8, "no recovery target specified", 1}}},
		{"comments and blanks", "# made by hand\n \t\n\v# more\n1 0/1\n", []Entry{{1, 1, "", 4}}},
		{"no final newline", "1\t0/1\tlast", []Entry{{1, 1, "last", 1}}},
		{"CRLF", "1\t0/1\tx\r\n\r\n3\t0/2\r\n", []Entry{{1, 1, "x", 1}, {3, 2, "", 3}}},
		{"spaces for tabs", "  1   0/1   x y\n", []Entry{{1, 1, "x y", 1}}},
		{"numbers may be skipped", "2\t0/1\n5\t0/2\n", []Entry{{2, 1, "", 1}, {5, 2, "", 2}}},
		{"positions need not increase", "1\t0/5\n2\t0/3\n", []Entry{{1, 5, "", 1}, {2, 3, "", 2}}},
		{"nothing between timeline and position", "1A/5\n", []Entry{{1, 0xA_00000005, "", 1}}},
		{"blank behind the slash", "1 0/ 5\n", []Entry{{1, 5, "", 1}}},
		{"signs", "+1 +1/-1\n", []Entry{{1, 0x1_FFFFFFFF, "", 1}}},
		{"prefix", "1 0x1/0X2\n", []Entry{{1, 0x1_00000002, "", 1}}},
		{"prefix alone", "1 0x/0xg\n", []Entry{{1, 0, "g", 1}}},
		{"too many digits", "1 0/123456789\n", []Entry{{1, 0x23456789, "", 1}}},
		{"many zeros", "1 00000000000000000001/1\n", []Entry{{1, 0x1_00000001, "", 1}}},
		{"timeline past 32 bits", "4294967297 1/2\n", []Entry{{1, 0x1_00000002, "", 1}}},
		{"text behind a NUL is lost", "1\t0/1\tx\x00y\n2\t0/2\n", []Entry{{1, 1, "x", 1}, {2, 2, "", 2}}},
		{"line of 1023 bytes", long + "\n1\t0/1\n", []Entry{{1, 1, "", 2}}},
		{"rest of a longer line is a line", long + "1\t0/1\n2\t0/2\n", []Entry{{1, 1, "", 1}, {2, 2, "", 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := Parse(9, []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&History{9, tt.want}, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   string
		line int
		rule Rule
		text string
	}{
		{"text", "1\t0/1\n\nhello world\n", 3, RuleTimeline, "hello world"},
		{"sign alone", "+ 1 1/1", 1, RuleTimeline, "+ 1 1/1"},
		{"no position", "1\n", 1, RuleSwitchpoint, "1"},
		{"half a position", "1\t0\n", 1, RuleSwitchpoint, "1\t0"},
		{"nothing behind the slash", "1\t0/\n", 1, RuleSwitchpoint, "1\t0/"},
		{"blank before the slash", "1\t0 /5\n", 1, RuleSwitchpoint, "1\t0 /5"},
		{"position is no number", "1\tx/5\n", 1, RuleSwitchpoint, "1\tx/5"},
		{"hexadecimal timeline", "0x1\t0/5\n", 1, RuleSwitchpoint, "0x1\t0/5"},
		{"twice the same", "1\t0/1\n1\t0/2\n", 2, RuleIncreasing, "1\t0/2"},
		{"backwards", "2\t0/1\n1\t0/2\n", 2, RuleIncreasing, "1\t0/2"},
		{"itself", "1\t0/1\n9\t0/2\n", 2, RuleChild, "9\t0/2"},
		{"above itself", "-1\t0/1\n", 1, RuleChild, "4294967295\t0/1"},
		{"number past 64 bits", "-99999999999999999999 0/1", 1, RuleChild, "4294967295\t0/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := Parse(9, []byte(tt.in))
			var e *SyntaxError
			if !errors.As(err, &e) {
				t.Fatalf("Parse = %v, %v; want a SyntaxError", h, err)
			}
			if diff := cmp.Diff(&SyntaxError{9, tt.line, tt.rule, tt.text}, e); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	h := &History{3, []Entry{
		{Timeline: 1, End: 0x30000D8, Reason: "no recovery target specified"},
		{Timeline: 2, End: 0x1_05000148, Reason: "two\nlines"},
	}}
	want := "1\t0/30000D8\tno recovery target specified\n2\t1/5000148\ttwo lines\n"
	if got := string(h.Format(18)); got != want {
		t.Errorf("version 18:\n%swant:\n%s", got, want)
	}
	want = "1\t0/030000D8\tno recovery target specified\n2\t1/05000148\ttwo lines\n"
	if got := string(h.Format(19)); got != want {
		t.Errorf("version 19:\n%swant:\n%s", got, want)
	}
	if got := (&History{Timeline: 2}).Format(15); len(got) != 0 {
		t.Errorf("no ancestors: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uint32(3), []byte("1\t0/3000000\tno recovery target specified\n\n2\t0/5000148\tbefore 2026-01-02 03:04:05+00\n\n"))
	f.Add(uint32(2), []byte("# x\r\n 1 0x10/-5 y"))
	f.Add(uint32(9), []byte("1 0/1 "+strings.Repeat("x", 1020)+"\x002 0/2\n"))
	f.Fuzz(func(t *testing.T, tli uint32, b []byte) {
		h, err := Parse(pg.TimelineID(tli), b)
		if err != nil {
			if h != nil {
				t.Fatal("history and error")
			}
			return
		}
		for _, major := range []int{18, 19} {
			again, err := Parse(h.Timeline, h.Format(major))
			if err != nil {
				t.Fatal(err)
			}
			want := &History{Timeline: h.Timeline}
			for i, e := range h.Entries {
				e.Line = i + 1
				// A reason may be so long that the written line has no room for it.
				e.Reason = again.Entries[i].Reason
				want.Entries = append(want.Entries, e)
			}
			if diff := cmp.Diff(want, again); diff != "" {
				t.Fatal(diff)
			}
		}
		p := h.Path()
		if len(p) != len(h.Entries)+1 || p.Tip() != h.Timeline {
			t.Fatalf("path %v", p)
		}
		if fork, err := CommonAncestor(p, p); err != nil || fork.Timeline != p.Tip() {
			t.Fatalf("ancestor of a path with itself: %v, %v", fork, err)
		}
	})
}
