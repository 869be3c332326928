package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func TestNames(t *testing.T) {
	c := openMemory(t)
	table := RelationName{Storage: relFork(16384, 0).RelFileLocator, Name: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table", Seen: at(0)}
	index := RelationName{Storage: relFork(16390, 0).RelFileLocator, Name: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders_pkey"}, Kind: "index",
		Owner: table.Name, Seen: at(0)}
	save := func(names ...RelationName) {
		t.Helper()
		if err := c.SaveNames(t.Context(), testSystem, names); err != nil {
			t.Fatal(err)
		}
	}
	save(table, index)
	same, renamed := table, index
	same.Seen, renamed.Seen, renamed.Name.Relation = at(1), at(1), "orders_key"
	save(same, renamed)
	save() // the storage may be gone, the name stays
	got, err := c.Names(t.Context(), testSystem)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]RelationName{table, renamed}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := c.Names(t.Context(), testSystem+1); err != nil || len(got) != 0 {
		t.Errorf("another cluster has %v, %v", got, err)
	}
}

func TestPrune(t *testing.T) {
	c := openMemory(t)
	for n := range uint64(6) {
		s := everything()
		s.Name.Number, s.Digest[0] = 3+n, byte(n)
		start := testSize.Start(s.Name.Number)
		s.First, s.Last, s.End, s.StopLSN = start+40, start+4000, start+4096, start+4096
		for i := range s.Checkpoints {
			s.Checkpoints[i].LSN = start + 200
		}
		if err := c.Save(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(want int64, cut Cut) {
		t.Helper()
		counted, err := c.CountCut(t.Context(), cut)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Prune(t.Context(), cut)
		if err != nil || got != want || counted != want {
			t.Fatalf("pruned %d, counted %d, want %d (%v)", got, counted, want, err)
		}
	}
	prune(0, Cut{Timeline: 1})
	prune(0, Cut{SystemID: testSystem + 1})
	prune(0, Cut{Ended: at(-int64(time.Hour / time.Microsecond))})
	prune(0, Cut{Before: testSize.Start(4) - 1}) // the segment's tail may still be written
	prune(2, Cut{Before: testSize.Start(5), Timeline: 2})
	prune(4, Cut{SystemID: testSystem})
	sizes, err := c.Sizes(t.Context())
	if err != nil || sizes.Relations != 0 || sizes.FileBytes == 0 {
		t.Errorf("left: %+v, %v", sizes, err)
	}
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Fatalf("save after pruning: %v", err)
	}
	if wrong, err := c.Integrity(t.Context()); err != nil || wrong != nil {
		t.Errorf("%q, %v", wrong, err)
	}
}

func TestCopyAndRows(t *testing.T) {
	c := openMemory(t)
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := c.Copy(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := c.Copy(t.Context(), path); err == nil {
		t.Error("a file was written over")
	}
	copied, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close() // only read
	for _, list := range Lists() {
		rows := func(c *Catalog) (all [][]any) {
			if err := c.Rows(t.Context(), list, func(columns []string, values []any) error {
				if len(columns) < 5 {
					t.Errorf("%s has columns %q", list, columns)
				}
				all = append(all, slices.Clone(values))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return all
		}
		if diff := cmp.Diff(rows(c), rows(copied)); diff != "" {
			t.Errorf("%s differ: %s", list, diff)
		}
	}
	if err := c.Rows(t.Context(), "secrets", nil); err == nil {
		t.Error("want an error for an unknown list")
	}
}

// TestCopyTwice has two copy to one place at once: one of them does, and what
// it wrote is not taken away by the other.
func TestCopyTwice(t *testing.T) {
	t.Parallel()
	first, dir := openFile(t)
	if err := first.Save(t.Context(), everything()); err != nil {
		t.Fatal(err)
	}
	second, err := Open(t.Context(), first.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for round := range 20 {
		path := filepath.Join(dir, fmt.Sprintf("copy%d.db", round))
		results := make(chan error, 2)
		for _, c := range []*Catalog{first, second} {
			go func() { results <- c.Copy(t.Context(), path) }()
		}
		one, other := <-results, <-results
		if one == nil {
			one, other = other, one
		}
		if one == nil || other != nil {
			t.Fatalf("round %d ended with %v and %v", round, one, other)
		}
		copied, err := OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatalf("round %d ended with %v and: %v", round, one, err)
		}
		if !errors.Is(one, fs.ErrExist) {
			t.Errorf("round %d: the one that came too late ended with %v", round, one)
		}
		if n, err := copied.CountCut(t.Context(), Cut{}); err != nil || n != 1 {
			t.Errorf("round %d: the copy has %d segments, %v", round, n, err)
		}
		copied.Close()
	}
}
