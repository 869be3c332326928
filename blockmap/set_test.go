package blockmap

import (
	"bytes"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

var blocksGen = rapid.SliceOf(rapid.Map(rapid.OneOf(
	rapid.Uint32Range(0, 200),
	rapid.Uint32Range(65000, 66000),
	rapid.Uint32Range(1<<32-20, 1<<32-2),
), func(n uint32) pg.BlockNumber { return pg.BlockNumber(n) }))

type plainSet map[pg.BlockNumber]bool

func plain(blocks []pg.BlockNumber) plainSet {
	s := plainSet{}
	for _, b := range blocks {
		s[b] = true
	}
	return s
}

func (p plainSet) filter(keep func(pg.BlockNumber) bool) []pg.BlockNumber {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p)), func(b pg.BlockNumber) bool { return !keep(b) })
}

func TestSetAgainstPlainSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := blocksGen.Draw(t, "a"), blocksGen.Draw(t, "b")
		sa, sb := NewSet(a...), NewSet(b...)
		pa, pb := plain(a), plain(b)
		either := plain(append(slices.Clone(a), b...))
		limit := rapid.SampledFrom(append(slices.Clone(a), 0, 100, pg.InvalidBlock)).Draw(t, "limit")
		below := sa.Clone()
		below.RemoveFrom(limit)
		all := func(pg.BlockNumber) bool { return true }
		for _, c := range []struct {
			name string
			got  *Set
			want []pg.BlockNumber
		}{
			{"self", sa, pa.filter(all)},
			{"union", sa.Union(sb), either.filter(all)},
			{"intersection", sa.Intersect(sb), pa.filter(func(n pg.BlockNumber) bool { return pb[n] })},
			{"difference", sa.Subtract(sb), pa.filter(func(n pg.BlockNumber) bool { return !pb[n] })},
			{"below limit", below, pa.filter(func(n pg.BlockNumber) bool { return n < limit })},
		} {
			if got := slices.Collect(c.got.All()); !slices.Equal(got, c.want) || c.got.Len() != uint64(len(c.want)) {
				t.Fatalf("%s: %v, want %v", c.name, got, c.want)
			}
			checkRanges(t, c.got)
			var fromText Set
			if err := fromText.UnmarshalText([]byte(c.got.String())); err != nil || !fromText.Equal(c.got) {
				t.Fatalf("%s: %q reads as %s, %v", c.name, c.got, &fromText, err)
			}
			again, err := DecodeSet(c.got.Bytes())
			if err != nil || !again.Equal(c.got) || !bytes.Equal(again.Bytes(), c.got.Bytes()) {
				t.Fatalf("%s: decoded %v, %v", c.name, again, err)
			}
		}
	})
}

func checkRanges(t *rapid.T, s *Set) {
	var again Set
	last := pg.InvalidBlock
	for from, to := range s.Ranges() {
		if from >= to || from == last {
			t.Fatalf("range %d..%d after one that ends at %d", from, to, last)
		}
		again.AddRange(from, to)
		last = to
	}
	if !again.Equal(s) {
		t.Fatalf("ranges hold %v, the set %v", again.bits.String(), s.bits.String())
	}
}

func TestNilSetIsEmpty(t *testing.T) {
	var s *Set
	if s.Contains(0) || s.Len() != 0 || !s.Empty() || !s.Equal(&Set{}) || s.Bytes() != nil || !s.Union(nil).Empty() || !s.Subtract(NewSet(1)).Empty() {
		t.Fatal("a nil set is not empty")
	}
	for range s.All() {
		t.Fatal("a nil set has a block")
	}
	for range s.Ranges() {
		t.Fatal("a nil set has a range")
	}
}

