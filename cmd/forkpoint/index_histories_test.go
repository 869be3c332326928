package main

import (
	"context"
	"io/fs"
	"iter"
	"slices"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// noHistories is a source without history files, which notes what it is asked
// for.
type noHistories struct{ asked []string }

func (n *noHistories) Open(_ context.Context, name string) (*segment.File, error) {
	n.asked = append(n.asked, name)
	return nil, fs.ErrNotExist
}
func (n *noHistories) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}
func (n *noHistories) String() string { return "nowhere" }

// A stray segment of a far timeline takes no counting up to its number, and the
// highest number there is ends the search.
func TestHistoriesOfFarTimelines(t *testing.T) {
	const far, highest = pg.TimelineID(0x80000000), pg.TimelineID(0xFFFFFFFF)
	source := &noHistories{}
	p := &indexPlace{source: source, segments: map[pg.TimelineID]numbers{1: {}, 3: {}, far: {}, highest: {}}}
	if err := p.readHistories(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tli := range []pg.TimelineID{2, 3, 4, far, far + 1, highest} {
		if !slices.Contains(source.asked, tli.HistoryName()) {
			t.Errorf("nothing was asked of timeline %d", tli)
		}
	}
	if len(source.asked) > 20_000 {
		t.Errorf("%d files were asked for", len(source.asked))
	}
}
