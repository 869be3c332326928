package indexer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// counting is a source that counts what it is asked for.
type counting struct {
	segment.Source
	asked int
}

func (c *counting) Open(ctx context.Context, name string) (*segment.File, error) {
	c.asked++
	return c.Source.Open(ctx, name)
}

// A stray file can have any number, and so can the log after pg_resetwal: what
// lies before it is not counted up, and is a gap where the far segment is of the
// log.
func TestFarSegments(t *testing.T) {
	const number, highest = uint64(1) << 40, uint64(1)<<44 - 1
	near := grow(tree{end: mb.Start(3) + 300_000, seed: 1})
	far := grow(tree{start: mb.Start(number), end: mb.Start(number+1) + 300_000, seed: 2})
	both := slices.Concat(near.list(t), far.list(t))
	gap := pg.Span{From: near.Geometry.RecordStart(near.end), To: far.Start}
	span := pg.Span{To: everything}
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string, cache Cache)
		span    pg.Span
		want    []plainRecord
		gaps    []pg.Span
	}{
		"listed": {func(t *testing.T, dir string, _ Cache) { far.write(t, dir) }, span, both, []pg.Span{gap}},
		"stored": {func(t *testing.T, _ string, cache Cache) {
			dir := t.TempDir()
			far.write(t, dir)
			index(t, far.indexer(dir, cache), far.path)
		}, span, both, []pg.Span{gap}},
		"behind the span": {func(t *testing.T, dir string, _ Cache) { far.write(t, dir) },
			pg.Span{From: near.Start, To: mb.Start(1 << 30)}, near.list(t), []pg.Span{{From: gap.From, To: mb.Start(1 << 30)}}},
		"of no use": {func(t *testing.T, dir string, _ Cache) {
			for _, n := range []uint64{number, highest - 1, highest} {
				path := filepath.Join(dir, mb.Name(1, n))
				if err := os.WriteFile(path, near.Segment(2), 0o600); err != nil {
					t.Fatal(err)
				}
				old(t, path)
			}
		}, span, near.list(t), nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cache := t.TempDir(), memory(t)
			near.write(t, dir)
			tt.prepare(t, dir, cache)
			source := &counting{Source: segment.NewDir(dir, mb)}
			r := touched(t, New(source, near.Geometry, cache, Options{Workers: 2}), near.path, tt.span)
			if diff := sameMap(r.Blocks, replay(tt.want, tt.span, nil)); diff != "" {
				t.Error(diff)
			}
			var gaps []pg.Span
			for _, g := range r.Gaps {
				gaps = append(gaps, g.Span)
			}
			if !slices.Equal(gaps, tt.gaps) {
				t.Errorf("gaps %v, want %v", gaps, tt.gaps)
			}
			if source.asked > 4*longRow {
				t.Errorf("%d files were asked for", source.asked)
			}
		})
	}
}