func TestDecodeSetRefuses(t *testing.T) {
	good := NewSet(1, 2, 3, 70000).Bytes()
	tests := []struct {
		name string
		in   []byte
	}{
		{"one byte", good[:1]},
		{"cut short", good[:len(good)-1]},
		{"bytes behind", append(slices.Clone(good), 0)},
		{"other cookie", append([]byte{1, 2, 3, 4}, good[4:]...)},
		{"zeros", make([]byte, 16)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := DecodeSet(tt.in); !errors.Is(err, ErrBadSet) {
				t.Fatalf("%v, %v; want ErrBadSet", s, err)
			}
		})
	}
}

func TestSetText(t *testing.T) {
	var s Set
	s.AddRange(0, 4)
	s.Add(7)
	s.AddRange(1024, 2048)
	if got := s.String(); got != "0-3,7,1024-2047" {
		t.Errorf("text %q", got)
	}
	for _, bad := range []string{"3-1", "1,1", "2,1", "1-", "-1", "a", "1,,2", " 1", "1-2-3", "4294967295", "0-4294967295", "4294967296"} {
		if err := new(Set).UnmarshalText([]byte(bad)); !errors.Is(err, ErrBadSet) {
			t.Errorf("%q: %v, want ErrBadSet", bad, err)
		}
	}
}

func FuzzDecodeSet(f *testing.F) {
	var dense, runs Set
	for i := range pg.BlockNumber(9000) {
		dense.Add(i * 3)
	}
	runs.AddRange(5, 100000)
	f.Add(NewSet(1, 2, 3, 70000).Bytes())
	f.Add(dense.Bytes())
	f.Add(runs.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSet(b)
		if err != nil {
			return
		}
		again, err := DecodeSet(s.Bytes())
		if err != nil || !again.Equal(s) {
			t.Fatalf("%x decodes to %s, which comes back as %v, %v", b, s.bits.String(), again, err)
		}
		var n uint64
		last := int64(-1)
		for block := range s.All() {
			if int64(block) <= last {
				t.Fatalf("block %d after %d", block, last)
			}
			last = int64(block)
			if n++; n > 1<<20 {
				return // long runs take few bytes; the start is enough
			}
		}
		if n != s.Len() {
			t.Fatalf("%d blocks, Len is %d", n, s.Len())
		}
	})
}

// Many short ranges, as of a table that is updated at random, must not be copied
// again with each.
func TestAddRangeOfManyShortOnes(t *testing.T) {
	const ranges = 20_000
	var s Set
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range pg.BlockNumber(ranges) {
		s.AddRange(i*3, i*3+2)
	}
	runtime.ReadMemStats(&after)
	if s.Len() != 2*ranges || s.Contains(2) || !s.Contains(3) {
		t.Errorf("%d blocks", s.Len())
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d ranges took %d bytes", ranges, took)
	}
}

// Sets that are joined while they are encoded are those joined one by one,
// however far their blocks reach and however they are stored.
func TestUnionEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.SampledFrom([]uint32{70, 200_000, denseLimit - 1, denseLimit, uint32(pg.InvalidBlock) - 1}).Draw(t, "last")
		want := &Set{}
		encoded := [][]byte{nil}
		for range rapid.IntRange(0, 6).Draw(t, "sets") {
			set := &Set{}
			for range rapid.IntRange(0, 4).Draw(t, "runs") {
				first := rapid.Uint32Range(0, last).Draw(t, "first")
				for block := first; block <= last && block-first < rapid.Uint32Range(1, 300).Draw(t, "length"); block++ {
					set.Add(pg.BlockNumber(block))
				}
			}
			encoded = append(encoded, set.Bytes())
			want = want.Union(set)
		}
		got, err := UnionEncoded(encoded)
		if err != nil || !got.Equal(want) {
			t.Fatalf("%s, %v; want %s", got, err, want)
		}
		for i := range encoded { // the result does not refer to them
			clear(encoded[i])
		}
		if !got.Equal(want) {
			t.Fatalf("%s when the bytes are gone; want %s", got, want)
		}
	})
}
