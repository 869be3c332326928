package blockmap

import (
	"math/rand/v2"
	"testing"

	"forkpoint/walinspect/pg"
)

// references is the order in which an OLTP load touches pages: a few tables,
// most of them small, one large.
func references(n int) []pg.BlockTag {
	r := rand.New(rand.NewPCG(1, 2))
	tags := make([]pg.BlockTag, n)
	for i := range tags {
		rel := pg.RelFileNumber(16384 + i%5)
		blocks := []int{80000, 22000, 1, 40, 3}[i%5]
		tags[i] = pg.BlockTag{
			RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: rel}},
			Block:   pg.BlockNumber(r.IntN(blocks)),
		}
	}
	return tags
}

func BenchmarkAccumulatorTouch(b *testing.B) {
	tags := references(100_000)
	for b.Loop() {
		var a Accumulator
		for i := range tags {
			a.Fork(tags[i].RelFork).Touch(tags[i].Block, i&1 == 0)
		}
		a.Map()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(tags)), "ns/ref")
}

func BenchmarkMapAppend(b *testing.B) {
	var parts []*Map
	for i := range 16 {
		var a Accumulator
		for j, tag := range references(20_000) {
			tag.Block += pg.BlockNumber(i * 100)
			a.Fork(tag.RelFork).Touch(tag.Block, j&1 == 0)
		}
		m, _ := a.Map()
		parts = append(parts, m)
	}
	for b.Loop() {
		var whole Map
		for _, m := range parts {
			whole.Append(m)
		}
	}
}

func BenchmarkSetDecode(b *testing.B) {
	var s Set
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		s.Add(pg.BlockNumber(r.IntN(80_000)))
	}
	enc := s.Bytes()
	b.SetBytes(int64(len(enc)))
	for b.Loop() {
		if _, err := DecodeSet(enc); err != nil {
			b.Fatal(err)
		}
	}
}
