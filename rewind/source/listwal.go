package source

import (
	"context"
	"errors"
	"iter"
	"strings"

	"forkpoint/walinspect/datadir"
)

// ListWAL lists the files in pg_wal of a source, without all the rest.
func ListWAL(ctx context.Context, s Source) iter.Seq2[datadir.File, error] {
	return func(yield func(datadir.File, error) bool) {
		if server, live := s.(*Server); live {
			l := lister{server: server, pass: nil}
			err := l.rows(ctx, "pg_wal", func(f datadir.File) error {
				if f.Kind == datadir.Regular && !yield(f, nil) {
					return errStop
				}
				return nil
			})
			if err != nil && !errors.Is(err, errStop) {
				yield(datadir.File{}, err)
			}
			return
		}
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
