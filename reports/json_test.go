package reports

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	return strings.Replace(doc, "```json\n"+block+"```", "```json\n"+out.String()+"```", 1)
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
