package main

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
)

const catalogSchema = "forkpoint/catalog/1"

// catalogReport is what catalog info and catalog check tell.
type catalogReport struct {
	Schema    string              `json:"schema"`
	Catalog   string              `json:"catalog"`
	Bytes     int64               `json:"bytes"`
	FreeBytes int64               `json:"free_bytes"`
	WALBytes  int64               `json:"record_bytes"`
	Names     int64               `json:"relation_names"`
	Checked   bool                `json:"checked"`
	Timelines []catalogedTimeline `json:"timelines"`
	Findings  reports.Findings    `json:"findings"`
}

// catalogedTimeline is what a catalog has of one timeline of a cluster.
type catalogedTimeline struct {
	SystemID uint64        `json:"system_identifier,string"`
	Major    int           `json:"major"`
	Timeline pg.TimelineID `json:"timeline"`
	Span     pg.Span       `json:"span"`
	Segments int           `json:"segments"`
	Variants int           `json:"variants"` // segments that there are more than once
	Records  int64         `json:"records"`
	Gaps     []reports.Gap `json:"gaps"`
}

// surveyCatalog goes over the segments of a catalog; with contents, if it is to
// be checked.
func surveyCatalog(ctx context.Context, catalog *store.Catalog, check bool) (*catalogReport, error) {
	sizes, err := catalog.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	r := &catalogReport{Schema: catalogSchema, Catalog: catalog.Path(), Bytes: sizes.FileBytes, FreeBytes: sizes.FreeBytes,
		WALBytes: sizes.WALBytes, Names: sizes.Names, Checked: check, Timelines: []catalogedTimeline{}, Findings: reports.Findings{}}
	if check {
		wrong, err := catalog.Integrity(ctx)
		if err != nil {
			return nil, err
		}
		for _, text := range wrong {
			r.damage("catalog-file", "SQLite finds the file damaged", text)
		}
	}
	clusters, err := catalog.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	for _, cluster := range clusters {
		segments, err := catalog.Segments(ctx, cluster.SystemID, cluster.SegmentSize)
		if err != nil {
			return nil, err
		}
		for i, s := range segments {
			var before *blockmap.Segment
			if i > 0 && segments[i-1].Name.Timeline == s.Name.Timeline {
				before = segments[i-1]
			}
			r.take(cluster, before, s)
			if !check {
				continue
			}
			if err := catalog.Load(ctx, s); err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				r.damage("catalog-segment", "a segment cannot be read", err.Error())
			}
			s.Touched, s.Activity, s.Xacts, s.XIDs, s.Events = nil, nil, nil, nil, nil // not kept for all
			s.Rmgrs, s.Checkpoints, s.Assignments, s.Snapshots = nil, nil, nil, nil
		}
	}
	return r, nil
}

func (r *catalogReport) damage(code, title, detail string) {
	r.Findings.Add(reports.Finding{Code: code, Severity: reports.Damage, Title: title, Detail: detail, Path: r.Catalog,
		Hint: "move the catalog away and run forkpoint index; what only the old one has is in catalog export"})
}

// take adds a segment that comes after before in the order of the catalog.
func (r *catalogReport) take(cluster store.Cluster, before, s *blockmap.Segment) {
	size := cluster.SegmentSize
	if before == nil {
		r.Timelines = append(r.Timelines, catalogedTimeline{SystemID: cluster.SystemID, Major: cluster.Major, Timeline: s.Name.Timeline,
			Span: pg.Span{From: size.Start(s.Name.Number)}, Gaps: []reports.Gap{}})
	}
	t := &r.Timelines[len(r.Timelines)-1]
	if end := size.Start(s.Name.Number + 1); s.Complete {
		t.Span.To = end
	} else {
		t.Span.To = max(t.Span.To, s.End)
	}
	t.Segments++
	t.Records += s.Records
	switch {
	case before == nil:
	case before.Name.Number == s.Name.Number:
		t.Segments--
		t.Variants++
	case before.Name.Number+1 < s.Name.Number:
		t.Gaps = append(t.Gaps, reports.Gap{Span: pg.Span{From: size.Start(before.Name.Number + 1), To: size.Start(s.Name.Number)}, Reason: "no segment is in the catalog"})
	case !before.Complete:
		t.Gaps = append(t.Gaps, reports.Gap{Span: pg.Span{From: before.End, To: size.Start(s.Name.Number)}, Reason: "it was not written yet when it was read: " + before.StopDetail})
	case s.Records > 0 && before.Records > 0 && s.FirstPrev != before.Last:
		r.Findings.Add(reports.Finding{Code: "catalog-joint", Severity: reports.Notice, Timeline: s.Name.Timeline, LSN: s.First,
			Title:  fmt.Sprintf("segment %s does not go on with the one before it", s.Name.Format(size)),
			Detail: fmt.Sprintf("its first record links back to %s, the last one before begins at %s: they are of different branches, or one of several variants is meant", s.FirstPrev, before.Last)})
	}
}

// Worst is the gravest finding.
func (r *catalogReport) Worst() reports.Severity { return r.Findings.Worst() }

// Document is the report for people.
func (r *catalogReport) Document() reports.Document {
	facts := reports.Facts{
		{Name: "catalog", Value: r.Catalog}, {Name: "size", Value: reports.Bytes(r.Bytes), Note: fmt.Sprintf("%d bytes of it free", r.FreeBytes)},
		{Name: "WAL", Value: reports.Bytes(r.WALBytes), Note: "in records"}, {Name: "relation names", Value: reports.Count(r.Names)},
	}
	if r.Checked && r.Worst() < reports.Damage {
		facts = append(facts, reports.Fact{Name: "check", Value: "the file is sound and every segment could be read"})
	}
	sections := []reports.Section{{Parts: []reports.Part{facts}}}
	if len(r.Findings) > 0 {
		sections = append(sections, reports.Section{Title: "Findings", Parts: []reports.Part{reports.FindingList(r.Findings)}})
	}
	t := reports.Table{Columns: []reports.Column{{Title: "cluster", Right: true}, {Title: "timeline", Right: true}, {Title: "from", Right: true}, {Title: "to", Right: true},
		{Title: "segments", Right: true}, {Title: "further variants", Right: true}, {Title: "records", Right: true}, {Title: "gaps", Right: true}}, Empty: "There are no segments."}
	gaps := reports.Table{Columns: []reports.Column{{Title: "timeline", Right: true}, {Title: "from", Right: true}, {Title: "to", Right: true}, {Title: "why"}}}
	for _, tl := range r.Timelines {
		t.Rows = append(t.Rows, []any{tl.SystemID, tl.Timeline, tl.Span.From, tl.Span.To, reports.Count(tl.Segments), reports.Count(tl.Variants), reports.Count(tl.Records), reports.Count(len(tl.Gaps))})
		for _, g := range tl.Gaps {
			gaps.Rows = append(gaps.Rows, []any{tl.Timeline, g.From, g.To, g.Reason})
		}
	}
	sections = append(sections, reports.Section{Title: "Timelines", Parts: []reports.Part{t}})
	if len(gaps.Rows) > 0 {
		sections = append(sections, reports.Section{Title: "Gaps", Parts: []reports.Part{gaps}})
	}
	return reports.Document{Sections: sections}
}
