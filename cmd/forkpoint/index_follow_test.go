package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkpoint/blockmap"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// catalogContents loads all that a catalog has of the one cluster in it.
func catalogContents(t *testing.T, file string) []*blockmap.Segment {
	t.Helper()
	catalog, err := store.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close() // only read
	clusters, err := catalog.Clusters(t.Context())
	if err != nil || len(clusters) != 1 {
		t.Fatalf("%s: clusters %v, %v", file, clusters, err)
	}
	list, err := catalog.Segments(t.Context(), clusters[0].SystemID, clusters[0].SegmentSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if err := catalog.Load(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// sameCatalogs compares what two catalogs know, not when they learned it.
func sameCatalogs(t *testing.T, what string, want, got []*blockmap.Segment) {
	t.Helper()
	read := cmpopts.IgnoreFields(blockmap.Segment{}, "Indexed", "Identity", "Path")
	blocks := cmp.Transformer("blocks", func(m *blockmap.Map) map[string]string {
		all := map[string]string{}
		for rf, e := range m.All() {
			all[rf.String()] = fmt.Sprint(e.Limit, e.Touched, e.Restored)
		}
		return all
	})
	if diff := cmp.Diff(want, got, read, blocks); diff != "" {
		t.Errorf("%s: -built afterwards +kept meanwhile\n%s", what, diff)
	}
}

// TestKeptCatalogs has one catalog kept by index --follow and one by index push
// from archive_command while a server works, and compares both with one that is
// built afterwards.
func TestKeptCatalogs(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		program := programPath(t)
		s := pgtest.New(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "4GB"), pgtest.Conf("archive_mode", "on"))
		followed, pushed, after := filepath.Join(s.Home(), "followed.db"), filepath.Join(s.Home(), "pushed.db"), filepath.Join(s.Home(), "after.db")
		s.Set("archive_command", fmt.Sprintf("%s index push --strict --catalog %s %%p", program, pushed))
		s.Start()

		follow := pgtest.RunAs(exec.Command(program, "index", "--follow", s.Dir(), "--catalog", followed, "--every", "50ms"))
		var said strings.Builder
		follow.Stdout, follow.Stderr = &said, &said
		if err := follow.Start(); err != nil {
			t.Fatal(err)
		}
		s.Workload("kept", 300)
		s.Exec("CREATE TABLE kept.hot AS SELECT n, 0 AS x FROM generate_series(1, 500) n", "CREATE TABLE gone_soon (n int)", "CHECKPOINT")
		for range 15 {
			s.Exec("UPDATE kept.hot SET x = x + 1")
			for range 100 {
				s.Exec("UPDATE kept.hot SET x = x + 1 WHERE n % 100 = 3")
			}
		}
		last := s.SegmentSize().Number(s.SwitchWAL() - 1)
		s.Await("archiving", func() (bool, error) {
			rows, err := s.TryQueryIn("postgres", "SELECT coalesce(last_archived_wal, '') >= $1 FROM pg_stat_archiver", pg.SegmentName{Timeline: 1, Number: last}.Format(s.SegmentSize()))
			return err == nil && rows[0][0] == "t", err
		})
		s.Stop(pgtest.Fast)
		if err := follow.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := follow.Wait(); err != nil || !strings.Contains(said.String(), "segments read") {
			t.Fatalf("index --follow: %v\n%s", err, &said)
		}
		if _, stderr, status := forkpointOutput(t, "index", s.Dir(), "--catalog", after); status != 0 {
			t.Fatalf("index: status %d\n%s", status, stderr)
		}
		want := catalogContents(t, after)
		if len(want) < 5 {
			t.Fatalf("%d segments are too few", len(want))
		}
		sameCatalogs(t, "followed", want, catalogContents(t, followed))
		// Stopping archives the last segment too, if the server gets to it.
		var archived []*blockmap.Segment
		got := catalogContents(t, pushed)
		for _, s := range want {
			if s.Name.Number >= got[0].Name.Number && s.Name.Number <= last {
				archived = append(archived, s)
			}
		}
		sameCatalogs(t, "pushed", archived, got[:min(len(got), len(archived))])
	})
}
