package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/timeline"
)

// forkedAt is where a server that has read a history file says that timeline 1
// was left.
var forkedAt = regexp.MustCompile(`forked off from that timeline at ([0-9A-F]+/[0-9A-F]+)`)

// TestHistoryFilesAtServers gives history files to real servers, which are to
// recover to the timeline of that file. All leave timeline 1 before the
// server's checkpoint, so that no server starts: one that takes the file says
// where it read that timeline 1 was left, one that does not names the rule.
// "history validate" must say the same, and ParseAs what that version does.
func TestHistoryFilesAtServers(t *testing.T) {
	const tli = 3
	long := strings.Repeat("x", 2000)
	files := []struct{ name, text string }{
		{"as a server writes it", "1\t0/100060\tno recovery target specified\n\n2\t0/100160\tno recovery target specified\n"},
		{"without a reason, without an end of line", "1\t0/100060\n2\t0/100160"},
		{"comments, blanks, carriage returns", "# by hand\r\n\r\n  1\t0/100060\tx\r\n \t2  0/100160\r\n"},
		{"lower case digits", "1\t0/abcd0\n"},
		{"text behind the position", "1\t0/100060junk\n"},
		{"many zeros", "1\t0/0000000000100060\n"},
		{"more than 32 bits", "1\t0/100100060\n"},
		{"hexadecimal prefix", "1\t0x0/0x100060\n"},
		{"a sign", "+1\t0/100060\n"},
		{"a negative position", "1\t0/-FFF00000\n"},
		{"a long reason", "1\t0/100060\t" + long + "\n"},
		{"a long reason that goes on as a row", "1\t0/100060\t" + strings.Repeat("x", 1023-len("1\t0/100060\t")) + "7\t0/5\n"},
		{"a zero byte", "1\t0/100060\tx\x00y\n2\t0/100160\tz\n"},
		{"empty", ""},
		{"only a comment", "# nothing\n"},
		{"no timeline", "timeline 1\t0/100060\n"},
		{"a byte order mark", "\ufeff1\t0/100060\n"},
		{"no position", "1\n"},
		{"a word for a position", "1\tnowhere\n"},
		{"half a position", "1\t0/\n"},
		{"rows in the wrong order", "2\t0/100160\tx\n1\t0/100060\tx\n"},
		{"a row twice", "1\t0/100060\tx\n1\t0/100060\tx\n"},
		{"the file's own timeline", "1\t0/100060\tx\n3\t0/100160\tx\n"},
		{"a later timeline", "1\t0/100060\tx\n7\t0/100160\tx\n"},
		{"cut off in a row", "1\t0/100060\tx\n2\t0"},
		{"zero", "1\t0/0\tx\n"},
	}
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.New(t, pgtest.Major(major), pgtest.SegSize(1))
		s.Set("recovery_target_timeline", "3")
		s.Set("restore_command", "false")
		s.WriteFile("recovery.signal", "")
		dialect := timeline.Server13
		if major >= 19 {
			dialect = timeline.Server19
		}
		for _, f := range files {
			s.WriteFile("pg_wal/00000003.history", f.text)
			before := len(s.Log())
			if err := s.TryStart(); err == nil {
				t.Fatalf("%s: the server started", f.name)
			}
			log := s.Log()[before:]
			h, err := timeline.ParseAs(dialect, tli, []byte(f.text))
			refused := strings.Contains(log, "error in history file") || strings.Contains(log, "invalid data in history file")
			want := pg.InvalidLSN
			if err == nil && len(h.Entries) > 0 && h.Entries[0].Timeline == 1 {
				want = h.Entries[0].End
			}
			switch at := forkedAt.FindStringSubmatch(log); {
			case refused != (err != nil):
				t.Errorf("%s: refused by the server: %t, by us: %v\n%s", f.name, refused, err, log)
			case refused:
				_, rule, _ := strings.Cut(strings.ToLower(log), "in history file")
				_, rule, _ = strings.Cut(rule, "hint:")
				rule, _, _ = strings.Cut(strings.TrimSpace(rule), ".\n")
				if !strings.Contains(strings.ToLower(err.Error()), rule) {
					t.Errorf("%s: the server's rule is %q, ours: %v", f.name, rule, err)
				}
			case len(h.Entries) == 0:
				if !strings.Contains(log, "could not locate a valid checkpoint record") {
					t.Errorf("%s: the server finds its checkpoint on a timeline without ancestors\n%s", f.name, log)
				}
			case at == nil && want > 8<<20: // behind the checkpoint, so that it goes on
			case at == nil:
				t.Errorf("%s: no word of a fork\n%s", f.name, log)
			default:
				if got, err := pg.ParseLSN(at[1]); err != nil || got != want {
					t.Errorf("%s: the server reads %s, we read %s\n%s", f.name, at[1], want, log)
				}
			}
			checkFindings(t, f.name, filepath.Join(s.Dir(), "pg_wal", "00000003.history"), dialect, refused, err == nil && len(h.Entries) == 0)
		}
	})
}

// checkFindings wants a finding of damage for what servers of 13 to 18 refuse
// and for a file without rows, and for what a later one takes otherwise, that
// they do not agree.
func checkFindings(t *testing.T, name, path string, dialect timeline.Dialect, refused, empty bool) {
	t.Helper()
	_, out := forkpoint(t, "history", "validate", "--format", "json", path)
	var check reports.HistoryCheck
	if err := json.Unmarshal([]byte(out), &check); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	has := func(code string) bool {
		return slices.ContainsFunc(check.Findings, func(f reports.Finding) bool { return f.Code == code })
	}
	differ := dialect != timeline.Server13 && has("history-dialect")
	if has("history-syntax") != refused && !differ || has("history-empty") != empty {
		t.Errorf("%s: refused %t, without rows %t, findings %+v", name, refused, empty, check.Findings)
	}
}
