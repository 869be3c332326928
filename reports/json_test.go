package reports

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

var update = flag.Bool("update", false, "rewrite the examples in JSON.md")

// TestJSONExamples keeps the examples of JSON.md equal to what the code
// writes.
func TestJSONExamples(t *testing.T) {
	doc, err := os.ReadFile("JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	text = checkExample(t, text, DivergenceSchema, Diverge(exampleInput()))
	place := HistoryPlace{Path: "/data/old", Current: 3, Checkpoint: 0x6000028, MinRecoveryPoint: 0, Files: []HistoryFile{
		historyFile(3, "1\t0/3000060\tno recovery target specified", "2\t0/5000000\tno recovery target specified"),
		historyFile(2, "1\t0/3000060")}}
	text = checkExample(t, text, HistorySchema, CheckHistory(place))
	text = checkExample(t, text, IndexingSchema, exampleIndexing())
	text = checkExample(t, text, ComparisonSchema, exampleComparison())
	text = checkExample(t, text, BlocksSchema, exampleBlocks())
	text = checkExample(t, text, RecordsSchema, exampleRecords())
	text = checkExample(t, text, TopSchema, &Top{Schema: TopSchema, By: "relation", Rows: []TopItem{
		{What: "shop.public.orders", Records: 5120, WALBytes: 4194304, ImageBytes: 3145728}}})
	if *update {
		if err := os.WriteFile("JSON.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkExample compares the fenced block after the heading of a schema, and
// returns the document with the block as it should be.
func checkExample(t *testing.T, doc, schema string, report Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteJSON(&out, report); err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(doc, "## "+schema+"\n")
	if !found {
		t.Fatalf("JSON.md has no section for %s", schema)
	}
	_, block, found := strings.Cut(section, "```json\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatalf("JSON.md has no example for %s", schema)
	}
	if diff := cmp.Diff(out.String(), block); diff != "" && !*update {
		t.Errorf("example of %s in JSON.md is not what is written; run go test ./reports -update (-written +document):\n%s", schema, diff)
	}
	before, _, _ := strings.Cut(doc, "## "+schema+"\n")
	return before + "## " + schema + "\n" + strings.Replace(section, "```json\n"+block+"```", "```json\n"+out.String()+"```", 1)
}

func exampleIndexing() *Indexing {
	r := &Indexing{Catalog: "/data/new.forkpoint/catalog.db", Place: "/data/new",
		Cluster: Cluster{SystemID: 7300000000000000001, Major: 15, BlockSize: 8192, SegmentSize: 16 << 20},
		Timelines: []IndexedTimeline{
			{Timeline: 1, Span: pg.Span{From: 0x1000000, To: 0x3000000}, Read: 1, Skipped: 1, Bytes: 30000000, Gaps: []Gap{}, GoesOnAs: 2,
				End: EndOfWAL{LSN: 0x2FFFFE8, Reason: "limit", Natural: true}},
			{Timeline: 2, Span: pg.Span{From: 0x3000000, To: 0x7000100}, Read: 3, Bytes: 42000000,
				Gaps: []Gap{{pg.Span{From: 0x5000000, To: 0x6000000}, "segment 000000020000000000000005 is not in /data/new/pg_wal"}},
				End:  EndOfWAL{LSN: 0x7000100, Reason: "recycled", Natural: true}},
		}}
	r.Judge()
	return r
}

func exampleComparison() *Comparison {
	c := NewComparison(false)
	c.Cluster = Cluster{SystemID: 7300000000000000001, Major: 15, BlockSize: 8192, SegmentSize: 16 << 20}
	c.A = Side{Path: "/data/old", Timeline: 1, State: "shut down", Reached: 0x3004000, Settled: true, Checksums: true}
	c.B = Side{Path: "directory /data/new", Timeline: 2, State: "shut down", Reached: 0x3000178, Settled: true, Checksums: true}
	c.Fork = &Fork{LSN: 0x3000060, Timeline: 1, Target: 1, Source: 2}
	c.Evidence = append(c.Evidence, Evidence{ReasonTarget, pg.Span{From: 0x3000060, To: 0x3004000}, true})
	c.Totals.Files, c.Totals.Equal, c.Totals.Bytes, c.Totals.Blocks = 970, 967, 31457280, 3800
	c.Add(FileDifference{Path: "base/5/16384", Relation: &heapFork, SizeA: 65536, SizeB: 65536,
		Name:   &RelationName{QualifiedName: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table"},
		Blocks: map[Reason]*blockmap.Set{ReasonTarget: blockmap.NewSet(3, 7), ReasonHints: blockmap.NewSet(1)}})
	c.Add(FileDifference{Path: "base/5/16400", Relation: &newFork, Only: "a", SizeA: 8192, Blocks: map[Reason]*blockmap.Set{ReasonTarget: blockmap.NewSet(0)}})
	c.Add(FileDifference{Path: "postgresql.auto.conf", SizeA: 88, SizeB: 140, Reason: ReasonLocal})
	c.Judge()
	return c
}

func exampleBlocks() *BlockHistory {
	return &BlockHistory{Schema: BlocksSchema, Relation: "public.orders", Segments: []BlockSegment{{Segment: "000000010000000000000003", Timeline: 1,
		From: 0x3000028, To: 0x3004000, First: at(1), Last: at(12), RelFork: heapFork, Blocks: blockmap.NewSet(3, 7),
		Activity: Activity{Records: 4, Inserts: 2, HotUpdates: 1, Images: 1, ImageBytes: 400, WALBytes: 900}, XIDs: []pg.XID{736, 737}, Read: true}}}
}

func exampleRecords() *RecordHistory {
	h := &RecordHistory{Schema: RecordsSchema, About: "Records of transaction 736.", Unread: []string{}, Total: 4, Records: []BlockRecord{},
		Outcome: &Outcome{Kind: blockmap.Commit, LSN: 0x3001000, Time: at(10), Subxacts: []pg.XID{737}}}
	h.Add(BlockRecord{LSN: 0x3000200, Timeline: 1, XID: 736, Rmgr: "Heap", Op: "INSERT", Image: true, Blocks: []string{"shop.public.orders block 3"}, Text: "off 4 flags 0x00"})
	return h
}
