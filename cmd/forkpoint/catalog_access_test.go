package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// TestCatalogAccess asks a catalog that may not be written, or not even be read.
// What is told is what is in the file, or that it cannot be told.
func TestCatalogAccess(t *testing.T) {
	t.Parallel()
	log, dir := pgtest.Scratch(t), pgtest.Scratch(t)
	if err := os.CopyFS(log, os.DirFS("../../testdata/pg15")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "catalog.db")
	mustForkpoint(t, "index", log, "--catalog", path)
	reads := [][]string{
		{"catalog", "info"}, {"catalog", "check"}, {"catalog", "export"}, {"catalog", "prune", "--dry-run", "--before", "FF/0"},
		{"report", "1", "2"}, {"top"},
	}
	on := func(args []string) []string { return append(args[:len(args):len(args)], "--catalog", path) }
	ask := func(args []string) string {
		status, out := forkpoint(t, on(args)...)
		return fmt.Sprintf("status %d\n%s", status, out)
	}
	var want []string
	for _, args := range reads {
		want = append(want, ask(args))
		if strings.HasPrefix(want[len(want)-1], "status 1\n") {
			t.Fatal(want)
		}
	}
	mustForkpoint(t, "catalog", "prune", "--timeline", "9", "--catalog", path) // a writer leaves nothing beside the file

	chmod(t, path, 0o444)
	for i, args := range reads {
		if diff := cmp.Diff(want[i], ask(args)); diff != "" {
			t.Errorf("%q of a file that may not be written (-want +got):\n%s", args, diff)
		}
	}
	copied, missing := filepath.Join(log, "copy.db"), filepath.Join(log, "missing.db")
	mustForkpoint(t, "catalog", "export", "--catalog", path, "--copy", copied)
	if diff := cmp.Diff(want[2], "status 0\n"+mustForkpoint(t, "catalog", "export", "--catalog", copied)); diff != "" {
		t.Errorf("its copy (-want +got):\n%s", diff)
	}
	denied := func(args ...string) {
		t.Helper()
		if status, out := forkpoint(t, on(args)...); status != 1 || !strings.Contains(out, path+": permission denied") {
			t.Errorf("%q: status %d\n%s", args, status, out)
		}
	}
	denied("catalog", "prune", "--before", "FF/0")
	denied("catalog", "prune", "--before", "FF/0", "--compact")

	chmod(t, path, 0o600)
	db, err := sql.Open("sqlite3", path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 1")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, 0o444)
	if status, out := forkpoint(t, "catalog", "info", "--catalog", path); status != 1 || !strings.Contains(out, "schema version 1, want ") || !strings.Contains(out, "of an older forkpoint") {
		t.Errorf("of an older forkpoint: status %d\n%s", status, out)
	}
	denied("catalog", "info")

	chmod(t, path, 0)
	for _, args := range reads {
		denied(args...)
	}
	denied("catalog", "prune", "--before", "FF/0")
	denied("catalog", "export", "--copy", missing)
	if _, err := os.Lstat(missing); err == nil {
		t.Error("there is a copy of a file that may not be read")
	}

	if beside, err := filepath.Glob(path + "-*"); err != nil || len(beside) > 0 {
		t.Errorf("beside the file lie %q, %v", beside, err)
	}
}
