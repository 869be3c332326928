package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"forkpoint/reports"
)

// page has a page of its own besides the document.
type page struct {
	report
	page reports.Document
}

func (p page) Page() reports.Document { return p.page }

const hostile = `</script><img src=x onerror=alert(1)>"'` + "\x1b[2J\u202e"

func samplePage(relations int) page {
	strip := reports.Strip{Blocks: 1000, Parts: []reports.StripPart{{Touched: 0.1}, {Touched: 1, Both: true}, {}, {Touched: 0.6}}}
	table := reports.Table{Columns: []reports.Column{{Title: "relation"}, {Title: "blocks", Right: true}, {Title: "where"}, {Title: "at"}},
		Footer: []any{"all", reports.Count(3), "", ""}, Note: "A note."}
	for i := range relations {
		name := fmt.Sprintf("shop: relation_%d", i)
		if i == 1 {
			name = "shop: " + hostile
		}
		if i == 2 {
			name = "shop: a_very_long_schema_name_that_nobody_would_type." + strings.Repeat("long_relation_name_", 6)
		}
		table.Rows = append(table.Rows, []any{name, reports.Count(relations - i), strip, time.Date(2026, 3, 1, 3, 0, i%60, 0, time.UTC)})
	}
	begin := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	history := reports.HistoryFigure{From: begin, To: begin.Add(5 * time.Minute), Step: time.Minute,
		Target: reports.Buckets{WALBytes: []uint64{9e6, 4e6, 0, 1e6, 12e6, 1}, Commits: []int{90, 40, 0, 3, 120, 0}},
		Source: reports.Buckets{WALBytes: []uint64{0, 0, 2e6, 8e6, 9e6, 3e6}, Commits: []int{0, 0, 20, 80, 70, 30}}}
	branches := reports.BranchFigure{Common: 1, Fork: 0x3000060, Checkpoint: 0x2000060, Redo: 0x2000028, Branches: [2]reports.FigureBranch{
		{Role: "target", First: 1, Timeline: 1, End: 0x4A00000, WALBytes: 26 << 20, Commits: 253, Known: true},
		{Role: "source", First: 2, Timeline: 3, End: 0x4200000, WALBytes: 19 << 20, Commits: 200, Known: true}}}
	return page{sample, reports.Document{Title: "Divergence " + hostile, Sections: []reports.Section{
		sample.doc.Sections[0], sample.doc.Sections[2],
		{Title: "Where they parted", Parts: []reports.Part{branches}},
		{Title: "Since the fork", Parts: []reports.Part{history}},
		{Title: "By loss", Parts: []reports.Part{reports.BarFigure{{Label: "shop: orders", Blocks: 1200, Rows: 40000}, {Label: strings.Repeat("x", 120), Blocks: 7}, {Label: hostile, Blocks: 1}}}},
		{Title: "Relations", Parts: []reports.Part{table}},
	}}}
}

func writePage(t *testing.T, r reports.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r, Options{Format: HTML}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPageIsWellFormed reads the page as XML does, but for what HTML alone
// has: elements without an end, and a script whose text is its own.
func TestPageIsWellFormed(t *testing.T) {
	text := writePage(t, samplePage(30))
	text = regexp.MustCompile(`(?s)<(script|style)>.*?</(script|style)>`).ReplaceAllString(text, "")
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict, dec.AutoClose, dec.Entity = false, []string{"meta"}, xml.HTMLEntity
	counts := map[string]int{}
	var open []string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			counts[token.Name.Local]++
			open = append(open, token.Name.Local)
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" || a.Name.Local == "href" || a.Name.Local == "style" {
					t.Errorf("element %s has attribute %s", token.Name.Local, a.Name.Local)
				}
			}
		case xml.EndElement:
			if last := open[len(open)-1]; last != token.Name.Local {
				t.Fatalf("%s is closed by %s", last, token.Name.Local)
			}
			open = open[:len(open)-1]
		}
	}
	want := map[string]int{"table": 1, "tr": 32, "svg": 30 + 1 + 2 + 1, "li": 2, "h1": 1, "h2": 5}
	for name, n := range want {
		if counts[name] != n {
			t.Errorf("%d elements %s, want %d", counts[name], name, n)
		}
	}
	if counts["img"] > 0 {
		t.Error("a name became an element")
	}
}

// TestPageNeedsNothingElse holds the page to what it promises: no network, no
// control characters, one script.
func TestPageNeedsNothingElse(t *testing.T) {
	text := writePage(t, samplePage(30))
	for _, bad := range []string{"http:", "https:", "//cdn", "@import", "url(", "<link", "<img", "\x1b", "\u202e", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "@media print", `data-v="29"`, `&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;`, `\x1b[2J\x202e`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageOfAnyReport shows reports that have no page of their own.
func TestPageOfAnyReport(t *testing.T) {
	text := writePage(t, sample)
	for _, want := range []string{"<h1>A report</h1>", "<dt>fork</dt><dd>0/3000060 <small>on timeline 1</small></dd>", "There are no others."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// discard counts what is written and keeps nothing.
type discard struct{ n int }

func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }

func BenchmarkPage(b *testing.B) {
	p := samplePage(5000)
	for b.Loop() {
		var out discard
		if err := Write(&out, p, Options{Format: HTML}); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(out.n))
	}
}
