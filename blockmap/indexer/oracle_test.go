package indexer

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

var (
	waldumpRecord = regexp.MustCompile(`^rmgr: (\w+) +len \(rec/tot\): +(\d+)/ *(\d+), tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev [0-9A-F]+/[0-9A-F]+, desc: (\w+)`)
	waldumpRef    = regexp.MustCompile(`blkref #\d+: rel (\d+)/(\d+)/(\d+)(?: fork (\w+))? blk (\d+)`)
)

// dump is what pg_waldump printed of a timeline.
type dump struct {
	touched     *blockmap.Map
	records     int64
	first       pg.LSN
	rmgrs       map[string]blockmap.RmgrCount
	xids        map[pg.XID]blockmap.XIDActivity
	checkpoints []pg.LSN
	ends        map[string]int // records of resource manager Transaction by operation
}

func waldump(t *testing.T, in incident, tli pg.TimelineID) *dump {
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
	d := &dump{
		touched: &blockmap.Map{}, rmgrs: map[string]blockmap.RmgrCount{},
		xids: map[pg.XID]blockmap.XIDActivity{}, ends: map[string]int{},
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		d.add(t, lines.Text())
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return d
}

func (d *dump) add(t *testing.T, line string) {
	rec := waldumpRecord.FindStringSubmatch(line)
	if rec == nil {
		t.Fatalf("not a record: %s", line)
	}
	lsn, err := pg.ParseLSN(rec[5])
	if err != nil {
		t.Fatal(err)
	}
	if d.records++; d.records == 1 {
		d.first = lsn
	}
	length, total, xid := int64(number(t, rec[2])), int64(number(t, rec[3])), pg.XID(number(t, rec[4]))
	sum := d.rmgrs[rec[1]]
	sum.Records++
	sum.Bytes += total
	sum.ImageBytes += total - length
	d.rmgrs[rec[1]] = sum
	if xid != 0 {
		x, known := d.xids[xid]
		if !known {
			x = blockmap.XIDActivity{XID: xid, First: lsn}
		}
		x.Records++
		x.Bytes += total
		d.xids[xid] = x
	}
	switch {
	case rec[1] == "XLOG" && (rec[6] == "CHECKPOINT_ONLINE" || rec[6] == "CHECKPOINT_SHUTDOWN"):
		d.checkpoints = append(d.checkpoints, lsn)
	case rec[1] == "Transaction":
		d.ends[rec[6]]++
	}
	for _, ref := range waldumpRef.FindAllStringSubmatch(line, -1) {
		d.touched.Touch(tagOf(t, ref), false)
	}
}

// compare holds everything but the blocks against a result.
func (d *dump) compare(t *testing.T, r *Result) {
	rmgrs := map[string]blockmap.RmgrCount{}
	for _, c := range r.Rmgrs {
		sum := rmgrs[c.Rmgr.String()]
		sum.Records += c.Records
		sum.Bytes += c.Bytes
		sum.ImageBytes += c.ImageBytes
		rmgrs[c.Rmgr.String()] = sum
	}
	if diff := gocmp.Diff(d.rmgrs, rmgrs); diff != "" {
		t.Errorf("resource managers (-pg_waldump +ours):\n%s", diff)
	}
	xids := map[pg.XID]blockmap.XIDActivity{}
	for _, x := range r.XIDs {
		x.Top = 0 // pg_waldump does not say
		xids[x.XID] = x
	}
	if diff := gocmp.Diff(d.xids, xids); diff != "" {
		t.Errorf("transactions (-pg_waldump +ours):\n%s", diff)
	}
	var checkpoints []pg.LSN
	for _, c := range r.Checkpoints {
		checkpoints = append(checkpoints, c.LSN)
	}
	if diff := gocmp.Diff(d.checkpoints, checkpoints); diff != "" {
		t.Errorf("checkpoints (-pg_waldump +ours):\n%s", diff)
	}
	ends := map[string]int{}
	names := map[blockmap.XactKind]string{
		blockmap.Commit: "COMMIT", blockmap.Abort: "ABORT", blockmap.Prepare: "PREPARE",
		blockmap.CommitPrepared: "COMMIT_PREPARED", blockmap.AbortPrepared: "ABORT_PREPARED",
	}
	for _, x := range r.Xacts {
		ends[names[x.Kind]]++
	}
	if n := len(r.Assignments); n > 0 {
		ends["ASSIGNMENT"] = n
	}
	delete(d.ends, "INVALIDATION")
	if diff := gocmp.Diff(d.ends, ends); diff != "" {
		t.Errorf("ends of transactions (-pg_waldump +ours):\n%s", diff)
	}
}

func number(t *testing.T, s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func tagOf(t *testing.T, ref []string) pg.BlockTag {
	tag := pg.BlockTag{Block: pg.BlockNumber(number(t, ref[5]))}
	tag.RelFileLocator = pg.RelFileLocator{Spc: pg.OID(number(t, ref[1])), DB: pg.OID(number(t, ref[2])), Rel: pg.RelFileNumber(number(t, ref[3]))}
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
// besides; counts, transactions and checkpoints are the same.
func TestAgainstPgWaldump(t *testing.T) {
	incidentsWith(t, "waldump.1.txt.zst", func(t *testing.T, in incident) {
		for _, tip := range []pg.TimelineID{1, 2, 3} {
			want := waldump(t, in, tip)
			ix := New(in.source(), in.g, memory(t), Options{})
			r, err := ix.Touched(t.Context(), in.path(t, tip), pg.Span{From: want.first, To: everything})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Complete() {
				t.Fatalf("timeline %d: gaps %v", tip, r.Gaps)
			}
			if r.Records != want.records {
				t.Errorf("timeline %d: %d records, pg_waldump has %d", tip, r.Records, want.records)
			}
			if diff := sameMap(named(r.Blocks), want.touched); diff != "" {
				t.Errorf("timeline %d:\n%s", tip, diff)
			}
			want.compare(t, r)
			t.Logf("timeline %d: %d records, %d blocks of %d forks, %d cuts, %d xacts, %d events, ends %s: %s", tip, r.Records, want.touched.Blocks(), want.touched.Len(),
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
