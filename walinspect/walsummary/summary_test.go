package walsummary

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

// fork is an entry as a test writes and reads it.
type fork struct {
	Rel    pg.RelFork
	Limit  pg.BlockNumber
	Blocks []pg.BlockNumber // ascending
}

// encode writes a summary as a server does, but for the order of the offsets,
// which it turns round.
func encode(forks []fork) []byte {
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	b := u32(nil, magic)
	for _, f := range forks {
		var chunks [][]uint16
		for _, block := range f.Blocks {
			for int(block/chunkBlocks) >= len(chunks) {
				chunks = append(chunks, nil)
			}
			chunks[block/chunkBlocks] = append(chunks[block/chunkBlocks], uint16(block))
		}
		for _, n := range []uint32{uint32(f.Rel.Spc), uint32(f.Rel.DB), uint32(f.Rel.Rel), uint32(f.Rel.Fork), uint32(f.Limit), uint32(len(chunks))} {
			b = u32(b, n)
		}
		for i, chunk := range chunks {
			if len(chunk) >= bitmapWords {
				words := make([]uint16, bitmapWords)
				for _, offset := range chunk {
					words[offset/16] |= 1 << (offset % 16)
				}
				chunks[i] = words
			} else {
				slices.Reverse(chunk)
			}
			b = u16(b, uint16(len(chunks[i])))
		}
		for _, chunk := range chunks {
			for _, word := range chunk {
				b = u16(b, word)
			}
		}
	}
	return seal(append(b, make([]byte, entrySize)...))
}

func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeAll(s *Summary) []fork {
	var list []fork
	for e := range s.Entries() {
		list = append(list, fork{e.Rel, e.Limit, slices.Collect(e.Blocks())})
	}
	return list
}

func rel(spc, db pg.OID, number pg.RelFileNumber, f pg.ForkNumber) pg.RelFork {
	return pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: spc, DB: db, Rel: number}, Fork: f}
}

func TestDecode(t *testing.T) {
	var many, most []pg.BlockNumber
	for n := range pg.BlockNumber(4095) {
		many = append(many, 2*chunkBlocks+3*n)
	}
	for n := range pg.BlockNumber(4096) {
		most = append(most, 5+16*n)
	}
	tests := []struct {
		name  string
		forks []fork
	}{
		{"nothing", nil},
		{"one block", []fork{{rel(1663, 5, 16384, pg.MainFork), pg.InvalidBlock, []pg.BlockNumber{7}}}},
		{"truncated", []fork{{rel(1663, 5, 16384, pg.MainFork), 3, []pg.BlockNumber{1, 9}}}},
		{"made anew", []fork{{rel(1663, 5, 16384, pg.InitFork), 0, nil}}},
		{"database dropped", []fork{{rel(1663, 5, 0, pg.MainFork), 0, nil}}},
		{"second chunk only", []fork{{rel(1663, 5, 16384, pg.VMFork), pg.InvalidBlock, []pg.BlockNumber{65536, 131071}}}},
		{"longest list", []fork{{rel(1663, 5, 16384, pg.MainFork), pg.InvalidBlock, many}}},
		{"bitmap", []fork{{rel(1663, 5, 16384, pg.MainFork), pg.InvalidBlock, most}, {rel(1664, 0, 1262, pg.MainFork), pg.InvalidBlock, []pg.BlockNumber{0}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Decode(encode(tt.forks))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.forks, decodeAll(s)); diff != "" {
				t.Error(diff)
			}
			for e := range s.Entries() {
				if e.WholeDatabase() != (tt.name == "database dropped") {
					t.Error("mistaken for a database")
				}
				for range e.Blocks() {
					break
				}
				break
			}
		})
	}
}

func TestDecodeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := rapid.Custom(func(t *rapid.T) []pg.BlockNumber {
			var list []pg.BlockNumber
			for range rapid.IntRange(0, 3).Draw(t, "runs") {
				from := rapid.Uint32Range(0, 4*chunkBlocks).Draw(t, "from")
				step := rapid.Uint32Range(1, 20).Draw(t, "step")
				for i := range rapid.Uint32Range(1, 6000).Draw(t, "count") {
					list = append(list, pg.BlockNumber(from+step*i))
				}
			}
			slices.Sort(list)
			return slices.Compact(list)
		})
		var forks []fork
		for range rapid.IntRange(0, 3).Draw(t, "forks") {
			n := rapid.Uint32Range(1, 99)
			forks = append(forks, fork{
				rel(pg.OID(n.Draw(t, "spc")), pg.OID(n.Draw(t, "db")), pg.RelFileNumber(n.Draw(t, "rel")), pg.ForkNumber(n.Draw(t, "fork")%4)),
				pg.BlockNumber(rapid.Uint32().Draw(t, "limit")), blocks.Draw(t, "blocks")})
		}
		s, err := Decode(encode(forks))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range decodeAll(s) {
			if len(forks[i].Blocks) == 0 {
				forks[i].Blocks = nil
			}
			if diff := cmp.Diff(forks[i], f); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := encode([]fork{{rel(1663, 5, 16384, pg.MainFork), pg.InvalidBlock, []pg.BlockNumber{7, 70000}}})
	change := func(at int, n uint32) []byte {
		b := slices.Clone(good[:len(good)-4])
		binary.LittleEndian.PutUint32(b[at:], n)
		return seal(b)
	}
	tests := []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"cut short", good[:len(good)-1]},
		{"only half", good[:len(good)/2]},
		{"magic", change(0, 5)},
		{"bit flipped", append(slices.Clone(good[:9]), append([]byte{good[9] ^ 1}, good[10:]...)...)},
		{"no such fork", change(4+12, 4)},
		{"negative fork", change(4+12, 1<<32-1)},
		{"too many chunks", change(4+20, 1<<20)},
		{"more chunks than bytes", change(4+20, 60000)},
		{"chunk too large", change(4+24, 4097)},
		{"chunk past the end", change(4+24, 4000)},
		{"no sentinel", seal(good[:len(good)-4-entrySize])},
		{"bytes behind the sentinel", seal(append(slices.Clone(good[:len(good)-4]), 0))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := Decode(tt.b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Decode = %v, %v", s, err)
			}
		})
	}
}

func TestName(t *testing.T) {
	const name = "0000000200000001000000280000000103000158.summary"
	want := Name{2, pg.Span{From: 0x1_00000028, To: 0x1_03000158}}
	if got, ok := ParseName(name); got != want || !ok || got.String() != name {
		t.Errorf("ParseName = %v, %t", got, ok)
	}
	for _, bad := range []string{
		"", "temp.summary", name[:47], "0" + name, name + "x", name[1:],
		"0000000000000001000000280000000103000158.summary",
		"0000000200000001000000280000000100000028.summary",
		"000000020000000100000028000000010300015a.summary",
		"+000000200000001000000280000000103000158.summary",
	} {
		if got, ok := ParseName(bad); ok {
			t.Errorf("%q was taken as %v", bad, got)
		}
	}
}

func TestCover(t *testing.T) {
	n := func(tli pg.TimelineID, from, to pg.LSN) Name { return Name{tli, pg.Span{From: from, To: to}} }
	names := []Name{n(1, 300, 400), n(1, 100, 200), n(2, 200, 300), n(1, 400, 500), n(1, 150, 210)}
	tests := []struct {
		name    string
		span    pg.Span
		used    []Name
		missing []pg.Span
	}{
		{"one file", pg.Span{From: 300, To: 400}, []Name{n(1, 300, 400)}, nil},
		{"inside of one", pg.Span{From: 310, To: 390}, []Name{n(1, 300, 400)}, nil},
		{"two files", pg.Span{From: 310, To: 500}, []Name{n(1, 300, 400), n(1, 400, 500)}, nil},
		{"overlapping files and a hole", pg.Span{From: 50, To: 600}, []Name{n(1, 100, 200), n(1, 150, 210), n(1, 300, 400), n(1, 400, 500)},
			[]pg.Span{{From: 50, To: 100}, {From: 210, To: 300}, {From: 500, To: 600}}},
		{"no file", pg.Span{From: 210, To: 300}, nil, []pg.Span{{From: 210, To: 300}}},
		{"nothing asked", pg.Span{From: 210, To: 210}, nil, nil},
	}
	for _, tt := range tests {
		used, missing := Cover(names, 1, tt.span)
		if diff := cmp.Diff(tt.used, used) + cmp.Diff(tt.missing, missing); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(nil))
	f.Add(encode([]fork{{rel(1663, 5, 16384, pg.MainFork), 3, []pg.BlockNumber{7, 70000}}, {rel(1663, 5, 0, pg.MainFork), 0, nil}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 {
			b = seal(b[:len(b)-4])
		}
		s, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		blocks := 0
		for e := range s.Entries() {
			for range e.Blocks() {
				blocks++
			}
		}
		if blocks > 8*len(b) {
			t.Fatalf("%d blocks of %d bytes", blocks, len(b))
		}
	})
}
