package main

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/store"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// A segment that was indexed while it grew says nothing of the whole one.
func TestDigestsAreOfWholeSegments(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "global"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"PG_VERSION": "15\n", "global/pg_control": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := store.OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close() // in memory
	const size = pg.SegmentSize(1 << 20)
	for n, complete := range map[uint64]bool{3: true, 4: false} {
		name := pg.SegmentName{Timeline: 1, Number: n}
		s := &blockmap.Segment{
			SystemID: 7, SegmentSize: size, Major: 15, Name: name, First: size.Start(n) + 40, Last: size.Start(n) + 40, End: size.Start(n) + 80,
			FirstTimeline: 1, LastTimeline: 1, Records: 1, Bytes: 40, Complete: complete, Digest: [32]byte{byte(n)},
			Path: filepath.Join(dir, "pg_wal", size.Name(1, n)), Touched: &blockmap.Map{},
		}
		if !complete {
			s.Stop = "clean-end"
		}
		if err := catalog.Save(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	e := &ends{target: target, targetControl: &pgcontrol.Control{SystemID: 7, SegmentSize: size}, catalog: catalog}
	for n, want := range map[uint64]int{3: 1, 4: 0} {
		if got, err := e.digests()(t.Context(), 1, n); err != nil || len(got) != want {
			t.Errorf("segment %d: %d digests, %v; want %d", n, len(got), err, want)
		}
	}
}
