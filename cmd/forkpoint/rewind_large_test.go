package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
)

const gigabyte = 1 << 30

// TestRewindLargeFiles rewinds a relation and a plain file that reach beyond
// 2 GB, where a position no longer fits 32 bits with a sign. Nearly all of both
// is a hole.
func TestRewindLargeFiles(t *testing.T) {
	majors := pgtest.Majors(t)
	if len(majors) == 0 {
		t.Skip("no server is installed; run make pg")
	}
	primary := pgtest.Run(t, pgtest.Major(majors[len(majors)-1]), pgtest.Conf("wal_keep_size", "512MB"))
	primary.Exec("CREATE TABLE wide (n int, side text)", "INSERT INTO wide VALUES (1, 'shared')")
	file := filepath.Join(primary.Dir(), primary.Value("SELECT pg_relation_filepath('wide')"))
	primary.Stop(pgtest.Fast)
	stretch(t, file, gigabyte)
	stretch(t, file+".1", gigabyte)
	stretch(t, file+".2", 3*8192)
	primary.Start()

	pair := primary.Pair()
	pair.Primary.Checkpoint()
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec(fmt.Sprintf("INSERT INTO wide SELECT n, '%s' FROM generate_series(1, 2000) n", side))
	})
	if block := pair.Primary.Value("SELECT max((ctid::text::point)[0]::int8) FROM wide"); len(block) < 6 {
		t.Fatalf("the rows are at block %s, which is not beyond 2 GB", block)
	}
	plain := "plain.bin"
	stretch(t, filepath.Join(pair.Primary.Dir(), plain), 2*gigabyte+4096)
	appendText(t, filepath.Join(pair.Primary.Dir(), plain), "source")
	stretch(t, filepath.Join(pair.Old.Dir(), plain), 2*gigabyte+4096)
	appendText(t, filepath.Join(pair.Old.Dir(), plain), "target and more")

	mustForkpoint(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
	pair.Rejoin(false)
	rows := "SELECT side, count(*), sum(n) FROM wide GROUP BY 1 ORDER BY 1"
	if want, got := fmt.Sprint(pair.Primary.Query(rows)), fmt.Sprint(pair.Standby.Query(rows)); want != got {
		t.Errorf("source has %s, the rewound standby %s", want, got)
	}
	f, err := os.Open(filepath.Join(pair.Standby.Dir(), plain))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tail := make([]byte, 32)
	if n, _ := f.ReadAt(tail, 2*gigabyte+4096); string(tail[:n]) != "source" {
		t.Errorf("the plain file ends with %q", tail[:n])
	}
}

// stretch makes a file that long, without writing to it, and gives it to the
// servers' user.
func stretch(t testing.TB, path string, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Truncate(size)
		f.Close()
	}
	if err == nil {
		err = pgtest.Own(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func appendText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
