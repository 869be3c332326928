package indexer

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

var (
	waldumpLSN = regexp.MustCompile(`lsn: ([0-9A-F]+/[0-9A-F]+), prev`)
	waldumpRef = regexp.MustCompile(`blkref #\d+: rel (\d+)/(\d+)/(\d+)(?: fork (\w+))? blk (\d+)`)
)

// waldump reads what pg_waldump printed of a timeline: the blocks that the
// records touch, the number of records, and where the first begins.
func waldump(t *testing.T, in incident, tli pg.TimelineID) (touched *blockmap.Map, records int64, first pg.LSN) {
	f, err := os.Open(filepath.Join(in.dir, "waldump."+tli.String()+".txt.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	touched = &blockmap.Map{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		at := waldumpLSN.FindStringSubmatch(lines.Text())
		if at == nil {
			t.Fatalf("not a record: %s", lines.Text())
		}
		lsn, err := pg.ParseLSN(at[1])
		if err != nil {
			t.Fatal(err)
		}
		if records++; records == 1 {
			first = lsn
		}
		for _, ref := range waldumpRef.FindAllStringSubmatch(lines.Text(), -1) {
			touched.Touch(tagOf(t, ref), false)
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return touched, records, first
}

func tagOf(t *testing.T, ref []string) pg.BlockTag {
	number := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	tag := pg.BlockTag{Block: pg.BlockNumber(number(ref[5]))}
	tag.RelFileLocator = pg.RelFileLocator{Spc: pg.OID(number(ref[1])), DB: pg.OID(number(ref[2])), Rel: pg.RelFileNumber(number(ref[3]))}
	if ref[4] != "" {
		fork, err := pg.ParseFork(ref[4])
		if err != nil {
			t.Fatal(err)
		}
		tag.Fork = fork
	}
	return tag
}

// Every block that pg_waldump of the same version shows is touched, and none
// besides.
func TestAgainstPgWaldump(t *testing.T) {
	incidents(t, func(t *testing.T, in incident) {
		if _, err := os.Stat(filepath.Join(in.dir, "waldump.1.txt.zst")); err != nil {
			t.Skip("the fixtures have no output of pg_waldump of this version")
		}
		for _, tip := range []pg.TimelineID{1, 2, 3} {
			want, records, first := waldump(t, in, tip)
			ix := New(in.source(), in.g, memory(t), Options{})
			r, err := ix.Touched(t.Context(), in.path(t, tip), pg.Span{From: first, To: everything})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Complete() {
				t.Fatalf("timeline %d: gaps %v", tip, r.Gaps)
			}
			if r.Records != records {
				t.Errorf("timeline %d: %d records, pg_waldump has %d", tip, r.Records, records)
			}
			named := &blockmap.Map{}
			for rf, e := range r.Blocks.All() {
				for b := range e.Touched.All() {
					named.Touch(pg.BlockTag{RelFork: rf, Block: b}, false)
				}
			}
			if diff := sameMap(named, want); diff != "" {
				t.Errorf("timeline %d:\n%s", tip, diff)
			}
			t.Logf("timeline %d: %d records, %d blocks of %d forks, %d cuts, %d xacts, %d events, ends %s: %s", tip, r.Records, named.Blocks(), named.Len(),
				cuts(r.Blocks), len(r.Xacts), len(r.Events), r.End, r.StopDetail)
		}
	})
}

func cuts(m *blockmap.Map) (n int) {
	for _, e := range m.All() {
		if e.IsCut() {
			n++
		}
	}
	return n
}
