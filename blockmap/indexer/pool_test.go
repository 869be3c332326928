package indexer

import (
	"context"
	"slices"
	"testing"

	"forkpoint/walinspect/segment"
)

// noted is a source that notes what is opened and closed.
type noted struct {
	segment.Source
	opened, closed []string
}

type notedFile struct {
	n    *noted
	name string
}

func (f notedFile) ReadAt([]byte, int64) (int, error) { return 0, nil }
func (f notedFile) Close() error                      { f.n.closed = append(f.n.closed, f.name); return nil }

func (n *noted) Open(_ context.Context, name string) (*segment.File, error) {
	n.opened = append(n.opened, name)
	f := notedFile{n, name}
	return &segment.File{ReaderAt: f, Closer: f}, nil
}

// A file that is used again counts once among the idle, and as the last.
func TestPoolIdle(t *testing.T) {
	source := &noted{}
	p := newPool(source, 2)
	use := func(name string) *segment.File {
		f, err := p.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, name := range []string{"a", "a", "b", "a"} {
		use(name).Close() // read only
	}
	if len(source.closed) != 0 || !slices.Equal(source.opened, []string{"a", "b"}) {
		t.Errorf("two files used in turn: opened %q, closed %q", source.opened, source.closed)
	}
	b := use("b")
	for _, name := range []string{"c", "d"} {
		use(name).Close()
	}
	if !slices.Equal(source.closed, []string{"a"}) {
		t.Errorf("closed %q, want the longest idle, not what is in use", source.closed)
	}
	b.Close()
	if !slices.Equal(source.closed, []string{"a", "c"}) {
		t.Errorf("closed %q", source.closed)
	}
	p.close()
	if slices.Sort(source.closed); !slices.Equal(source.closed, []string{"a", "b", "c", "d"}) {
		t.Errorf("closed %q in the end, want each once", source.closed)
	}
}
