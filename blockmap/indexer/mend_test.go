package indexer

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// damage overwrites bytes of a segment's file.
func damage(t *testing.T, dir string, n uint64, offset int64, b []byte) {
	t.Helper()
	path := filepath.Join(dir, mb.Name(1, n))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(b, offset)
		f.Close() // the write is what counts
	}
	if err != nil {
		t.Fatal(err)
	}
	old(t, path)
}

// Files that were damaged after they were indexed: the catalog has them whole.
func TestDamagedFileIsMendedFromTheCache(t *testing.T) {
	br := grow(tree{end: mb.Start(6) + 300_000, seed: 1})
	list := br.list(t)
	older := make([]byte, 8192)
	copy(older, br.Segment(1)[8192:])
	for name, harm := range map[string]struct {
		offset int64
		bytes  []byte
	}{
		"a byte":                {400_001, []byte{0xA5}},
		"a page of zeros":       {49 * 8192, make([]byte, 8192)},
		"a page of older log":   {49 * 8192, older},
		"the first page":        {0, make([]byte, 8192)},
		"zeros to the end":      {20 * 8192, make([]byte, int(mb)-20*8192)},
		"the last record's end": {int64(mb) - 2, []byte{0x5A, 0x5A}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cache := t.TempDir(), memory(t)
			br.write(t, dir)
			index(t, br.indexer(dir, cache), br.path)
			damage(t, dir, 3, harm.offset, harm.bytes)
			for range 2 { // the second time the damaged file is known
				r := touched(t, br.indexer(dir, cache), br.path, pg.Span{To: everything})
				same(t, r, list)
				if r.End != br.end {
					t.Errorf("the log ends at %s, want %s", r.End, br.end)
				}
				if r := index(t, br.indexer(dir, cache), br.path); !r.Complete() {
					t.Errorf("index: gaps %v", r.Gaps)
				}
			}
		})
	}
}

// Where nothing shows that the log went on, or where what is stored is another
// branch's, a file that breaks off is what it is.
func TestFileThatBreaksOffIsNotMendedByGuess(t *testing.T) {
	long := grow(tree{end: mb.Start(6), seed: 1})
	t.Run("the log ends there", func(t *testing.T) {
		dir, cache := t.TempDir(), memory(t)
		long.write(t, dir)
		index(t, long.indexer(dir, cache), long.path)
		short := grow(tree{end: mb.Start(3) + 500_000, seed: 1})
		dir = t.TempDir()
		short.write(t, dir)
		r := touched(t, short.indexer(dir, cache), short.path, pg.Span{To: everything})
		if len(r.Gaps) == 0 || r.Gaps[0].From != short.Geometry.RecordStart(short.end) {
			t.Fatalf("gaps %v; want one from %s, where the files end", r.Gaps, short.end)
		}
	})
	t.Run("another branch's", func(t *testing.T) {
		at := mb.Start(3) + 200_000
		left := grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{at, 1, 10}}})
		right := grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{at, 1, 11}}})
		dir, cache := t.TempDir(), memory(t)
		left.write(t, dir)
		index(t, left.indexer(dir, cache), timeline.SingleTimeline(1))
		dir = t.TempDir()
		right.write(t, dir)
		damage(t, dir, 3, 600_001, []byte{0xA5})
		r := touched(t, right.indexer(dir, cache), timeline.SingleTimeline(1), pg.Span{To: everything})
		if r.Complete() || r.Gaps[0].From < mb.Start(3)+200_000 {
			t.Fatalf("gaps %v; want the rest of segment 3", r.Gaps)
		}
	})
}
