package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

var equal = []gocmp.Option{
	gocmp.Comparer(func(a, b *blockmap.Map) bool { return a.Equal(b) }),
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b blockmap.XIDActivity) bool { return a.XID < b.XID }),
	cmpopts.IgnoreFields(blockmap.Segment{}, "Supersedes"),
}

func TestSaveAndLoad(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	for _, want := range []*blockmap.Segment{everything(), oltp(9)} {
		if err := c.Save(ctx, want); err != nil {
			t.Fatal(err)
		}
		got, found, err := c.ByIdentity(ctx, want.Key(), want.Identity)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if err := c.Load(ctx, got); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got, equal...); diff != "" {
			t.Errorf("loaded (-want +got):\n%s", diff)
		}
	}
	clusters, err := c.Clusters(ctx)
	if err != nil || len(clusters) != 1 || clusters[0] != (Cluster{testSystem, testSize, 15}) {
		t.Fatalf("clusters %v, %v", clusters, err)
	}
}

func TestVariantsAreKeptApart(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	ours := everything()
	sameNameOtherBranch := everything()
	sameNameOtherBranch.Digest[0]++
	sameNameOtherBranch.Path, sameNameOtherBranch.Identity = "/other/x", "other"
	otherCluster := everything()
	otherCluster.SystemID++
	otherSize := everything()
	otherSize.SegmentSize = 1 << 20
	if err := c.Save(ctx, ours, sameNameOtherBranch, otherCluster, otherSize); err != nil {
		t.Fatal(err)
	}
	variants, err := c.Variants(ctx, ours.Key())
	if err != nil || len(variants) != 2 || variants[0].Digest != ours.Digest || variants[1].Digest != sameNameOtherBranch.Digest {
		t.Fatalf("%d variants, %v; want the two of this cluster and size", len(variants), err)
	}
	if _, found, err := c.ByIdentity(ctx, blockmap.SegmentKey{SystemID: testSystem, SegmentSize: testSize, Name: pg.SegmentName{Timeline: 3, Number: 3}}, ours.Identity); found || err != nil {
		t.Fatalf("a file under another name: %t, %v", found, err)
	}
	if _, found, err := c.ByIdentity(ctx, ours.Key(), ""); found || err != nil {
		t.Fatalf("no identity: %t, %v", found, err)
	}
	if err := c.Load(ctx, &blockmap.Segment{SystemID: testSystem, SegmentSize: testSize}); !errors.Is(err, ErrNotStored) {
		t.Fatalf("load what is not there: %v, want ErrNotStored", err)
	}
}

