package bufpage

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// indexPage makes a page with a special space of its own and two entries.
func indexPage(special []byte) []byte {
	p := make([]byte, 8192)
	u16, u32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	at := len(p) - len(special)
	copy(p[at:], special)
	u32(p[4:], 0x1234)
	u16(p[12:], HeaderSize+8)
	u16(p[14:], uint16(at-32))
	u16(p[16:], uint16(at))
	u16(p[18:], 8192|layoutVersion)
	for i := range 2 {
		u32(p[HeaderSize+4*i:], uint32(at-32+16*i)|1<<15|16<<17)
		p[at-32+16*i] = byte(i + 1)
	}
	return p
}

func opaque(n int, words ...[2]uint16) []byte {
	b := make([]byte, n)
	for _, w := range words {
		binary.LittleEndian.PutUint16(b[w[0]:], w[1])
	}
	return b
}

var (
	heapPage   = func() []byte { return page(&testing.T{}, tuple(700, 701, 0, 0, "one"), tuple(702, 0, 0, 0, "four")) }
	btreeLeaf  = func() []byte { return indexPage(opaque(16, [2]uint16{12, 1})) }
	hashBucket = func() []byte { return indexPage(opaque(16, [2]uint16{12, 2}, [2]uint16{14, hashID})) }
	gistLeaf   = func() []byte { return indexPage(opaque(16, [2]uint16{12, 1}, [2]uint16{14, gistID})) }
	ginLeaf    = func() []byte { return indexPage(opaque(8, [2]uint16{6, 2})) }
	spgistMeta = func() []byte { return indexPage(opaque(8, [2]uint16{0, 1}, [2]uint16{6, spgistID})) }
	brinPage   = func() []byte { return indexPage(opaque(8, [2]uint16{6, brinRegularID})) }
	bloomPage  = func() []byte { return indexPage(opaque(8, [2]uint16{6, bloomID})) }
	sequence   = func() []byte {
		p := page(&testing.T{}, tuple(2, 0, 0, 0, "values"))
		q := indexPage(opaque(8, [2]uint16{0, sequenceMagic}))
		binary.LittleEndian.PutUint16(q[12:], HeaderSize+4)
		copy(q[8000:], p[8160:])
		binary.LittleEndian.PutUint32(q[HeaderSize:], 8000|1<<15|30<<17)
		binary.LittleEndian.PutUint16(q[14:], 8000)
		return q
	}
)

func TestKindOf(t *testing.T) {
	fresh := page(t)
	tests := []struct {
		page []byte
		want Kind
	}{
		{make([]byte, 8192), Empty}, {fresh, Empty}, {heapPage(), Heap}, {btreeLeaf(), Btree}, {hashBucket(), Hash}, {gistLeaf(), GiST},
		{ginLeaf(), GIN}, {spgistMeta(), SPGiST}, {brinPage(), BRIN}, {bloomPage(), Bloom}, {sequence(), Sequence},
		{bytes.Repeat([]byte{7}, 8192), Other}, {make([]byte, 10), Empty}, {nil, Empty},
	}
	for i, tt := range tests {
		if got := KindOf(tt.page); got != tt.want {
			t.Errorf("page %d is %s, want %s", i, got, tt.want)
		}
	}
}

// TestMask changes one thing in a copy of a page. Masked, the two are equal if
// the log does not tell of such a change, and differ if it does.
func TestMask(t *testing.T) {
	const meta = HeaderSize + 4
	tests := []struct {
		name   string
		page   func() []byte
		at     int // negative counts from the end
		bits   byte
		hidden bool
	}{
		{"LSN", heapPage, 4, 1, true},
		{"checksum", heapPage, 8, 1, true},
		{"all-visible flag", heapPage, 10, 4, true},
		{"oldest prunable transaction", heapPage, 20, 1, true},
		{"the hole", heapPage, 4000, 1, true},
		{"heap: number of columns", heapPage, 8192 - 32 + 18, 1, false},
		{"heap: inserting transaction", heapPage, 8192 - 32, 1, false},
		{"heap: deleting transaction", heapPage, 8192 - 32 + 4, 1, false},
		{"heap: command", heapPage, 8192 - 32 + 8, 1, true},
		{"heap: inserter known to have committed", heapPage, 8192 - 32 + 21, 1, true},
		{"heap: has nulls", heapPage, 8192 - 32 + 20, 1, false},
		{"heap: data", heapPage, 8192 - 32 + 24, 1, false},
		{"heap: padding", heapPage, 8192 - 1, 1, true},
		{"heap: line pointer dead", heapPage, HeaderSize + 2, 1, false},
		{"btree: entry found dead", btreeLeaf, HeaderSize + 2, 1, true},
		{"btree: entry", btreeLeaf, -48, 1, false},
		{"btree: has garbage", btreeLeaf, -4, 1 << 6, true},
		{"btree: vacuum cycle", btreeLeaf, -2, 5, true},
		{"btree: right sibling", btreeLeaf, -12, 1, false},
		{"hash: entry found dead", hashBucket, HeaderSize + 2, 1, true},
		{"hash: has dead entries", hashBucket, -4, 1 << 7, true},
		{"hash: bucket", hashBucket, -8, 1, false},
		{"gist: NSN", gistLeaf, -16, 1, true},
		{"gist: follow right", gistLeaf, -4, 1 << 3, true},
		{"gist: entry found dead", gistLeaf, HeaderSize + 2, 1, true},
		{"gist: right link", gistLeaf, -8, 1, false},
		{"gin: right link", ginLeaf, -8, 1, false},
		{"gin: line pointer dead", ginLeaf, HeaderSize + 2, 1, false},
		{"spgist: cache of free space", spgistMeta, meta + 9, 1, true},
		{"spgist: magic number", spgistMeta, HeaderSize, 1, false},
		{"brin: being emptied", brinPage, -4, 1, true},
		{"brin: entry", brinPage, -40, 1, false},
		{"bloom: entry", bloomPage, -40, 1, false},
		{"sequence: value", sequence, 8000 + 24, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.page()
			b := slices.Clone(a)
			if tt.at < 0 {
				tt.at += len(b)
			}
			b[tt.at] ^= tt.bits
			Mask(a, KindOf(a))
			Mask(b, KindOf(b))
			if got := bytes.Equal(a, b); got != tt.hidden {
				t.Errorf("equal %t, want %t", got, tt.hidden)
			}
		})
	}
}

func FuzzMask(f *testing.F) {
	for _, p := range []func() []byte{heapPage, btreeLeaf, hashBucket, gistLeaf, ginLeaf, spgistMeta, brinPage, sequence} {
		f.Add(p())
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		kind := KindOf(p)
		Mask(p, kind)
		once := slices.Clone(p)
		Mask(p, kind)
		if DecodeHeader(once).Check(len(once)) == nil && !bytes.Equal(once, p) {
			t.Error("masking twice masks more")
		}
		for kind := range Visibility + 1 {
			Mask(slices.Clone(once), kind)
		}
	})
}
