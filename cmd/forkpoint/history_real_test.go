package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestHistoryValidateByWAL edits what real servers wrote, and expects the
// finding that the WAL alone can give. Nothing else of the place is wrong.
func TestHistoryValidateByWAL(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Primary.Exec("CREATE TABLE shared AS SELECT generate_series(1, 5000) n")
	pair.Split()
	write(pair.Old, "old")
	write(pair.Primary, "new")
	pair.Old.Stop(pgtest.Fast)
	pair.Primary.Stop(pgtest.Fast)
	wal := filepath.Join(pair.Primary.Dir(), "pg_wal")
	name := filepath.Join(wal, "00000002.history")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lsn := strings.Split(string(good), "\t")[1]
	put := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	validate := func(wantStatus int, want string, places ...string) {
		t.Helper()
		status, out := forkpoint(t, append([]string{"history", "validate"}, places...)...)
		if status != wantStatus || !strings.Contains(out, want) {
			t.Errorf("status %d, want %d with %q\n%s", status, wantStatus, want, out)
		}
	}
	validate(0, "all are valid", pair.Primary.Dir())

	put(name, strings.Replace(string(good), lsn, "0/900100", 1))
	validate(3, "[switch-record]", pair.Primary.Dir())
	put(name, string(good))

	put(filepath.Join(wal, "0000000300000000000000FF"), "")
	validate(3, "[segment-unknown-timeline]", pair.Primary.Dir())
	if err := os.Remove(filepath.Join(wal, "0000000300000000000000FF")); err != nil {
		t.Fatal(err)
	}

	put(filepath.Join(pair.Old.Dir(), "pg_wal", "00000002.history"), string(good))
	status := filepath.Join(pair.Old.Dir(), "pg_wal", "archive_status")
	put(filepath.Join(status, "00000001000000000000000B.ready"), "")
	validate(3, "[ready-diverged]", pair.Old.Dir())
	validate(3, "[past-switch-point]", pair.Old.Dir(), pair.Primary.Dir())
}

// One name with two contents.
func TestHistoryValidateTwoContents(t *testing.T) {
	t.Parallel()
	one, other := twins(t, oracle(t)...)
	one.Promote()
	other.Promote()
	write(one, "a")
	write(other, "b")
	one.Stop(pgtest.Fast)
	other.Stop(pgtest.Fast)
	status, out := forkpoint(t, "history", "validate", one.Dir(), other.Dir())
	if status != 3 || !strings.Contains(out, "[segment-two-contents]") {
		t.Errorf("status %d\n%s", status, out)
	}
	file := filepath.Join(pgtest.Scratch(t), "00000002.history")
	if err := exec.Command("install", "-m", "644", filepath.Join(other.Dir(), "pg_wal", "00000002.history"), file).Run(); err != nil {
		t.Fatal(err)
	}
	mustForkpoint(t, "history", "validate", other.Dir())
	if status, out = forkpoint(t, "diagnose", "-D", other.Dir(), "--source-archive", file); status != 6 || !strings.Contains(out, "[not-compared]") {
		t.Errorf("a history file alone as the source: status %d\n%s", status, out)
	}
	if status, out = forkpoint(t, "diagnose", one.Dir(), other.Dir()); status != 3 || !strings.Contains(out, "What each choice of survivor would lose") {
		t.Errorf("matrix: status %d\n%s", status, out)
	}
	t.Log(out)
}
