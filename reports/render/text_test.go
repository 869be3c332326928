package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
)

type report struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	doc    reports.Document
}

func (r report) Document() reports.Document { return r.doc }
func (r report) Worst() reports.Severity    { return reports.None }

var sample = report{Schema: "test/1", Name: "<a> & b", doc: reports.Document{
	Title: "A report",
	Sections: []reports.Section{
		{Parts: []reports.Part{
			reports.Text("One sentence that is long enough to be wrapped when the terminal is as narrow as the one of this test happens to be."),
			reports.Facts{
				{Name: "fork", Value: "0/3000060", Note: "on timeline 1"},
				{Name: "bytes to copy", Value: reports.Bytes(3 << 20)},
			},
		}},
		{Title: "Relations", Parts: []reports.Part{
			reports.Table{
				Columns: []reports.Column{{Title: "relation"}, {Title: "blocks", Right: true}, {Title: "last"}},
				Rows: [][]any{
					{"1663/5/16384", reports.Count(1234567), time.Date(2026, 3, 1, 3, 0, 0, 5e6, time.UTC)},
					{"evil\x1b[2J\u202ename", reports.Count(1), nil},
				},
				Footer: []any{"2 relations", reports.Count(1234568), ""},
				Note:   "Two more were left out.",
			},
			reports.Table{Columns: []reports.Column{{Title: "x"}}, Empty: "There are no others."},
		}},
		{Title: "Findings", Parts: []reports.Part{reports.FindingList{
			{Code: "wal-gap", Severity: reports.Warning, Title: "a segment is missing", Detail: "It is not there.", Timeline: 3, LSN: 0x3000060, Path: "/d/pg_wal", Line: 4, Hint: "look in the archive"},
			{Code: "end", Severity: reports.Notice, Title: "all read"},
		}}},
	},
}}

func TestTextIsReadable(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, sample, Options{Format: Text, Width: 60}); err != nil {
		t.Fatal(err)
	}
	want := `A report

  One sentence that is long enough to be wrapped when the
  terminal is as narrow as the one of this test happens to
  be.

  fork           0/3000060  on timeline 1
  bytes to copy  3.0 MiB

Relations
  relation                  blocks  last
  ---------------------------------------------------------------
  1663/5/16384           1,234,567  2026-03-01 03:00:00.005 UTC
  evil\x1b[2J\x202ename          1  -
  ---------------------------------------------------------------
  2 relations            1,234,568
  Two more were left out.

  There are no others.

Findings
  warning  a segment is missing  [wal-gap]
           at timeline 3, 0/3000060, /d/pg_wal line 4
           It is not there.
           -> look in the archive

  notice   all read  [end]
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// Where the terminal is 80 columns wide no line is longer, though every finding
// and every table of commits would be.
func TestTextFitsTerminal(t *testing.T) {
	at := time.Date(2026, 3, 1, 3, 0, 0, 5_000_000, time.UTC)
	wide := reports.Document{Sections: []reports.Section{{Title: "Commits", Parts: []reports.Part{
		reports.Table{Columns: []reports.Column{{Title: "xid", Right: true}, {Title: "committed at"}, {Title: "LSN", Right: true}, {Title: "subxacts", Right: true},
			{Title: "records", Right: true}, {Title: "WAL", Right: true}, {Title: "note"}},
			Rows: [][]any{{reports.Count(17782848), at, pg.LSN(0x19_00D5DFD8), reports.Count(0), reports.Count(13), reports.Bytes(98 << 10), ""}}},
		reports.FindingList{{Code: "open-at-fork", Severity: reports.Notice, Title: "157 transactions were open at the fork and ended on the target after it"},
			{Code: "source-wal-gap", Severity: reports.Notice, Title: "nothing tells what the source did from 19/2000028 to 19/3000000"}}}}}}
	var out bytes.Buffer
	if err := Write(&out, report{doc: wide}, Options{Format: Text, Width: 80}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.HasSuffix(line, " \n") {
			t.Errorf("spaces at the end of %q", line)
		}
	}
	if !strings.Contains(out.String(), "98 KiB") || !strings.Contains(out.String(), "[source-wal-gap]") {
		t.Errorf("something is lost:\n%s", out.String())
	}
}

func TestColoursOnlyWhereAsked(t *testing.T) {
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		if err := Write(&out, sample, Options{Format: Text, Color: color}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "\x1b["); got != color {
			t.Errorf("escape sequences with color=%v: %v", color, got)
		}
	}
}

func TestJSONIsTheReportItself(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, sample, Options{Format: JSON}); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"schema\": \"test/1\",\n  \"name\": \"<a> & b\"\n}\n"
	if out.String() != want {
		t.Errorf("got %s want %s", out.String(), want)
	}
}

func TestFormatRefusesWhatItDoesNotKnow(t *testing.T) {
	f := Text
	if err := f.Set("xml"); err == nil || f != Text {
		t.Errorf("Set(xml) = %v, format %s", err, f)
	}
}
