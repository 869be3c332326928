package segment

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
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

func (c *Chain) String() string {
	names := make([]string, len(c.sources))
	for i, s := range c.sources {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

// Open asks one source after the other. An error other than that the file is
// not there ends the search: a broken copy in an earlier source must not be
// hidden by a later one.
func (c *Chain) Open(ctx context.Context, name string) (*File, error) {
	for _, s := range c.sources {
		f, err := s.Open(ctx, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, notFound(c, name)
}

// List yields what the sources have; a segment that several have, once, from
// the first of them.
func (c *Chain) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		seen := map[string]bool{}
		for _, s := range c.sources {
			for info, err := range s.List(ctx) {
				key := strings.SplitN(info.File, ".", 2)[0]
				if err == nil && seen[key] {
					continue
				}
				seen[key] = true
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}