func TestSegmentThatGrew(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	short := everything()
	grown := everything()
	grown.Digest[0]++
	grown.Records++
	grown.Identity = "1:2:4"
	grown.Supersedes = [][32]byte{short.Digest}
	for _, s := range []*blockmap.Segment{short, grown} {
		if err := c.Save(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	variants, err := c.Variants(ctx, short.Key())
	if err != nil || len(variants) != 1 || variants[0].Digest != grown.Digest {
		t.Fatalf("variants %v, %v; want the longer reading alone", variants, err)
	}
	if _, found, err := c.ByIdentity(ctx, short.Key(), short.Identity); found || err != nil {
		t.Fatalf("the shorter reading: %t, %v", found, err)
	}
	if first, last, found, err := c.Bounds(ctx, testSystem, testSize, 2); first != 3 || last != 3 || !found || err != nil {
		t.Fatalf("bounds %d..%d, %t, %v", first, last, found, err)
	}
	if _, _, found, err := c.Bounds(ctx, testSystem, testSize, 1); found || err != nil {
		t.Fatalf("bounds of a timeline without segments: %t, %v", found, err)
	}
	for n, want := range map[uint64]bool{0: true, 2: true, 3: false} {
		key := SegmentKey{SystemID: testSystem, SegmentSize: testSize, Name: pg.SegmentName{Timeline: 2, Number: n}}
		if next, found, err := c.Next(ctx, key); found != want || found && next != 3 || err != nil {
			t.Fatalf("after %d comes %d, %t, %v", n, next, found, err)
		}
	}
}

func TestSavingAgainUpdatesTheEnd(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	s := everything()
	archived := everything()
	archived.Complete, archived.Stop, archived.StopDetail, archived.StopLSN = true, "", "", 0
	archived.Path, archived.Identity = "/archive/000000020000000000000003.zst", "9:9:9"
	archived.Indexed = at(50)
	for _, s := range []*blockmap.Segment{s, archived, s} {
		if err := c.Save(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, identity := range []string{s.Identity, archived.Identity} {
		got, found, err := c.ByIdentity(ctx, s.Key(), identity)
		if err != nil || !found || !got.Complete || got.Stop != "" {
			t.Fatalf("%s: %+v, %v; want a complete segment", identity, got, err)
		}
	}
	if variants, err := c.Variants(ctx, s.Key()); err != nil || len(variants) != 1 || variants[0].Path != archived.Path {
		t.Fatalf("variants %+v, %v; want one, last seen in the archive", variants, err)
	}
}

func TestFailedSaveLeavesNothing(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	bad := oltp(4)
	bad.Last = 1 << 63
	if err := c.Save(ctx, everything(), bad); err == nil {
		t.Fatal("a position beyond 2^63 was stored")
	}
	if clusters, err := c.Clusters(ctx); err != nil || len(clusters) != 0 {
		t.Fatalf("clusters %v, %v; want none", clusters, err)
	}
	if err := c.Save(ctx, everything()); err != nil {
		t.Fatalf("save after a failed one: %v", err)
	}
	other := oltp(4)
	other.Major = 16
	if err := c.Save(ctx, other); err == nil {
		t.Fatal("one cluster has two major versions")
	}
}

func TestHistories(t *testing.T) {
	ctx := t.Context()
	c := openMemory(t)
	first := HistoryFile{SystemID: testSystem, Timeline: 2, Content: []byte("1\t0/3000000\tno recovery target specified\n\n"), Seen: at(1)}
	again := first
	again.Seen = at(2)
	conflicting := HistoryFile{SystemID: testSystem, Timeline: 2, Content: []byte("1\t0/2000000\tx\n"), Seen: at(3)}
	empty := HistoryFile{SystemID: testSystem, Timeline: 3, Content: []byte{}, Seen: at(4)}
	for _, h := range []HistoryFile{first, again, conflicting, empty} {
		if err := c.SaveHistory(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Histories(ctx, testSystem)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]HistoryFile{first, conflicting, empty}, got); diff != "" {
		t.Errorf("histories (-want +got):\n%s", diff)
	}
	if err := c.SaveHistory(ctx, HistoryFile{SystemID: testSystem, Timeline: 2, Content: []byte("x")}); err == nil {
		t.Error("a malformed history file was stored")
	}
}

func TestOpenFile(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "odd ?#%41 name.db")
	c, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	want := everything()
	if err := c.Save(ctx, want); err != nil {
		t.Fatal(err)
	}
	reader, err := OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatalf("read while another has it open: %v", err)
	}
	if _, found, err := reader.ByIdentity(ctx, want.Key(), want.Identity); err != nil || !found {
		t.Fatal(found, err)
	}
	if err := reader.Save(ctx, oltp(1)); err == nil {
		t.Error("a read-only catalog was written to")
	}
	for _, c := range []*Catalog{reader, c} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if c, err = Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, found, err := c.ByIdentity(ctx, want.Key(), want.Identity); err != nil || !found {
		t.Fatalf("after opening again: %t, %v", found, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("a file that has nothing to do with any of this, and is long enough to have a header of a database of a hundred bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign, newer, empty := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "newer.db"), filepath.Join(dir, "empty.db")
	run(t, foreign, "CREATE TABLE t (a)")
	run(t, newer, "PRAGMA application_id = 879456372; PRAGMA user_version = 999; CREATE TABLE t (a)")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var version *VersionError
	for _, open := range []func() (*Catalog, error){
		func() (*Catalog, error) { return Open(ctx, text) },
		func() (*Catalog, error) { return Open(ctx, foreign) },
		func() (*Catalog, error) { return OpenReadOnly(ctx, text) },
		func() (*Catalog, error) { return OpenReadOnly(ctx, foreign) },
		func() (*Catalog, error) { return OpenReadOnly(ctx, empty) },
	} {
		if _, err := open(); !errors.Is(err, ErrNotCatalog) {
			t.Errorf("%v; want ErrNotCatalog", err)
		}
	}
	if _, err := Open(ctx, newer); !errors.As(err, &version) || version.Version != 999 {
		t.Errorf("newer: %v; want a VersionError", err)
	}
	if _, err := OpenReadOnly(ctx, filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open(ctx, filepath.Join(dir, "no", "such", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

// What many segments add up to is what each of them holds, and the list of the
// next ones that is read ahead is the same as asked for one by one.
func TestLoadTotals(t *testing.T) {
	c := openMemory(t)
	all := []*blockmap.Segment{everything()}
	for n := range uint64(2*aheadSegments/100 + 3) {
		all = append(all, oltp(10+n))
	}
	if err := c.Save(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	var heads []*blockmap.Segment
	wantBlocks, wantActivity := &blockmap.Map{}, map[pg.RelFork]blockmap.Activity{}
	for _, s := range all {
		variants, err := c.Variants(t.Context(), s.Key())
		if err != nil || len(variants) != 1 || variants[0].Digest != s.Digest {
			t.Fatalf("segment %d: %d variants, %v", s.Name.Number, len(variants), err)
		}
		heads = append(heads, variants[0])
		wantBlocks.Append(s.Touched)
		for rf, a := range s.Activity {
			sum := wantActivity[rf]
			sum.Add(a)
			wantActivity[rf] = sum
		}
	}
	sum, err := c.LoadTotals(t.Context(), heads)
	if err != nil {
		t.Fatal(err)
	}
	blocks, activity, err := sum()
	if err != nil {
		t.Fatal(err)
	}
	for rf, want := range wantBlocks.All() {
		if got, _ := blocks.Get(rf); got.Limit != want.Limit || !got.Touched.Equal(want.Touched) {
			t.Errorf("%s: cut to %d, blocks %s; want %d, %s", rf, got.Limit, got.Touched, want.Limit, want.Touched)
		}
	}
	if blocks.Len() != wantBlocks.Len() {
		t.Errorf("%d forks, want %d", blocks.Len(), wantBlocks.Len())
	}
	if diff := gocmp.Diff(wantActivity, activity); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
	for i, s := range all {
		got := *heads[i]
		if err := got.Packed.Unpack(&got); err != nil {
			t.Fatal(err)
		}
		got.Packed, got.Touched, got.Activity, got.Rmgrs, got.Supersedes = nil, s.Touched, s.Activity, s.Rmgrs, s.Supersedes
		if diff := gocmp.Diff(s, &got, gocmp.Comparer(func(a, b *blockmap.Map) bool { return a == b })); diff != "" {
			t.Errorf("segment %d (-saved +loaded):\n%s", s.Name.Number, diff)
		}
	}
	if _, err := c.LoadTotals(t.Context(), []*blockmap.Segment{oltp(5000)}); !errors.Is(err, ErrNotStored) {
		t.Errorf("a segment that is not stored: %v", err)
	}
}

// What is read ahead is forgotten with every write, and handed out once.
func TestReadAhead(t *testing.T) {
	c := openMemory(t)
	for n := uint64(1); n < 6; n++ {
		if err := c.Save(t.Context(), oltp(n)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(n uint64) *blockmap.Segment {
		t.Helper()
		list, err := c.Variants(t.Context(), oltp(n).Key())
		if err != nil || len(list) != 1 || list[0].Name.Number != n {
			t.Fatalf("segment %d: %v, %v", n, list, err)
		}
		return list[0]
	}
	ask(1)
	ask(2) // reads 2 and on
	first := ask(3)
	if again := ask(3); again == first {
		t.Error("one head was handed out twice")
	}
	late := oltp(5)
	late.Digest[31]++
	if err := c.Save(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	ask(4)
	if list, err := c.Variants(t.Context(), late.Key()); err != nil || len(list) != 2 {
		t.Errorf("%d variants of a segment that was saved after it was read ahead, %v", len(list), err)
	}
}
