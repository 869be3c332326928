package main

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"time"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

const statsSchema = "forkpoint/wal-stats/2"

// statsFlag is what records are counted by.
type statsFlag string

const (
	statsRmgr        statsFlag = "rmgr"
	statsRecord      statsFlag = "record"
	statsRelation    statsFlag = "relation"
	statsDatabase    statsFlag = "database"
	statsTransaction statsFlag = "transaction"
	statsMinute      statsFlag = "minute"
)

func (f *statsFlag) Set(s string) error {
	switch kind := statsFlag(s); kind {
	case statsRmgr, statsRecord, statsRelation, statsDatabase, statsTransaction, statsMinute:
		*f = kind
		return nil
	}
	return errors.New("want rmgr, record, relation, database, transaction or minute")
}

func (f *statsFlag) Type() string   { return "KIND" }
func (f *statsFlag) String() string { return string(*f) }

// statsPrinter counts records.
type statsPrinter struct {
	w      io.Writer
	format render.Format
	count  counter
	rows   map[statsKey]*statsRow
	report walStats
}

// walStats is the report of inspect --stats.
type walStats struct {
	Schema string          `json:"schema"`
	By     statsFlag       `json:"by"`
	Rows   []*statsRow     `json:"rows"`
	Total  statsRow        `json:"total"`
	End    walinspect.Stop `json:"end_of_wal"`
}

// statsRow is what the records of one kind come to. Records that are about
// several relations count for each; their bytes without images count for the
// first, so that bytes add up to the total.
type statsRow struct {
	Type       string `json:"type"`
	Records    int64  `json:"records"`
	Bytes      int64  `json:"record_bytes"` // without images
	Images     int64  `json:"images"`
	ImageBytes int64  `json:"image_bytes"`

	// Of what Type names, where records are counted by it.
	Storage  *pg.RelFileLocator `json:"storage,omitempty"`
	Database *pg.OID            `json:"database,omitempty"` // 0 for shared relations
	XID      pg.XID             `json:"xid,omitempty"`
	Ended    string             `json:"ended,omitempty"` // commit, abort, ...; empty while in progress
	Time     *time.Time         `json:"time,omitempty"`  // of the end, or the minute
}

func (r *statsRow) add(other *statsRow) {
	r.Records += other.Records
	r.Bytes += other.Bytes
	r.Images += other.Images
	r.ImageBytes += other.ImageBytes
}

func newStatsPrinter(w io.Writer, opts inspectOptions, names *relname.Names) *statsPrinter {
	p := &statsPrinter{w: w, format: opts.format, rows: map[statsKey]*statsRow{}}
	p.report.By, p.count = opts.stats, newCounter(opts.stats, names)
	return p
}

func (p *statsPrinter) record(rec *walinspect.Record) error {
	one := statsRow{Records: 1, Bytes: int64(rec.TotalLen)}
	for i := range rec.Blocks {
		if b := &rec.Blocks[i]; b.HasImage() {
			one.Images++
			one.ImageBytes += int64(b.Image.Len())
		}
	}
	one.Bytes -= one.ImageBytes
	p.report.Total.add(&one)
	p.count.record(rec, &one, p.row)
	return nil
}

func (p *statsPrinter) row(key statsKey) *statsRow {
	row := p.rows[key]
	if row == nil {
		row = &statsRow{}
		p.rows[key] = row
	}
	return row
}

func (p *statsPrinter) finish(stop walinspect.Stop) error {
	p.report.Schema, p.report.End, p.report.Total.Type = statsSchema, stop, "total"
	p.report.Rows = []*statsRow{}
	p.count.finish(p.rows)
	for key, row := range p.rows {
		p.count.name(key, row)
		p.report.Rows = append(p.report.Rows, row)
	}
	slices.SortFunc(p.report.Rows, func(a, b *statsRow) int {
		if p.report.By == statsMinute {
			return cmp.Compare(a.Type, b.Type)
		}
		return cmp.Or(cmp.Compare(b.Bytes+b.ImageBytes, a.Bytes+a.ImageBytes), cmp.Compare(a.Type, b.Type))
	})
	return render.Write(p.w, &p.report, render.Options{Format: p.format})
}

// Worst is never anything: counts are no findings.
func (s *walStats) Worst() reports.Severity { return reports.None }

// Document is the table for people, the type with the most bytes first, or the
// earliest minute.
func (s *walStats) Document() reports.Document {
	t := reports.Table{
		Columns: []reports.Column{{Title: typeTitle(s.By)}, {Title: "records", Right: true}, {Title: "", Right: true},
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

// typeTitle is what the first column holds.
func typeTitle(by statsFlag) string {
	if by == statsRmgr || by == statsRecord {
		return "type"
	}
	return string(by)
}
