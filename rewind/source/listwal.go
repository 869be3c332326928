package source

import (
	"context"
	"iter"
	"strings"

	"forkpoint/walinspect/datadir"
)

// ListWAL lists the files in pg_wal of a source, without all the rest.
func ListWAL(ctx context.Context, s Source) iter.Seq2[datadir.File, error] {
	if server, live := s.(*Server); live {
		return yielding(func(pass func(datadir.File) error) error {
			l := lister{server: server, pass: nil}
			return l.rows(ctx, "pg_wal", func(f datadir.File) error {
				if f.Kind != datadir.Regular {
					return nil
				}
				return pass(f)
			})
		})
	}
	return func(yield func(datadir.File, error) bool) {
		for f, err := range s.Files(ctx) {
			if err != nil {
				yield(f, err)
				return
			}
			if strings.HasPrefix(f.Path, "pg_wal/") && f.Kind == datadir.Regular && !yield(f, nil) {
				return
			}
		}
	}
}
