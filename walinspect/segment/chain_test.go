package segment_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/waltest"
)

// A copy that is shorter than its segment or cannot be decompressed gives way to
// a whole one in a later place; where there is none it is what there is, or its
// error is the answer.
func TestChainPassesOverDamagedCopies(t *testing.T) {
	const size = pg.SegmentSize(1 << 20)
	b := waltest.New(waltest.Config{})
	b.Append(waltest.Noop(3000))
	content := b.Log().Segment(1)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const name = "000000010000000000000001"
	folder := func(file string, content []byte) segment.Source {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return segment.NewDir(dir, size)
	}
	good := folder(name, content)
	for _, tt := range []struct {
		name string
		bad  segment.Source
		size int64 // of what there is where it is all that there is; 0 for an error
	}{
		{"shorter than a segment", folder(name, content[:600_000]), 600_000},
		{"compressed and cut short", folder(name+".gz", packed.Bytes()[:packed.Len()-20]), -1},
		{"compressed and without its head", folder(name+".gz", packed.Bytes()[20:]), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := segment.NewChain(tt.bad, good).Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close() // read only
			if got, err := f.Bytes(); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s was taken: %v", f.Path, err)
			}
			alone, err := segment.NewChain(tt.bad).Open(t.Context(), name)
			switch {
			case tt.size == 0 && !errors.Is(err, segment.ErrContent):
				t.Errorf("alone: %v", err)
			case tt.size != 0 && err != nil:
				t.Errorf("alone: %v", err)
			case tt.size > 0 && alone.Size != tt.size || tt.size < 0 && alone.Size >= int64(size):
				t.Errorf("alone: %d bytes", alone.Size)
			}
			if alone != nil {
				alone.Close() // read only
			}
		})
	}
}
