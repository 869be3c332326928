package render

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"forkpoint/reports"
)

//go:embed page.html.tmpl
var pageTemplate string

// writeHTML writes one self-contained file, part by part, so that it takes no
// more memory than its largest row. The template escapes whatever is not its
// own; what cannot be seen is made visible before, as on a terminal.
func writeHTML(w io.Writer, r reports.Report) error {
	tmpl, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("page template: %w", err)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	p := &pageWriter{tmpl: tmpl, out: out}
	doc := r.Document()
	if page, has := r.(reports.Page); has {
		doc = page.Page()
	}
	p.put("head", clean(doc.Title))
	for i, section := range doc.Sections {
		p.section(section, i == 0)
	}
	p.put("tail", nil)
	if p.err != nil {
		return p.err
	}
	return out.Flush()
}

// pageWriter keeps the first error.
type pageWriter struct {
	tmpl *template.Template
	out  *bufio.Writer
	err  error
}

func (p *pageWriter) put(name string, data any) {
	if p.err == nil {
		p.err = p.tmpl.ExecuteTemplate(p.out, name, data)
	}
}

func (p *pageWriter) section(s reports.Section, first bool) {
	if s.Title != "" {
		p.put("heading", clean(s.Title))
	}
	for _, part := range s.Parts {
		switch part := part.(type) {
		case reports.Text:
			p.paragraphs(string(part), first)
		case reports.Facts:
			p.facts(part)
		case reports.Table:
			p.table(part)
		case reports.FindingList:
			p.findings(part)
		case reports.BranchFigure:
			p.put("branches", branchView(part))
		case reports.HistoryFigure:
			p.put("history", historyView(part))
		case reports.BarFigure:
			p.put("bars", barView(part))
		}
	}
}

func (p *pageWriter) paragraphs(s string, lead bool) {
	for line := range strings.Lines(s) {
		p.put("paragraph", struct {
			Lead bool
			Text string
		}{lead, clean(strings.TrimRight(line, "\n"))})
	}
}

func (p *pageWriter) facts(facts reports.Facts) {
	type fact struct{ Name, Value, Note string }
	var view []fact
	for _, f := range facts {
		view = append(view, fact{clean(f.Name), cell(f.Value), clean(f.Note)})
	}
	p.put("facts", view)
}

func (p *pageWriter) findings(list reports.FindingList) {
	type finding struct{ Level, Title, Code, Place, Detail, Hint string }
	var view []finding
	for _, f := range list {
		view = append(view, finding{f.Severity.String(), clean(f.Title), f.Code, clean(place(f)), clean(f.Detail), clean(f.Hint)})
	}
	p.put("findings", view)
}

func (p *pageWriter) table(t reports.Table) {
	if len(t.Rows) == 0 {
		p.paragraphs(t.Empty, false)
		return
	}
	p.put("table-head", struct {
		Columns  []reports.Column
		Sortable bool
	}{t.Columns, len(t.Rows) > 1})
	for _, row := range t.Rows {
		p.put("row", pageCells(t.Columns, row))
	}
	p.put("table-foot", pageCells(t.Columns, t.Footer))
	if t.Note != "" {
		p.put("note", clean(t.Note))
	}
}

// pageCell is a table cell. Sort is the number that the table is sorted by,
// empty for text.
type pageCell struct {
	Text, Class, Sort string
	Strip             *stripView
}

func pageCells(columns []reports.Column, row []any) []pageCell {
	out := make([]pageCell, len(row))
	for i, value := range row {
		c := &out[i]
		if i < len(columns) && columns[i].Right {
			c.Class = "r"
		}
		switch v := value.(type) {
		case reports.Strip:
			c.Strip = newStripView(v)
			c.Sort = strconv.FormatUint(v.Blocks, 10)
			continue
		case reports.Bytes:
			c.Sort = strconv.FormatUint(uint64(v), 10)
		case reports.Count:
			c.Sort = strconv.FormatInt(int64(v), 10)
		case reports.Percent:
			c.Sort = strconv.FormatFloat(float64(v), 'f', 6, 64)
		case time.Time:
			c.Class, c.Sort = "t", strconv.FormatInt(v.UnixMicro(), 10)
		}
		c.Text = cell(value)
	}
	return out
}
