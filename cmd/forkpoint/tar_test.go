package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
)

// A tar file is read as the folder that it was made of.
func TestTarOfSegments(t *testing.T) {
	base := pgtest.Scratch(t)
	folder, packed := filepath.Join(base, "wal"), filepath.Join(base, "wal.tar")
	const compressed = "../../testdata/pg15"
	g, err := segment.Discover(t.Context(), compressed)
	if err := errors.Join(err, os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	source := segment.NewDir(compressed, g.SegmentSize)
	for info, err := range source.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Name.Timeline != 1 {
			continue
		}
		name := info.Name.Format(g.SegmentSize)
		f, err := source.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := f.Bytes()
		if err := errors.Join(err, f.Close(), os.WriteFile(filepath.Join(folder, name), content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("tar", "-C", folder, "-cf", packed, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := pgtest.Own(base); err != nil {
		t.Fatal(err)
	}
	want, stderr, status := forkpointOutput(t, "inspect", folder)
	if status != 0 || len(want) < 100_000 {
		t.Fatalf("inspect: status %d, %d bytes\n%s", status, len(want), stderr)
	}
	if got, stderr, status := forkpointOutput(t, "inspect", packed); status != 0 || got != want {
		t.Errorf("inspect of the tar: status %d, %d bytes, want %d\n%s", status, len(got), len(want), stderr)
	}
	of, in := filepath.Join(base, "of.db"), filepath.Join(base, "in.db")
	for place, catalog := range map[string]string{folder: of, packed: in} {
		if _, stderr, status := forkpointOutput(t, "index", place, "--catalog", catalog); status != 0 {
			t.Fatalf("index %s: status %d\n%s", place, status, stderr)
		}
	}
	sameCatalogs(t, "of the tar", anywhere(catalogContents(t, of)), anywhere(catalogContents(t, in)))
}
