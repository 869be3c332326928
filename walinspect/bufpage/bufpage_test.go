package bufpage

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func TestChecksum(t *testing.T) {
	counting := make([]byte, 8192)
	for i := range counting {
		counting[i] = byte(i)
	}
	almostEmpty := make([]byte, 8192)
	almostEmpty[15] = 0x20
	tests := []struct {
		name  string
		page  []byte
		block pg.BlockNumber
		want  uint16
	}{
		{"counting bytes, first block", counting, 0, 0xE706},
		{"counting bytes, second block", counting, 1, 0xE707},
		{"counting bytes, first block of the second file", counting, 131072, 0xE708},
		{"nearly empty", almostEmpty, 0, 0x1F94},
		{"nearly empty, block 7", almostEmpty, 7, 0x1F97},
	}
	for _, tt := range tests {
		if got := Checksum(tt.page, tt.block); got != tt.want {
			t.Errorf("%s: %04X, want %04X", tt.name, got, tt.want)
		}
		page := slices.Clone(tt.page)
		page[8], page[9] = ^page[8], ^page[9]
		if got := Checksum(page, tt.block); got != tt.want {
			t.Errorf("%s: the checksum field counts", tt.name)
		}
	}
}

// page makes a heap page of the tuples, each as header fields and data.
func page(t *testing.T, tuples ...[]byte) []byte {
	t.Helper()
	p := make([]byte, 8192)
	u16, u32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	upper := len(p)
	for i, tuple := range tuples {
		upper -= (len(tuple) + 7) &^ 7
		copy(p[upper:], tuple)
		u32(p[HeaderSize+4*i:], uint32(upper)|1<<15|uint32(len(tuple))<<17)
	}
	u32(p, 5)
	u32(p[4:], 0x1234)
	u16(p[12:], uint16(HeaderSize+4*len(tuples)))
	u16(p[14:], uint16(upper))
	u16(p[16:], 8192)
	u16(p[18:], 8192|layoutVersion)
	return p
}

// tuple makes a heap tuple of three columns.
func tuple(xmin, xmax uint32, infomask uint16, nulls byte, data string) []byte {
	b := make([]byte, 24, 24+len(data))
	binary.LittleEndian.PutUint32(b, xmin)
	binary.LittleEndian.PutUint32(b[4:], xmax)
	binary.LittleEndian.PutUint16(b[18:], 3)
	binary.LittleEndian.PutUint16(b[20:], infomask)
	b[22], b[23] = 24, nulls
	return append(b, data...)
}

