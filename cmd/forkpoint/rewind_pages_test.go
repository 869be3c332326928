package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// checkPages compares every page of every relation file of a stopped server
// with its checksum, the maps of free space and visibility included, and where
// the server's own program for it is there, that one must agree.
func checkPages(t *testing.T, s *pgtest.Server) {
	t.Helper()
	dir, err := datadir.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	control, err := dir.Control()
	if err != nil {
		t.Fatal(err)
	}
	if control.DataChecksums != 1 {
		t.Fatalf("%s has no data checksums", s)
	}
	pages := 0
	for f, err := range dir.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Rel == nil || f.Kind != datadir.Regular {
			continue
		}
		file, err := os.Open(filepath.Join(s.Dir(), f.Path))
		if err != nil {
			t.Fatal(err)
		}
		page := make([]byte, control.BlockSize)
		for block := pg.BlockNumber(f.Rel.Segment * control.RelSegSize); ; block++ {
			_, err := io.ReadFull(file, page)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", f.Path, err)
				break
			}
			pages++
			if err := bufpage.Verify(page, block); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
		file.Close() // read only
	}
	if pages < 1000 {
		t.Fatalf("%s has only %d pages", s, pages)
	}
	if s.HasProgram("pg_checksums") {
		if err := s.PgChecksums(); err != nil {
			t.Error(err)
		}
	}
}
