package source

import (
	"fmt"
	"iter"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// BenchmarkFetch reads whole files, every second block of them, and sums, from
// a live server on this machine.
func BenchmarkFetch(b *testing.B) {
	const files, size = 4, 64 << 20
	server := pgtest.Run(b)
	for i := range files {
		put(b, server, fmt.Sprintf("extra/%d", i), pattern(size))
	}
	conninfo := rewindRole(server)
	ranges := func(step, length int64) iter.Seq[Range] {
		return func(yield func(Range) bool) {
			for i := range files {
				for at := int64(0); at < size; at += step {
					if !yield(Range{Path: fmt.Sprintf("extra/%d", i), Offset: at, Length: length}) {
						return
					}
				}
			}
		}
	}
	for _, jobs := range []int{1, 4} {
		s := connect(b, conninfo, Options{Jobs: jobs})
		run := func(name string, bytes int64, f func() error) {
			b.Run(fmt.Sprintf("%s/jobs=%d", name, jobs), func(b *testing.B) {
				b.SetBytes(bytes)
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("whole", files*size, func() error {
			return s.Fetch(b.Context(), ranges(size, size), func(Chunk) error { return nil })
		})
		run("blocks", files*size/2, func() error {
			return s.Fetch(b.Context(), ranges(16<<10, 8<<10), func(Chunk) error { return nil })
		})
		run("hash", files*size, func() error {
			return s.Hash(b.Context(), ranges(size, size), func(Digest) error { return nil })
		})
	}
}
