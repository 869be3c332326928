package rmgr

import (
	"slices"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// FuzzRecord gives arbitrary payloads to everything that reads one. Nothing
// panics, nothing grows beyond what the payload can hold, an error leaves no
// effects behind, and a description names the operation.
func FuzzRecord(f *testing.F) {
	for _, file := range []string{"testdata/records.13.txt.gz", "testdata/records.15.txt.gz", "testdata/records.19.txt.gz"} {
		for i, s := range readSamples(f, file) {
			if i%9 != 0 || len(s.rec.Main) > 300 {
				continue
			}
			var data []byte
			if len(s.rec.Blocks) > 0 {
				data = s.rec.Blocks[0].Data
			}
			f.Add(uint8(s.rec.Major()), uint8(s.rec.Rmgr), s.rec.Info, s.rec.Main, data)
		}
	}
	f.Fuzz(func(t *testing.T, major, id, info uint8, main, data []byte) {
		rec := record(t, pg.MinMajor+int(major)%(pg.MaxMajor-pg.MinMajor+1), pg.RmgrID(id), info, main)
		rec.Blocks = []walinspect.BlockRef{{Flags: 0x20, Data: data}}
		size := len(main) + len(data)

		text := Describe(rec)
		if name := OpName(rec); text[:len(name)] != name {
			t.Errorf("%q does not begin with %q", text, name)
		}
		// The longest text for the fewest bytes: an invalidation message that
		// is not known, one action on a segment, one freeze plan.
		if len(text) > 600+40*size {
			t.Errorf("%d bytes of text for %d of payload", len(text), size)
		}

		before := []Effect{{Kind: TablespaceDropped, Spc: 1}}
		effects, err := Effects(rec, slices.Clip(before))
		if err != nil && len(effects) != 1 || effects[0] != before[0] {
			t.Errorf("%v and %v", effects, err)
		}
		if len(effects) > 4+size/4 {
			t.Errorf("%d effects of %d bytes", len(effects), size)
		}
		if ins, upd, hot, del := RowCounts(rec); min(ins, upd, hot, del) < 0 || ins > 65535 || hot > upd {
			t.Errorf("%d %d %d %d", ins, upd, hot, del)
		}
		if x, err := DecodeXact(rec); err == nil && 4*(len(x.Subxacts)+3*len(x.Dropped)+3*len(x.DroppedOnAbort)) > size {
			t.Errorf("%d bytes hold %+v", size, x)
		}
		if r, err := DecodeRunningXacts(rec); err == nil && 4*(len(r.XIDs)+len(r.Subxacts)) > size {
			t.Errorf("%d bytes hold %+v", size, r)
		}
		_ = decodeXLOG(rec) // only that it returns
	})
}
