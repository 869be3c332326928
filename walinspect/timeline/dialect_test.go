package timeline

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

func TestReadings(t *testing.T) {
	long := strings.Repeat("x", 1012) + " \t"
	tests := []struct {
		name string
		in   string
		want [3]string // by 13 to 18, 19, pg_rewind: positions, or the rule
	}{
		{"as servers write it", "1\t0/3000060\tno recovery target specified\n\n2\t0/5000148\tx\n", [3]string{"0/3000060 0/5000148", "0/3000060 0/5000148", "0/3000060 0/5000148"}},
		{"nine digits", "1\t0/130000600\n", [3]string{"0/30000600", "0/13000060", "0/30000600"}},
		{"prefix", "1\t0/0x3000060\n", [3]string{"0/3000060", "0/300006", "0/3000060"}},
		{"reason past the longest line", "1\t0/3000060\t" + long + "2\tno position\n", [3]string{"numeric-timeline", "numeric-timeline", "0/3000060"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got [3]string
			for i, r := range Readings(9, []byte(tt.in)) {
				if syntax, is := r.Err.(*SyntaxError); is {
					got[i] = string(syntax.Rule)
					continue
				}
				var ends []string
				for _, e := range r.History.Entries {
					ends = append(ends, e.End.String())
				}
				got[i] = strings.Join(ends, " ")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOddities(t *testing.T) {
	in := "# comment\n1\t0/1\tx\n 2 0/2\r\n3A/5\n+4 0/4\n5 0x1/2\n6\t0/123456789\n7 0/7x\n\n"
	var lines []int
	for _, o := range Oddities([]byte(in)) {
		lines = append(lines, o.Line)
	}
	if diff := cmp.Diff([]int{4, 5, 6, 7, 8}, lines); diff != "" {
		t.Error(diff)
	}
}

// Every reader accepts what any server writes, and reads the same.
func TestReadersAgreeOnWhatServersWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history(t, "h")
		for i := range h.Entries {
			h.Entries[i].Reason = rapid.StringMatching(`[ -~]{0,60}`).Draw(t, "reason")
		}
		b := h.Format(rapid.SampledFrom([]int{13, 18, 19}).Draw(t, "major"))
		if odd := Oddities(b); len(odd) > 0 {
			t.Fatalf("odd rows %v in %q", odd, b)
		}
		readings := Readings(h.Timeline, b)
		for _, r := range readings {
			if r.Err != nil {
				t.Fatalf("%s: %v", r.By, r.Err)
			}
			if diff := cmp.Diff(readings[0].History, r.History); diff != "" {
				t.Fatalf("%s: %s", r.By, diff)
			}
		}
	})
}

// FuzzRules holds the parser to the rules written the other way round: by
// regular expressions over lines, as a person would check a file.
func FuzzRules(f *testing.F) {
	f.Add(uint32(3), "1\t0/3000060\tx\n\n2\t0/5000148\n")
	f.Add(uint32(3), "2\t0/5000148\n1\t0/3000060\n")
	f.Add(uint32(2), "# x\n\n9 0/1\n")
	f.Fuzz(func(t *testing.T, tli uint32, text string) {
		_, err := Parse(pg.TimelineID(tli), []byte(text))
		last, increasing := int64(-1), true
		for _, line := range strings.Split(text, "\n") {
			if len(line) >= maxLine || strings.ContainsRune(line, 0) {
				return // cut: another matter
			}
			s := strings.Trim(line, space)
			if s == "" || s[0] == '#' {
				continue
			}
			if !strictRow.MatchString(s) {
				return // rules for what no server writes are in other tests
			}
			n, err := strconv.ParseInt(s[:strings.IndexAny(s, " \t")], 10, 64)
			if err != nil || n >= 1<<32 {
				return
			}
			increasing, last = increasing && n > last, n
		}
		valid := increasing && last < int64(tli)
		if valid != (err == nil) {
			t.Fatalf("%q for timeline %d: %v, want valid %t", text, tli, err, valid)
		}
	})
}
