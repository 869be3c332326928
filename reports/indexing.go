package reports

import (
	"fmt"

	"forkpoint/walinspect/pg"
)

// IndexingSchema names the JSON form of [Indexing].
const IndexingSchema = "forkpoint/index/1"

// Indexing says what a run of the index read and what the catalog covers now.
type Indexing struct {
	Schema    string            `json:"schema"`
	Catalog   string            `json:"catalog"`
	Place     string            `json:"place"`
	Cluster   Cluster           `json:"cluster"`
	Timelines []IndexedTimeline `json:"timelines"`
	Findings  Findings          `json:"findings"`
}

// IndexedTimeline is what was done for one timeline.
type IndexedTimeline struct {
	Timeline pg.TimelineID `json:"timeline"`
	Span     pg.Span       `json:"span"`         // of the files that are there
	Read     int           `json:"read"`         // segments that were decoded
	Skipped  int           `json:"skipped"`      // segments that the catalog had already
	Bytes    int64         `json:"record_bytes"` // in all of them
	Gaps     []Gap         `json:"gaps"`
	GoesOnAs pg.TimelineID `json:"goes_on_as,omitempty"` // the place left the timeline for this one
	End      EndOfWAL      `json:"end_of_wal"`
}

// Judge fills in the findings.
func (r *Indexing) Judge() {
	r.Schema, r.Findings = IndexingSchema, Findings{}
	for _, t := range r.Timelines {
		for _, gap := range t.Gaps {
			r.Findings.Add(Finding{Code: "wal-gap", Severity: Warning, Timeline: t.Timeline, LSN: gap.From, Path: r.Place,
				Title: fmt.Sprintf("no WAL of timeline %d from %s to %s", t.Timeline, gap.From, gap.To), Detail: gap.Reason,
				Hint: "index the archive that has these segments into the same catalog"})
		}
		if !t.End.Natural && t.End.Reason != "missing-segment" {
			r.Findings.Add(Finding{Code: "damaged-end", Severity: Warning, Timeline: t.Timeline, LSN: t.End.LSN, Path: r.Place,
				Title: "the log breaks off: " + StopText(t.End.Reason), Detail: t.End.Detail,
				Hint: "see what is valid beyond with forkpoint inspect --check"})
		}
	}
	r.Findings.sort()
}

// Worst is the gravest finding.
func (r *Indexing) Worst() Severity { return r.Findings.Worst() }

// Document is the report for people.
func (r *Indexing) Document() Document {
	read, skipped := 0, 0
	table := Table{Columns: []Column{{"timeline", true}, {"from", true}, {"to", true}, {"segments read", true}, {"indexed before", true},
		{"record bytes", true}, {"gaps", true}, {"the log ends", false}}, Empty: "There are no segments."}
	for _, t := range r.Timelines {
		read += t.Read
		skipped += t.Skipped
		end := fmt.Sprintf("%s at %s", t.End.Reason, t.End.LSN)
		if t.GoesOnAs != 0 {
			end = fmt.Sprintf("goes on as timeline %d", t.GoesOnAs)
		}
		table.Rows = append(table.Rows, []any{t.Timeline, t.Span.From, t.Span.To, Count(t.Read), Count(t.Skipped),
			Bytes(t.Bytes), Count(len(t.Gaps)), end})
	}
	summary := fmt.Sprintf("%s: %s read, %d known from before.", r.Place, count(read, "segment", "segments"), skipped)
	sections := []Section{{Parts: []Part{Text(summary), Facts{
		{"catalog", r.Catalog, ""},
		{"system identifier", r.Cluster.SystemID, fmt.Sprintf("PostgreSQL %d, segments of %d MB", r.Cluster.Major, r.Cluster.SegmentSize>>20)},
	}}}}
	if len(r.Findings) > 0 {
		sections = append(sections, Section{"Findings", []Part{FindingList(r.Findings)}})
	}
	return Document{Sections: append(sections, Section{"Timelines", []Part{table}})}
}
