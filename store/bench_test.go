package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// fill makes a catalog of n segments whose contents are those of few.
func fill(b *testing.B, n uint64) (*Catalog, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "catalog.db")
	c, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	sample := oltp(1)
	var batch []*blockmap.Segment
	for i := range n {
		s := *sample
		s.Name.Number = i
		s.Digest[0], s.Digest[1], s.Digest[2] = byte(i), byte(i>>8), byte(i>>16)
		s.Path, s.Identity = "/archive/"+testSize.Name(1, i), testSize.Name(1, i)
		if batch = append(batch, &s); len(batch) == 100 || i == n-1 {
			if err := c.Save(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return c, path
}

// One segment into a catalog of a thousand, the catalog opened and closed for
// it, as archive_command does.
func BenchmarkPush(b *testing.B) {
	c, path := fill(b, 1000)
	c.Close()
	sample := oltp(2000)
	for b.Loop() {
		sample.Name.Number++
		sample.Path = "/archive/" + testSize.Name(1, sample.Name.Number)
		c, err := Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Save(b.Context(), sample); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err == nil {
		n := float64(1000 + b.N)
		b.ReportMetric(float64(info.Size())/n/float64(testSize)*100, "%-of-WAL")
	}
}

func BenchmarkSave(b *testing.B) {
	c, _ := fill(b, 1)
	n := uint64(1)
	segments := make([]*blockmap.Segment, 16)
	for i := range segments {
		segments[i] = oltp(uint64(i) + 1)
	}
	for b.Loop() {
		s := *segments[n%16]
		n++
		s.Name.Number = n
		if err := c.Save(b.Context(), &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	c, _ := fill(b, 200)
	key := oltp(100).Key()
	for b.Loop() {
		variants, err := c.Variants(b.Context(), key)
		if err != nil || len(variants) != 1 {
			b.Fatal(len(variants), err)
		}
		if err := c.Load(b.Context(), variants[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkByIdentity(b *testing.B) {
	c, _ := fill(b, 1000)
	s := oltp(500)
	for b.Loop() {
		if _, _, err := c.ByIdentity(b.Context(), s.Key(), s.Identity); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQuery asks catalogs of a thousand and of a hundred thousand segments
// for as much: what it costs should not depend on what else is in them.
func BenchmarkQuery(b *testing.B) {
	for _, segments := range []uint64{1_000, 100_000} {
		c, rare := fillThin(b, segments)
		cluster, middle := Cluster{SystemID: testSystem, SegmentSize: testSize}, segments/2
		s := thin(middle)
		found := 0
		for name, ask := range map[string]func(ctx context.Context) error{
			"a file's segment": func(ctx context.Context) error {
				_, known, err := c.ByIdentity(ctx, s.Key(), s.Identity)
				if known {
					found++
				}
				return err
			},
			"variants and contents": func(ctx context.Context) error {
				variants, err := c.Variants(ctx, s.Key())
				if err == nil {
					err = c.Load(ctx, variants[0])
				}
				found += len(variants)
				return err
			},
			"blocks of a relation": func(ctx context.Context) error {
				return c.Touched(ctx, cluster, rare, func(TouchedSegment) error { found++; return nil })
			},
			"a transaction": func(ctx context.Context) error {
				return c.SegmentsOf(ctx, cluster, s.XIDs[3].XID, func(*blockmap.Segment) error { found++; return nil })
			},
			"the next segment": func(ctx context.Context) error {
				_, known, err := c.Next(ctx, s.Key())
				if known {
					found++
				}
				return err
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, segments), func(b *testing.B) {
				found = 0
				for b.Loop() {
					if err := ask(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				if found == 0 {
					b.Fatal("nothing was found")
				}
			})
		}
	}
}

// thin is a segment with few relations and transactions.
func thin(n uint64) *blockmap.Segment {
	start := testSize.Start(n)
	s := &blockmap.Segment{
		SystemID: testSystem, SegmentSize: testSize, Major: 15, Name: pg.SegmentName{Timeline: 1, Number: n},
		First: start + 40, Last: start + 4000, End: start + 4096, FirstPrev: start - 64, FirstTimeline: 1, LastTimeline: 1,
		Records: 100, Bytes: 4000, Complete: true, Indexed: at(int64(n)),
		Path: "/archive/" + testSize.Name(1, n), Identity: testSize.Name(1, n), Size: int64(testSize),
	}
	binary.BigEndian.PutUint64(s.Digest[:], n+1)
	var a blockmap.Accumulator
	for rel := range pg.RelFileNumber(5) {
		f := a.Fork(relFork(16384+rel, pg.MainFork))
		f.Touch(pg.BlockNumber(n%50_000), false)
		f.Activity.Records++
	}
	s.Touched, s.Activity = a.Map()
	for i := range 10 {
		x := pg.XID(1000 + 10*n + uint64(i))
		lsn := start + pg.LSN(80*(i+1))
		s.XIDs = append(s.XIDs, blockmap.XIDActivity{XID: x, First: lsn, Records: 5, Bytes: 400})
		s.Xacts = append(s.Xacts, blockmap.Xact{LSN: lsn + 40, End: lsn + 80, XID: x, Time: at(int64(n))})
	}
	return s
}

// fillThin makes a catalog of n thin segments, and names a relation that three
// of them touched.
func fillThin(b *testing.B, n uint64) (*Catalog, pg.RelFileLocator) {
	b.Helper()
	c, err := Open(b.Context(), filepath.Join(b.TempDir(), "catalog.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() }) // nothing of it is kept
	rare := relFork(20000, pg.MainFork)
	var batch []*blockmap.Segment
	for i := range n {
		s := thin(i + 1)
		if i%(n/3) == 1 {
			s.Touched.Touch(pg.BlockTag{RelFork: rare, Block: 7}, false)
		}
		if batch = append(batch, s); len(batch) == 1000 || i == n-1 {
			if err := c.Save(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return c, rare.RelFileLocator
}
