package main

import (
	"context"
	"errors"
	"fmt"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

const checkSchema = "forkpoint/wal-check/1"

// walCheck is the report of inspect --check: the runs of valid log and what
// lies between them.
type walCheck struct {
	Schema   string           `json:"schema"`
	Place    string           `json:"place"`
	Timeline pg.TimelineID    `json:"timeline"`
	Runs     []validRun       `json:"valid"`
	Records  int64            `json:"records"`
	Findings reports.Findings `json:"findings"`
}

// validRun is a stretch of the log without a flaw.
type validRun struct {
	pg.Span
	Records int64           `json:"records"`
	Stop    walinspect.Stop `json:"stop"`
}

func runCheck(ctx context.Context, app *app, wal *openedWAL, span pg.Span, format render.Format) error {
	progress := app.progress(false)
	defer progress.end()
	progress.begin("checking WAL", 0)
	check := &walCheck{Schema: checkSchema, Place: wal.place, Timeline: wal.path.Tip(), Runs: []validRun{}, Findings: reports.Findings{}}
	for from := span.From; from < span.To; {
		run, err := readRun(ctx, wal, pg.Span{From: from, To: span.To}, progress)
		if err != nil {
			return err
		}
		if run.Records > 0 {
			check.Runs = append(check.Runs, run)
			check.Records += run.Records
		}
		next, err := wal.resume(ctx, run.Stop)
		if err != nil {
			return err
		}
		if next <= from || next > span.To {
			next = span.To
		}
		check.judge(run, next, span.To)
		from = next
	}
	progress.end()
	if err := app.show(format, check); err != nil {
		return err
	}
	if check.Worst() >= reports.Warning {
		return errFindings
	}
	return nil
}

// readRun reads valid records until there are no more.
func readRun(ctx context.Context, wal *openedWAL, span pg.Span, p *progress) (validRun, error) {
	first, err := wal.firstRecord(ctx, span.From)
	if stopped := (*walinspect.StopError)(nil); errors.As(err, &stopped) {
		return validRun{Stop: stopped.Stop}, nil
	}
	if err != nil {
		return validRun{}, err
	}
	reader := walinspect.NewReader(wal.pages, wal.geometry, first)
	reader.SetLimit(span.To)
	var run validRun
	for reader.Next(ctx) {
		rec := reader.Record()
		if run.Records == 0 {
			run.From = rec.LSN
		}
		run.Records++
		run.To = rec.End
		if run.Records%4096 == 0 {
			p.set(uint64(run.To-span.From), 0)
		}
	}
	run.Stop = reader.Stop()
	if run.Stop.Reason == walinspect.StopCancelled {
		return run, run.Stop.Err
	}
	return run, nil
}

// judge makes a finding of what stopped a run. Where nothing valid follows,
// the end of the log is none.
func (c *walCheck) judge(run validRun, next, limit pg.LSN) {
	stop := run.Stop
	last := next >= limit
	if stop.Reason == walinspect.StopLimit || last && (stop.Reason.EndOfWAL() || stop.Reason == walinspect.StopMissingSegment) {
		return
	}
	stop.After = 0 // said below
	f := reports.Finding{Code: "wal-" + string(stop.Reason), Severity: reports.Damage, LSN: stop.LSN, Timeline: stop.Timeline, Path: stop.Path,
		Title: reports.StopText(string(stop.Reason)), Detail: stopEvidence(stop)}
	if stop.Reason == walinspect.StopMissingSegment {
		f.Severity = reports.Warning
	}
	if !last {
		f.Detail += fmt.Sprintf("; valid log goes on at %s, %d bytes further on", next, next-stop.LSN)
	}
	var hinted interface{ Hint() string }
	if errors.As(stop.Err, &hinted) {
		f.Hint = hinted.Hint()
	}
	c.Findings.Add(f)
}

// Worst is the gravest finding.
func (c *walCheck) Worst() reports.Severity { return c.Findings.Worst() }

// Document is the check for people.
func (c *walCheck) Document() reports.Document {
	verdict := fmt.Sprintf("%s: %d valid records", c.Place, c.Records)
	if len(c.Findings) == 0 {
		verdict += "; every page and record was verified"
	}
	verdict += "."
	switch n := len(c.Runs); {
	case n > 1:
		verdict += fmt.Sprintf(" They lie in %d runs with something wrong between them.", n)
		fallthrough
	case n == 1:
		verdict += "\n" + stopLine(c.Runs[n-1].Stop)
	}
	sections := []reports.Section{{Parts: []reports.Part{reports.Text(verdict)}}}
	if len(c.Findings) > 0 {
		sections = append(sections, reports.Section{Title: "Findings", Parts: []reports.Part{reports.FindingList(c.Findings)}})
	}
	t := reports.Table{Columns: []reports.Column{{Title: "from", Right: true}, {Title: "to", Right: true}, {Title: "records", Right: true}, {Title: "stopped by"}}, Empty: "None."}
	for _, run := range c.Runs {
		t.Rows = append(t.Rows, []any{run.From, run.To, reports.Count(run.Records), string(run.Stop.Reason)})
	}
	sections = append(sections, reports.Section{Title: "Valid log", Parts: []reports.Part{t}})
	return reports.Document{Sections: sections}
}
