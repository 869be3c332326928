package walinspect_test

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/waltest"
)

// pagewise hides that a reader can hand out windows.
type pagewise struct{ walinspect.PageReader }

// smallPage keeps inputs short.
const smallPage = 1024

// FuzzReader walks over any bytes in place of a segment. The two ways to get at
// pages must give the same, positions only grow, and nothing that comes out is
// longer than what went in.
func FuzzReader(f *testing.F) {
	for _, major := range []int{13, 16, 19} {
		b := waltest.New(waltest.Config{Major: major, PageSize: smallPage})
		b.Append(waltest.Noop(30))
		b.Append(waltest.Touch(700, pg.BlockTag{Block: 1}, pg.BlockTag{Block: 2}))
		b.Append(waltest.Noop(2000))
		b.FillTo(1*segLen + 3*smallPage - 64)
		b.Abandon(waltest.Noop(200))
		f.Add(b.Log().Segment(1)[:4*smallPage], uint32(0))
		f.Add(b.Log().Segment(1)[:4*smallPage], uint32(smallPage))
		b.Switch()
		f.Add(b.Log().Segment(1)[:5*smallPage], uint32(0))
	}
	for _, major := range []string{"13", "15", "19"} {
		f.Add(fixtureBytes(f, "pg"+major), uint32(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, offset uint32) {
		start := pg.LSN(5 * segLen)
		if h, err := walinspect.DecodePageHeader(data); err == nil && h.Address%segLen == 0 {
			start = h.Address
		}
		name := pg.SegmentName{Timeline: 7, Number: uint64(start) / segLen}
		g := walinspect.Geometry{SegmentSize: segLen, PageSize: smallPage}
		if len(data) > 36+4 && binary.LittleEndian.Uint32(data[36:]) == 8192 {
			g.PageSize = 8192
		}
		pages := walinspect.NewBytesPages(name, segLen, "fuzz", data)
		from := start + pg.LSN(offset%segLen)&^7

		a := walinspect.NewReader(pages, g, from)
		b := walinspect.NewReader(pagewise{pages}, g, from)
		last, prev := pg.InvalidLSN, pg.InvalidLSN
		for a.Next(t.Context()) {
			rec := a.Record()
			if !b.Next(t.Context()) || b.Record().LSN != rec.LSN || b.Record().CRC != rec.CRC {
				t.Fatalf("page by page: %s, %s; in windows %s", b.Record().LSN, b.Stop(), rec.LSN)
			}
			if rec.LSN < last || rec.End <= rec.LSN || prev.Valid() && rec.Prev != prev {
				t.Fatalf("record at %s to %s, linked to %s, after %s to %s", rec.LSN, rec.End, rec.Prev, prev, last)
			}
			if len(rec.Raw()) > len(data) || len(rec.Main) > len(data) {
				t.Fatalf("%d bytes out of %d", len(rec.Raw()), len(data))
			}
			last, prev = rec.End, rec.LSN
		}
		if b.Next(t.Context()) {
			t.Fatalf("page by page there is a record at %s; in windows %s", b.Record().LSN, a.Stop())
		}
		if diff := cmp.Diff(a.Stop(), b.Stop(), cmpopts.IgnoreFields(walinspect.Stop{}, "Err")); diff != "" {
			t.Fatalf("stops differ (-windows +pages)\n%s", diff)
		}
		if a.Stop().Reason == walinspect.StopNone || (a.Err() == nil) != a.Stop().Reason.EndOfWAL() {
			t.Fatalf("stop %s with %v", a.Stop(), a.Err())
		}
	})
}

func fixtureBytes(f *testing.F, version string) []byte {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("..", "testdata", version, "00000001????????????????.zst"))
	if err != nil || len(names) == 0 {
		f.Fatalf("no fixture of %s: %v", version, err)
	}
	file, err := os.Open(names[0])
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	r, err := codec.Open(names[0], file)
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	data := make([]byte, 2*8192)
	if _, err := io.ReadFull(r, data); err != nil {
		f.Fatal(err)
	}
	return data
}

// FuzzDecodeRecord makes length and checksum of the bytes right, as only a
// server or an attacker can. What decodes says the same again after encoding.
func FuzzDecodeRecord(f *testing.F) {
	tag := pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}}, Block: 3}
	other := tag
	other.Fork, other.Block = pg.VMFork, 0
	for _, major := range []int{13, 19} {
		layout, err := walinspect.LayoutOf(major)
		if err != nil {
			f.Fatal(err)
		}
		image := walinspect.Image{HoleOffset: 40, HoleLen: 8000, Apply: true, Data: make([]byte, 192)}
		packed := walinspect.Image{HoleOffset: 40, HoleLen: 8000, Compression: walinspect.PGLZ, Data: []byte{0, 1, 2}}
		rec := walinspect.Record{Layout: layout, Prev: 100, XID: 7, HasOrigin: true, Origin: 3, HasTopXID: major > 13, TopXID: 6, Rmgr: pg.RmgrHeap, Main: make([]byte, 300)}
		rec.Blocks = []walinspect.BlockRef{
			{ID: 0, Flags: 0x10, Tag: tag, Image: image},
			{ID: 1, Flags: 0x50, Tag: other, Data: []byte("row"), Image: packed},
			{ID: 5, Flags: 0x20, Tag: pg.BlockTag{Block: 9}, Data: []byte("row")},
		}
		f.Add(uint8(major), waltest.Encode(&rec))
		noop := waltest.Noop(10)
		noop.Layout = layout
		f.Add(uint8(major), waltest.Encode(&noop))
	}
	f.Fuzz(func(t *testing.T, major uint8, raw []byte) {
		layout, err := walinspect.LayoutOf(pg.MinMajor + int(major)%(pg.MaxMajor-pg.MinMajor+1))
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) < walinspect.RecordHeaderLen {
			if _, err := walinspect.DecodeRecord(layout, raw); err == nil {
				t.Fatal("a record shorter than its header")
			}
			return
		}
		binary.LittleEndian.PutUint32(raw, uint32(len(raw)))
		table := crc32.MakeTable(crc32.Castagnoli)
		binary.LittleEndian.PutUint32(raw[20:], crc32.Update(crc32.Checksum(raw[24:], table), table, raw[:20]))
		rec, err := walinspect.DecodeRecord(layout, raw)
		if err != nil {
			return
		}
		again, err := walinspect.DecodeRecord(layout, waltest.Encode(&rec))
		if err != nil {
			t.Fatalf("what was decoded cannot be decoded again: %v", err)
		}
		ignore := cmp.Options{
			cmpopts.IgnoreUnexported(walinspect.Record{}, walinspect.BlockRef{}),
			cmpopts.IgnoreFields(walinspect.Record{}, "CRC", "TotalLen", "Layout"), cmpopts.IgnoreFields(walinspect.BlockRef{}, "Flags"),
			cmpopts.EquateEmpty(),
		}
		if diff := cmp.Diff(rec, again, ignore); diff != "" {
			t.Fatalf("decoded, encoded, decoded (-before +after)\n%s", diff)
		}
		page := make([]byte, 8192)
		for i := range rec.Blocks {
			if rec.Blocks[i].HasImage() {
				_ = rec.Blocks[i].Image.Restore(page) // an error at most
			}
		}
		if diff := cmp.Diff(&rec, rec.Clone(), ignore); diff != "" {
			t.Fatalf("Clone (-record +clone)\n%s", diff)
		}
	})
}
