package indexer

import (
	"slices"
	"testing"

	"forkpoint/walinspect/pg"
)

func TestCoverageGaps(t *testing.T) {
	var c Coverage
	for _, part := range []Covered{
		{pg.Span{From: 10, To: 20}, RungWAL}, {pg.Span{From: 20, To: 30}, RungWAL}, {pg.Span{From: 30, To: 30}, RungIndex},
		{pg.Span{From: 30, To: 40}, RungIndex}, {pg.Span{From: 50, To: 60}, RungWAL},
	} {
		c.add(part.Span, part.Rung)
	}
	if len(c) != 3 || !slices.Equal(c.Rungs(), []Rung{RungWAL, RungIndex}) {
		t.Fatalf("coverage %v, rungs %v", c, c.Rungs())
	}
	tests := []struct {
		name string
		span pg.Span
		want []pg.Span
	}{
		{"within one part", pg.Span{From: 12, To: 18}, nil},
		{"over two rungs", pg.Span{From: 10, To: 40}, nil},
		{"empty span", pg.Span{From: 45, To: 45}, nil},
		{"hole", pg.Span{From: 35, To: 55}, []pg.Span{{From: 40, To: 50}}},
		{"before and after all", pg.Span{From: 0, To: 70}, []pg.Span{{From: 0, To: 10}, {From: 40, To: 50}, {From: 60, To: 70}}},
		{"inside a hole", pg.Span{From: 42, To: 45}, []pg.Span{{From: 42, To: 45}}},
		{"without end", pg.Span{From: 50, To: pg.MaxLSN}, []pg.Span{{From: 60, To: pg.MaxLSN}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := c.Gaps(tt.span)
			if !slices.Equal(got, tt.want) || c.Complete(tt.span) != (len(tt.want) == 0) {
				t.Fatalf("gaps %v, want %v", got, tt.want)
			}
		})
	}
}
