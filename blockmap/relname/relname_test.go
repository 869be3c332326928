package relname

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// encodeRelMap writes a relation map of that size, 512 or 524 bytes.
func encodeRelMap(size int, pairs ...uint32) []byte {
	b := make([]byte, size)
	u32 := binary.LittleEndian.PutUint32
	u32(b, relMapMagic)
	u32(b[4:], uint32(len(pairs)/2))
	for i, n := range pairs {
		u32(b[relMapPairs+4*i:], n)
	}
	return sealRelMap(b)
}

func sealRelMap(b []byte) []byte {
	end := map[int]int{512: 504, 524: 520}[len(b)]
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	return b
}

func TestDecodeRelMap(t *testing.T) {
	want := relMap{1259: 1259, 1249: 20000}
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		size, other := 512, 524
		if major >= 16 {
			size, other = other, size
		}
		m, err := decodeRelMap(major, encodeRelMap(size, 1259, 1259, 1249, 20000))
		if diff := cmp.Diff(want, m); diff != "" || err != nil {
			t.Errorf("version %d: %s, %v", major, diff, err)
		}
		change := func(at int, n uint32) []byte {
			b := encodeRelMap(size, 1259, 1259)
			binary.LittleEndian.PutUint32(b[at:], n)
			return sealRelMap(b)
		}
		broken := encodeRelMap(size, 1259, 1259)
		broken[100] ^= 1
		for name, b := range map[string][]byte{
			"size of another version": encodeRelMap(other, 1259, 1259), "empty": nil, "magic": change(0, 1), "count": change(4, 65),
			"negative count": change(4, 1<<32-1), "checksum": broken,
		} {
			if m, err := decodeRelMap(major, b); err == nil {
				t.Errorf("version %d, %s: %v was taken", major, name, m)
			}
		}
	}
}

func FuzzDecodeRelMap(f *testing.F) {
	f.Add(15, encodeRelMap(512, 1259, 1259))
	f.Add(16, encodeRelMap(524, 1259, 1259, 1249, 20000))
	f.Fuzz(func(t *testing.T, major int, b []byte) {
		if len(b) == 512 || len(b) == 524 {
			sealRelMap(b)
		}
		if m, err := decodeRelMap(major, b); err == nil && len(m) > 64 {
			t.Fatalf("%d entries", len(m))
		}
	})
}

func TestXactLog(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pg_xact"), 0o700); err != nil {
		t.Fatal(err)
	}
	// Two pages of the second file: transactions from 1048576 on.
	pages := make([]byte, 2*8192)
	pages[0] = 0b11_10_01_00     // in progress, committed, aborted, sub-committed
	pages[8192+8191] = 0b01 << 6 // the last one of the second page
	if err := os.WriteFile(filepath.Join(dir, "pg_xact/0001"), append(pages, 0xFF), 0o600); err != nil {
		t.Fatal(err)
	}
	x := newXactLog(dir, &pgcontrol.Control{BlockSize: 8192})
	const first = 32 * 32768
	tests := []struct {
		name string
		xid  pg.XID
		want bufpage.Fate
	}{
		{"none", 0, bufpage.Aborted},
		{"bootstrap", 1, bufpage.Committed},
		{"frozen", 2, bufpage.Committed},
		{"file is gone", 3, bufpage.Unknown},
		{"in progress", first, bufpage.Aborted},
		{"committed", first + 1, bufpage.Committed},
		{"aborted", first + 2, bufpage.Aborted},
		{"sub-committed", first + 3, bufpage.Aborted},
		{"last of the page", first + 65535, bufpage.Committed},
		{"page is cut short", first + 65536, bufpage.Unknown},
		{"page is not there", first + 131072, bufpage.Unknown},
	}
	for range 2 { // the second time from memory
		for _, tt := range tests {
			if got, err := x.fate(tt.xid); got != tt.want || err != nil {
				t.Errorf("%s: %d, %v; want %d", tt.name, got, err, tt.want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	at := pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}
	named := func(relation string, former bool) Name {
		return Name{QualifiedName: pg.QualifiedName{Database: "d", Schema: "s", Relation: relation}, Former: former}
	}
	with := func(name Name) *Names {
		n := &Names{}
		n.add(at, name)
		n.databases[5] = "d"
		return n
	}
	tests := []struct {
		name         string
		first, other Name
		want         string
	}{
		{"former names give way", named("old", true), named("new", false), "new"},
		{"former names do not push", named("new", false), named("old", true), "new"},
		{"what is known stays", named("a", false), named("b", false), "a"},
	}
	for _, tt := range tests {
		n := with(tt.first)
		n.Merge(with(tt.other))
		if got, found := n.Lookup(at); !found || got.Relation != tt.want || n.Len() != 1 {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	n := &Names{}
	if _, found := n.Lookup(at); found || n.Len() != 0 {
		t.Error("the zero value is not empty")
	}
	n.Merge(with(tests[0].first))
	if db, found := n.Database(5); db != "d" || !found {
		t.Errorf("database %q, %t", db, found)
	}
	if got := Kind('r').String() + ", " + Kind('x').String(); got != `table, relation of kind 'x'` {
		t.Error(got)
	}
}

func FuzzClass(f *testing.F) {
	f.Add(15, make([]byte, 144))
	f.Add(18, []byte{1, 2, 3, 4, 'x'})
	f.Fuzz(func(t *testing.T, major int, b []byte) {
		if c := columnsOf(major).class(row(b)); len(c.name) > nameLength {
			t.Fatalf("name of %d bytes", len(c.name))
		}
	})
}
