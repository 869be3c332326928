package segment

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Chain is several sources in order; the first that has a file gives it.
type Chain struct{ sources []Source }

// NewChain makes a chain. Sources that are nil are left out.
func NewChain(sources ...Source) *Chain {
	c := &Chain{}
	for _, s := range sources {
		if s != nil {
			c.sources = append(c.sources, s)
		}
	}
	return c
}

// Places are the sources that a chain has, also those of chains in it, in their
// order; of another source it is that one.
func Places(s Source) []Source {
	c, is := s.(*Chain)
	if !is {
		return []Source{s}
	}
	var all []Source
	for _, part := range c.sources {
		all = append(all, Places(part)...)
	}
	return all
}

func (c *Chain) String() string {
	names := make([]string, len(c.sources))
	for i, s := range c.sources {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

// Open asks one source after the other. A file that does not hold its segment,
// because it was recycled or made ahead of use, one put aside incomplete, one
// that is shorter than a segment and one that cannot be decompressed give way to
// a better one further on. An error other than that and that the file is not
// there ends the search: what cannot be read now must not be taken for missing.
func (c *Chain) Open(ctx context.Context, name string) (*File, error) {
	var second *File
	var damaged error
	for _, s := range c.sources {
		f, err := s.Open(ctx, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, ErrContent):
			damaged = errors.Join(damaged, err)
			continue
		case err != nil:
			discard(second)
			return nil, err
		case holds(f, name) && !f.Partial && whole(f, name):
			discard(second)
			return f, nil
		case second == nil || holds(f, name) && !holds(second, name):
			discard(second)
			second = f
		default:
			discard(f)
		}
	}
	switch {
	case second != nil:
		return second, nil
	case damaged != nil:
		return nil, damaged
	}
	return nil, notFound(c, name)
}

func discard(f *File) {
	if f != nil {
		f.Close() // read only: nothing is lost if it fails
	}
}

// holds tells whether a file begins with the page that a segment of that name
// begins with. Of other files it knows nothing and says yes.
func holds(f *File, name string) bool {
	if !pg.IsSegmentName(name) {
		return true
	}
	h, ok := firstHeader(f)
	if !ok || !h.Long {
		return false
	}
	want, err := pg.ParseSegmentName(name, h.SegmentSize)
	return err == nil && h.Address == h.SegmentSize.Start(want.Number) && h.Timeline <= want.Timeline
}

// whole tells whether a file that holds a segment is as long as one.
func whole(f *File, name string) bool {
	if !pg.IsSegmentName(name) {
		return true
	}
	h, ok := firstHeader(f)
	return ok && f.Size >= int64(h.SegmentSize)
}

// firstHeader reads the header of a file's first page; false where there is none.
func firstHeader(f *File) (walinspect.PageHeader, bool) {
	var head [walinspect.LongHeaderLen]byte
	if n, _ := f.ReadAt(head[:], 0); n < len(head) {
		return walinspect.PageHeader{}, false
	}
	h, err := walinspect.DecodePageHeader(head[:])
	return h, err == nil
}

// List yields what the sources have; a segment that several have, once, from
// the first of them. Incomplete files come last, where there is nothing better.
func (c *Chain) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		seen := map[pg.SegmentName]bool{}
		var partial []Info
		for _, s := range c.sources {
			for info, err := range s.List(ctx) {
				switch {
				case err != nil:
					yield(info, err)
					return
				case seen[info.Name]:
				case info.Partial:
					partial = append(partial, info)
				default:
					seen[info.Name] = true
					if !yield(info, nil) {
						return
					}
				}
			}
		}
		for _, info := range partial {
			if !seen[info.Name] && !yield(info, nil) {
				return
			}
			seen[info.Name] = true
		}
	}
}