func TestVerify(t *testing.T) {
	good := page(t, tuple(700, 0, 0, 0, "x"))
	SetChecksum(good, 3)
	if h := DecodeHeader(good); h.LSN != 0x5_00001234 || h.Size != 8192 || h.Version != 4 || h.New() {
		t.Errorf("header %+v", h)
	}
	zero := make([]byte, 8192)
	SetChecksum(zero, 3)
	change := func(p []byte, at int, b byte) []byte {
		p = slices.Clone(p)
		p[at] = b
		return p
	}
	sealed := func(p []byte) []byte { SetChecksum(p, 3); return p }
	tests := []struct {
		name     string
		page     []byte
		block    pg.BlockNumber
		checksum bool // expected to be the fault
		bad      bool
	}{
		{"good", good, 3, false, false},
		{"new", zero, 3, false, false},
		{"another block's", good, 4, true, true},
		{"bit flipped", change(good, 5000, 1), 3, true, true},
		{"checksum zero", change(change(good, 8, 0), 9, 0), 3, true, true},
		{"new but not zero", change(zero, 8191, 1), 3, false, true},
		{"unknown flag", sealed(change(good, 10, 8)), 3, false, true},
		{"other layout version", sealed(change(good, 18, 5)), 3, false, true},
		{"lower inside the header", sealed(change(good, 12, 20)), 3, false, true},
		{"special past the end", sealed(change(good, 17, 0x21)), 3, false, true},
		{"half a page", sealed(slices.Clone(good[:4096])), 3, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Verify(tt.page, tt.block)
			var e *ChecksumError
			if (err != nil) != tt.bad || errors.As(err, &e) != tt.checksum {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestTuples(t *testing.T) {
	p := page(t, tuple(700, 0, hasNull, 0b101, "one"), tuple(701, 702, 0, 0, "two"), []byte("short"), tuple(703, 0, 0, 0, ""))
	// The second line pointer becomes a redirect and comes back as the fourth.
	binary.LittleEndian.PutUint32(p[HeaderSize+4:], 4|uint32(Redirect)<<15)
	type seen struct {
		Item  uint16
		Xmin  pg.XID
		Data  string
		Nulls [4]bool
	}
	var got []seen
	for tp := range Tuples(p) {
		got = append(got, seen{tp.Item, tp.Xmin, string(tp.Data), [4]bool{tp.Null(0), tp.Null(1), tp.Null(2), tp.Null(3)}})
	}
	want := []seen{{1, 700, "one", [4]bool{false, true, false, true}}, {4, 703, "", [4]bool{3: true}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for tp := range Tuples(make([]byte, 8192)) {
		t.Errorf("tuple on a new page: %v", tp)
	}
}

func TestTupleFates(t *testing.T) {
	tests := []struct {
		name              string
		xmax              uint32
		mask              uint16
		inserted, deleted Fate
	}{
		{"fresh", 0, 0, Unknown, Aborted},
		{"hinted", 0, xminCommitted | xmaxInvalid, Committed, Aborted},
		{"frozen", 0, xminCommitted | xminInvalid | xmaxInvalid, Committed, Aborted},
		{"insertion aborted", 0, xminInvalid | xmaxInvalid, Aborted, Aborted},
		{"deleted", 9, xminCommitted | xmaxCommitted, Committed, Committed},
		{"deleted, not hinted", 9, xminCommitted, Committed, Unknown},
		{"deletion aborted", 9, xminCommitted | xmaxInvalid, Committed, Aborted},
		{"locked", 9, xminCommitted | xmaxLockOnly | xmaxExclusive, Committed, Aborted},
		{"locked, the old way", 9, xminCommitted | xmaxExclusive, Committed, Aborted},
		{"locked by several", 9, xminCommitted | xmaxMulti | xmaxLockOnly | xmaxKeyShare, Committed, Aborted},
		{"updated and locked", 9, xminCommitted | xmaxMulti | xmaxKeyShare, Committed, Unknown},
	}
	for _, tt := range tests {
		for tp := range Tuples(page(t, tuple(8, tt.xmax, tt.mask, 0, ""))) {
			if tp.Inserted() != tt.inserted || tp.Deleted() != tt.deleted {
				t.Errorf("%s: inserted %d, deleted %d; want %d, %d", tt.name, tp.Inserted(), tp.Deleted(), tt.inserted, tt.deleted)
			}
		}
	}
}

func FuzzTuples(f *testing.F) {
	f.Add(page(&testing.T{}, tuple(700, 0, hasNull, 0b101, "one"), tuple(701, 702, 0, 0, "two"))[:200], uint16(8192))
	f.Add([]byte{}, uint16(1024))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		p := make([]byte, size)
		copy(p, b)
		n := 0
		for tp := range Tuples(p) {
			n++
			tp.Null(0)
			tp.Null(2000)
			if len(tp.Data) > len(p) {
				t.Fatal("data past the page")
			}
		}
		if 4*n > len(p) {
			t.Fatalf("%d tuples", n)
		}
		SetChecksum(p, 1)
		Verify(p, 1)
	})
}

func BenchmarkChecksum(b *testing.B) {
	p := make([]byte, 8192)
	for i := range p {
		p[i] = byte(i * 7)
	}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		Checksum(p, 1)
	}
}
