package reports

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// TestTransactionJSON holds the encoder that is written by hand against the one
// that is not.
func TestTransactionJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Transaction{
			XID: pg.XID(rapid.Uint32().Draw(t, "xid")), Kind: blockmap.XactKind(rapid.IntRange(0, 4).Draw(t, "kind")),
			LSN: pg.LSN(rapid.Uint64().Draw(t, "lsn")), Time: time.UnixMicro(rapid.Int64Range(0, 1<<51).Draw(t, "time")).UTC(),
			Parent: pg.XID(rapid.Uint32Range(0, 2).Draw(t, "parent")), Database: pg.OID(rapid.Uint32Range(0, 2).Draw(t, "db")),
			GID: rapid.String().Draw(t, "gid"), Origin: rapid.Uint16Range(0, 2).Draw(t, "origin"), OriginLSN: pg.LSN(rapid.Uint64Range(0, 2).Draw(t, "at")),
			Records: rapid.Int64Range(0, 2).Draw(t, "records"), WALBytes: rapid.Int64Range(0, 2).Draw(t, "bytes"), Before: rapid.Bool().Draw(t, "before"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "subs") {
			x.Subxacts = append(x.Subxacts, 7)
		}
		want, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.appendJSON(nil); !bytes.Equal(got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// TestWriteJSON compares the document with what package json makes of it.
func TestWriteJSON(t *testing.T) {
	empty := DivergenceInput{After: &Log{Touched: &blockmap.Map{}, Ledger: NewLedger(0)}}
	for _, report := range []any{Diverge(exampleInput()), Diverge(empty), exampleIndexing(), []int{1}, map[string]any{"a<b": nil}, struct{ A *int }{}} {
		var got, want, compact bytes.Buffer
		if err := WriteJSON(&got, report); err != nil {
			t.Fatal(err)
		}
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(report); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&compact, got.Bytes()); err != nil {
			t.Fatalf("%T: %v\n%s", report, err, got.String())
		}
		if diff := cmp.Diff(want.String(), compact.String()+"\n"); diff != "" {
			t.Errorf("%T (-json +written):\n%s", report, diff)
		}
	}
}

// A list of many parts comes whole and in order, and nothing goes on when
// somebody has enough.
func TestLongStream(t *testing.T) {
	for _, parts := range []int{0, 1, 2, 100} {
		for _, length := range []int{0, 1, 1000} {
			var going, begun atomic.Int64
			s := Stream[int]{parts, func(part int) iter.Seq[int] {
				return func(yield func(int) bool) {
					begun.Add(1)
					going.Add(1)
					defer going.Add(-1)
					for i := 0; i < length && yield(part*length+i); i++ {
					}
				}
			}}
			var text []byte
			for b, err := range s.chunks(" ") {
				if err != nil {
					t.Fatal(err)
				}
				text = append(append(text, b...), ' ')
			}
			want := 0
			for field := range bytes.FieldsSeq(text) {
				if string(field) != strconv.Itoa(want) {
					t.Fatalf("%d parts of %d: element %d is %s", parts, length, want, field)
				}
				want++
			}
			if all := slices.Collect(s.All()); want != parts*length || len(all) != want {
				t.Errorf("%d parts of %d: %d elements as JSON, %d else", parts, length, want, len(all))
			}
			begun.Store(0)
			for range s.chunks(" ") {
				break
			}
			for range s.All() {
				break
			}
			if most := int64(2*decodedAhead() + 4); length > 0 && begun.Load() > most || going.Load() != 0 {
				t.Errorf("%d parts of %d: after one element %d parts were begun, want at most %d; %d go on", parts, length, begun.Load(), most, going.Load())
			}
		}
	}
}

// TestStreamFromJSON reads back what was written.
func TestStreamFromJSON(t *testing.T) {
	d := Diverge(exampleInput())
	var text bytes.Buffer
	if err := WriteJSON(&text, d); err != nil {
		t.Fatal(err)
	}
	var back Divergence
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	for _, lists := range [][2]Stream[Transaction]{{d.Transactions.Committed, back.Transactions.Committed}, {d.Transactions.Aborted, back.Transactions.Aborted}} {
		want, got := slices.Collect(lists[0].All()), slices.Collect(lists[1].All())
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if again := slices.Collect(lists[0].All()); len(again) != len(want) {
			t.Errorf("%d elements the second time, %d the first", len(again), len(want))
		}
	}
}

// TestAcrossFork tells what was in progress where the branches part.
func TestAcrossFork(t *testing.T) {
	xact := func(kind blockmap.XactKind, lsn pg.LSN, xid pg.XID, subs ...pg.XID) blockmap.Xact {
		rest := blockmap.XactRest{Subxacts: subs}
		return blockmap.Xact{Kind: kind, LSN: lsn, End: lsn + 8, XID: xid, Time: at(int(lsn)), Rest: rest.OrNil()}
	}
	worked := func(list ...pg.XID) (all []blockmap.XIDActivity) {
		for _, xid := range list {
			all = append(all, blockmap.XIDActivity{XID: xid, Records: 1, Bytes: 10})
		}
		return all
	}
	tests := []struct {
		name          string
		before, after []blockmap.Segment
		want          []OpenAtFork
		aborts        int
		parents       []pg.XID
	}{
		{name: "ended in a later segment", before: []blockmap.Segment{{XIDs: worked(10, 11)}, {Xacts: []blockmap.Xact{xact(blockmap.Commit, 8, 10)}}},
			want: []OpenAtFork{{XID: 11, Outcome: "unfinished"}}},
		{name: "a subtransaction's work alone", before: []blockmap.Segment{{XIDs: worked(11)}},
			after: []blockmap.Segment{{Xacts: []blockmap.Xact{xact(blockmap.Commit, 16, 10, 11)}}}, want: []OpenAtFork{{XID: 10, Outcome: "commit", LSN: 16}}},
		{name: "listed and then ended", before: []blockmap.Segment{{Snapshots: []blockmap.Snapshot{{XIDs: []pg.XID{10, 12}}}}, {Xacts: []blockmap.Xact{xact(blockmap.Abort, 8, 12)}}},
			after: []blockmap.Segment{{Xacts: []blockmap.Xact{xact(blockmap.Abort, 16, 10)}}}, want: []OpenAtFork{{XID: 10, Outcome: "abort", LSN: 16}}, aborts: 1},
		{name: "only in an older list", before: []blockmap.Segment{{Snapshots: []blockmap.Snapshot{{XIDs: []pg.XID{10}}}}, {Snapshots: []blockmap.Snapshot{{}}}}, want: []OpenAtFork{}},
		{name: "prepared before, committed after", before: []blockmap.Segment{{XIDs: worked(10), Xacts: []blockmap.Xact{xact(blockmap.Prepare, 8, 10)}}},
			after: []blockmap.Segment{{Xacts: []blockmap.Xact{xact(blockmap.CommitPrepared, 16, 10)}}}, want: []OpenAtFork{{XID: 10, Outcome: "commit-prepared", LSN: 16}}},
		{name: "prepared before and in doubt", before: []blockmap.Segment{{XIDs: worked(10), Xacts: []blockmap.Xact{xact(blockmap.Prepare, 8, 10)}}},
			want: []OpenAtFork{{XID: 10, Outcome: "prepare", LSN: 8}}},
		{name: "a subtransaction rolled back alone", after: []blockmap.Segment{{Assignments: []blockmap.Assignment{{Top: 10, Subs: []pg.XID{11}}},
			XIDs: worked(10, 11), Xacts: []blockmap.Xact{xact(blockmap.Abort, 16, 11), xact(blockmap.Commit, 24, 10)}}}, want: []OpenAtFork{}, aborts: 1, parents: []pg.XID{10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := gatherTransactions(&Log{Ledger: ledgerOf(12, tt.before, tt.after...)})
			if diff := cmp.Diff(tt.want, got.Open); diff != "" || got.Aborts != tt.aborts {
				t.Errorf("%d aborts, want %d; open (-want +got):\n%s", got.Aborts, tt.aborts, diff)
			}
			var parents []pg.XID
			for x := range got.Aborted.All() {
				if x.Parent != 0 {
					parents = append(parents, x.Parent)
				}
			}
			if !slices.Equal(parents, tt.parents) {
				t.Errorf("subtransactions of %v, want %v", parents, tt.parents)
			}
		})
	}
}
