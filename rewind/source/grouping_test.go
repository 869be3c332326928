package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// play goes through ranges as a transfer does, over files that exist only as
// sizes, and returns what came for each file. Batches are of a few parts, and
// now and then one breaks off.
func play(t *rapid.T, ranges []Range, sizes map[string]int64) map[string][]Chunk {
	got := map[string][]Chunk{}
	for group, err := range groups(slices.Values(ranges), true) {
		if err != nil {
			t.Fatal(err)
		}
		c := cursor{group: group}
		for c.skipEmpty() {
			var batch []part
			for ahead := c; len(batch) < 3; {
				p, more := ahead.next()
				if !more {
					break
				}
				batch = append(batch, p)
			}
			breaks := rapid.IntRange(1, 4).Draw(t, "break after")
			outdated := false
			for i, p := range batch {
				if outdated || c.passed(p) {
					continue
				}
				if i == breaks {
					break
				}
				path := group[p.task].path
				size, there := sizes[path]
				n := max(0, min(p.length, size-p.offset))
				var short, last bool
				short, last, outdated = c.settle(p, outcome{n, !there})
				got[path] = append(got[path], Chunk{Path: path, Offset: p.offset, Data: make([]byte, n), Missing: !there, Short: short, Last: last})
			}
		}
	}
	return got
}

// Whatever is asked for and however the files have changed, each byte that is
// there and was asked for comes exactly once and in order.
func TestGroupsCoverRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const unit = PartSize / 2
		sizes := map[string]int64{}
		var ranges []Range
		want := map[string][]bool{} // by units
		for i := range rapid.IntRange(1, 4).Draw(t, "files") {
			path := fmt.Sprint(i)
			size := rapid.Int64Range(-1, 12).Draw(t, "size")
			if size >= 0 {
				sizes[path] = size * unit
			}
			wanted := make([]bool, max(size, 0))
			at := int64(0)
			for range rapid.IntRange(1, 4).Draw(t, "ranges") {
				at += rapid.Int64Range(0, 3).Draw(t, "gap")
				n := rapid.Int64Range(0, 5).Draw(t, "length")
				toEnd := rapid.IntRange(0, 5).Draw(t, "to end") == 0
				ranges = append(ranges, Range{Path: path, Offset: at * unit, Length: n * unit, ToEnd: toEnd})
				for u := at; u < int64(len(wanted)) && (u < at+n || toEnd); u++ {
					wanted[u] = true
				}
				at += n
				if toEnd {
					break
				}
			}
			want[path] = wanted
		}
		for path, chunks := range play(t, ranges, sizes) {
			got := make([]bool, len(want[path]))
			end := int64(0)
			for i, c := range chunks {
				if c.Offset < end || len(c.Data) > PartSize || c.Last != (i == len(chunks)-1) {
					t.Fatalf("%s: chunk %d at %d after %d, last %t", path, i, c.Offset, end, c.Last)
				}
				end = c.Offset + int64(len(c.Data))
				for u := c.Offset; u < end; u += unit {
					got[u/unit] = true
				}
				if c.Short && end < sizes[path] {
					t.Fatalf("%s: short at %d of %d", path, end, sizes[path])
				}
			}
			if !slices.Equal(got, want[path]) {
				t.Fatalf("%s: got %v, want %v", path, got, want[path])
			}
			delete(want, path)
		}
		for path, wanted := range want {
			if slices.Contains(wanted, true) {
				t.Fatalf("%s: nothing came", path)
			}
		}
	})
}

func TestGroupsJoin(t *testing.T) {
	const kb = 1024
	ranges := []Range{
		{Path: "a", Offset: 0, Length: 8 * kb}, {Path: "a", Offset: 8 * kb, Length: 8 * kb}, // touch
		{Path: "a", Offset: 12 * kb, Length: 8 * kb}, // overlaps
		{Path: "a", Offset: 40 * kb, Length: 8 * kb}, // apart
		{Path: "a", Offset: 40 * kb, Length: 8 * kb}, // again
		{Path: "b", Offset: 0, Length: 3*PartSize + 1},
		{Path: "c"}, // nothing wanted
		{Path: "a", Offset: 0, Length: 8 * kb},
	}
	var got []string
	for group, err := range groups(slices.Values(ranges), true) {
		if err != nil {
			t.Fatal(err)
		}
		c := cursor{group: group}
		for p, more := c.next(); more; p, more = c.next() {
			got = append(got, fmt.Sprintf("%s %d+%d", group[p.task].path, p.offset/kb, p.length/kb))
		}
	}
	want := []string{"a 0+20", "a 40+8", "b 0+1024", "b 1024+1024", "b 2048+1024", "b 3072+0", "a 0+8"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	n, largest := 0, 0
	ranges := func(yield func(Range) bool) {
		for i := range 100_000 {
			if !yield(Range{Path: fmt.Sprint(i), Length: 10, ToEnd: true}) {
				return
			}
		}
	}
	for group, err := range groups(ranges, true) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(group)
		largest = max(largest, len(group))
	}
	if n != 100_000 || largest > groupParts {
		t.Errorf("%d files in groups of up to %d", n, largest)
	}
}

func TestBadRanges(t *testing.T) {
	for _, r := range []Range{
		{Path: "../x", Length: 1}, {Path: "", Length: 1}, {Path: "a", Offset: -1, Length: 1}, {Path: "a", Length: -1},
		{Path: "a", Offset: math.MaxInt64, Length: math.MaxInt64}, {Path: "a", Length: math.MaxInt64},
	} {
		var err error
		for _, err = range groups(one(r), true) {
		}
		if err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

func TestHashReader(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 250_000)
	digests, err := HashReader(t.Context(), bytes.NewReader(data), "x", int64(len(data))+5)
	if err != nil || len(digests) != 3 || !digests[2].Short || digests[2].Length != int64(len(data))-2*PartSize {
		t.Errorf("%d digests, %v", len(digests), err)
	}
	stop := errors.New("stop")
	_, err = HashReader(t.Context(), readerAt(func([]byte, int64) (int, error) { return 0, stop }), "x", 5)
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

type readerAt func([]byte, int64) (int, error)

func (r readerAt) ReadAt(b []byte, off int64) (int, error) { return r(b, off) }
