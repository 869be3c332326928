package main

import (
	"cmp"
	"io"
	"slices"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect"
	"forkpoint/walinspect/rmgr"
)

const statsSchema = "forkpoint/wal-stats/1"

// statsPrinter counts records by resource manager, or by record type as well.
type statsPrinter struct {
	w        io.Writer
	format   render.Format
	byRecord bool
	counts   map[string]*statsRow
	report   walStats
}

// walStats is the report of inspect --stats.
type walStats struct {
	Schema string          `json:"schema"`
	Rows   []*statsRow     `json:"rows"`
	Total  statsRow        `json:"total"`
	End    walinspect.Stop `json:"end_of_wal"`
}

type statsRow struct {
	Type       string `json:"type"`
	Records    int64  `json:"records"`
	Bytes      int64  `json:"record_bytes"` // without images
	Images     int64  `json:"images"`
	ImageBytes int64  `json:"image_bytes"`
}

func newStatsPrinter(w io.Writer, opts inspectOptions) *statsPrinter {
	return &statsPrinter{w: w, format: opts.format, byRecord: opts.stats == "record", counts: map[string]*statsRow{}}
}

func (p *statsPrinter) record(rec *walinspect.Record) error {
	name := rec.Rmgr.String()
	if p.byRecord {
		name += "/" + rmgr.OpName(rec)
	}
	row := p.counts[name]
	if row == nil {
		row = &statsRow{Type: name}
		p.counts[name] = row
	}
	var images, bytes int64
	for i := range rec.Blocks {
		if b := &rec.Blocks[i]; b.HasImage() {
			images++
			bytes += int64(b.Image.Len())
		}
	}
	for _, r := range []*statsRow{row, &p.report.Total} {
		r.Records++
		r.Bytes += int64(rec.TotalLen) - bytes
		r.Images += images
		r.ImageBytes += bytes
	}
	return nil
}

func (p *statsPrinter) finish(stop walinspect.Stop) error {
	p.report.Schema, p.report.End, p.report.Total.Type = statsSchema, stop, "total"
	p.report.Rows = []*statsRow{}
	for _, row := range p.counts {
		p.report.Rows = append(p.report.Rows, row)
	}
	slices.SortFunc(p.report.Rows, func(a, b *statsRow) int {
		return cmp.Or(cmp.Compare(b.Bytes+b.ImageBytes, a.Bytes+a.ImageBytes), cmp.Compare(a.Type, b.Type))
	})
	return render.Write(p.w, &p.report, render.Options{Format: p.format})
}

// Worst is never anything: counts are no findings.
func (s *walStats) Worst() reports.Severity { return reports.None }

// Document is the table for people, the type with the most bytes first.
func (s *walStats) Document() reports.Document {
	t := reports.Table{
		Columns: []reports.Column{{Title: "type"}, {Title: "records", Right: true}, {Title: "", Right: true},
			{Title: "record bytes", Right: true}, {Title: "images", Right: true}, {Title: "image bytes", Right: true}, {Title: "all", Right: true}, {Title: "", Right: true}},
		Empty: "No record matches.",
	}
	for _, row := range s.Rows {
		t.Rows = append(t.Rows, s.row(row))
	}
	t.Footer = s.row(&s.Total)
	return reports.Document{Sections: []reports.Section{{Parts: []reports.Part{t, reports.Text(stopLine(s.End))}}}}
}

func (s *walStats) row(r *statsRow) []any {
	share := func(part, whole int64) reports.Percent {
		if whole == 0 {
			return 0
		}
		return reports.Percent(float64(part) / float64(whole))
	}
	return []any{r.Type, reports.Count(r.Records), share(r.Records, s.Total.Records), reports.Count(r.Bytes),
		reports.Count(r.Images), reports.Count(r.ImageBytes), reports.Count(r.Bytes + r.ImageBytes),
		share(r.Bytes+r.ImageBytes, s.Total.Bytes+s.Total.ImageBytes)}
}
