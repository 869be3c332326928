package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"forkpoint/reports"
)

const (
	indent   = "  "
	maxWidth = 100 // of running text; longer lines are hard to read
)

// writeText writes the whole document at once, so that a reader who goes away
// is noticed and nothing is shown by halves.
func writeText(w io.Writer, doc reports.Document, opts Options) error {
	p := &printer{opts: opts, width: maxWidth}
	if opts.Width > 20 {
		p.width = min(opts.Width, maxWidth)
	}
	if doc.Title != "" {
		p.line(p.paint(bold, clean(doc.Title)))
	}
	for i, section := range doc.Sections {
		if i > 0 || doc.Title != "" {
			p.line("")
		}
		p.section(section)
	}
	_, err := w.Write(p.out.Bytes())
	return err
}

type printer struct {
	out   bytes.Buffer
	opts  Options
	width int
}

func (p *printer) line(s string) { p.out.WriteString(strings.TrimRight(s, " ") + "\n") }

func (p *printer) section(s reports.Section) {
	if s.Title != "" {
		p.line(p.paint(bold, clean(s.Title)))
	}
	for i, part := range s.Parts {
		if i > 0 {
			p.line("")
		}
		switch part := part.(type) {
		case reports.Text:
			p.paragraph(string(part), indent)
		case reports.Facts:
			p.facts(part)
		case reports.Table:
			p.table(part)
		case reports.FindingList:
			p.findings(part)
		}
	}
}

// paragraph wraps running text; line breaks of the writer stay.
func (p *printer) paragraph(s, margin string) {
	for line := range strings.Lines(s) {
		wrapped := text.WrapSoft(clean(strings.TrimRight(line, "\n")), p.width-len(margin))
		for piece := range strings.Lines(wrapped) {
			p.line(margin + strings.TrimSpace(piece))
		}
	}
}

func (p *printer) facts(facts reports.Facts) {
	width := 0
	for _, f := range facts {
		width = max(width, text.StringWidthWithoutEscSequences(f.Name))
	}
	for _, f := range facts {
		value := cell(f.Value)
		line := indent + text.Pad(clean(f.Name), width, ' ') + "  " + value
		switch note := clean(f.Note); {
		case note == "":
			p.line(line)
		case text.StringWidthWithoutEscSequences(line+"  "+note) <= p.width:
			p.line(line + "  " + p.paint(faint, note))
		default:
			p.line(line)
			p.paragraph(note, indent+strings.Repeat(" ", width+2))
		}
	}
}

func (p *printer) table(t reports.Table) {
	if len(t.Rows) == 0 {
		p.paragraph(t.Empty, indent)
		return
	}
	tw := table.NewWriter()
	header := make(table.Row, len(t.Columns))
	configs := make([]table.ColumnConfig, len(t.Columns))
	for i, column := range t.Columns {
		header[i] = p.paint(bold, clean(column.Title))
		configs[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft, AlignFooter: text.AlignLeft}
		if column.Right {
			configs[i].Align, configs[i].AlignHeader, configs[i].AlignFooter = text.AlignRight, text.AlignRight, text.AlignRight
		}
	}
	tw.SetColumnConfigs(configs)
	tw.AppendHeader(header)
	rows, footer, gap := p.fit(t)
	tw.SetStyle(p.tableStyle(gap))
	for _, row := range rows {
		tw.AppendRow(row)
	}
	if len(footer) > 0 {
		tw.AppendFooter(footer)
	}
	for line := range strings.Lines(tw.Render()) {
		p.line(indent + strings.TrimRight(line, "\n"))
	}
	if t.Note != "" {
		p.paragraph(t.Note, indent)
	}
}

// tableStyle has no borders: what is pasted into a ticket or a chat stays
// readable, and plain ASCII survives every console.
func (p *printer) tableStyle(gap int) table.Style {
	style := table.StyleDefault
	style.Box.MiddleHorizontal = "-"
	style.Box.MiddleSeparator, style.Box.MiddleVertical = "-", " "
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Box.TopSeparator, style.Box.BottomSeparator = "-", "-"
	style.Format = table.FormatOptions{}
	style.Options = table.Options{SeparateHeader: true, SeparateFooter: true}
	return style
}

// fit makes the cells of a table. Where a row would not fit the line, the
// column that takes most of it is narrowed: long names lose their middle. Where
// that is not enough, and it helps, the columns stand closer together.
func (p *printer) fit(t reports.Table) (rows []table.Row, footer table.Row, gap int) {
	const least = 24
	gap = 2
	widths, other := make([]int, len(t.Columns)), make([]bool, len(t.Columns))
	total := len(indent)
	for i, c := range t.Columns {
		widths[i] = text.StringWidthWithoutEscSequences(c.Title)
	}
	for _, row := range append(t.Rows[:len(t.Rows):len(t.Rows)], t.Footer) {
		for i, value := range row {
			if i < len(widths) {
				widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(cell(value)))
				_, isText := value.(string)
				other[i] = other[i] || !isText && value != nil
			}
		}
	}
	widest, room := -1, 0 // of those that hold text
	for i, w := range widths {
		total += w + gap
		if !other[i] && w > room {
			widest, room = i, w
		}
	}
	if over := total - p.width; over > 0 {
		narrowed := min(room, max(least, room-over))
		if left := over - (room - narrowed); left > 0 && left <= len(widths) {
			gap = 1
		}
		room = narrowed
	}
	cells := func(row []any) table.Row {
		out := make(table.Row, len(row))
		for i, value := range row {
			out[i] = cell(value)
			if i == widest {
				out[i] = shorten(cell(value), room)
			}
		}
		return out
	}
	for _, row := range t.Rows {
		rows = append(rows, cells(row))
	}
	return rows, cells(t.Footer), gap
}

func (p *printer) findings(list reports.FindingList) {
	for i, f := range list {
		if i > 0 {
			p.line("")
		}
		margin := indent + strings.Repeat(" ", 9)
		title := clean(f.Title) + "  " + p.paint(faint, "["+f.Code+"]")
		if text.StringWidthWithoutEscSequences(margin+title) > p.width {
			var lines []string
			for line := range strings.Lines(text.WrapSoft(clean(f.Title)+" ["+f.Code+"]", p.width-len(margin))) {
				lines = append(lines, strings.TrimSpace(line))
			}
			title = strings.Join(lines, "\n"+margin)
		}
		p.line(indent + p.paint(severityColor(f.Severity), fmt.Sprintf("%-7s", f.Severity)) + "  " + title)
		if at := place(f); at != "" {
			p.line(margin + p.paint(faint, "at "+clean(at)))
		}
		if f.Detail != "" {
			p.paragraph(f.Detail, margin)
		}
		if f.Rule != "" {
			p.paragraph("rule: "+f.Rule, margin)
		}
		if f.Hint != "" {
			p.paragraph("-> "+f.Hint, margin)
		}
	}
}

// place is where a finding was made, as far as it says.
func place(f reports.Finding) string {
	var parts []string
	if f.Timeline != 0 {
		parts = append(parts, "timeline "+f.Timeline.String())
	}
	if f.LSN.Valid() {
		parts = append(parts, f.LSN.String())
	}
	switch {
	case f.Path != "" && f.Line > 0:
		parts = append(parts, fmt.Sprintf("%s line %d", f.Path, f.Line))
	case f.Path != "":
		parts = append(parts, f.Path)
	}
	return strings.Join(parts, ", ")
}
