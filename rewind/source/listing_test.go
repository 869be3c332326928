package source

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgtest"
)

func TestTablespacesInPlace(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		server := pgtest.Run(t, pgtest.Major(major))
		server.CreateTablespace("linked")
		server.Exec("SET allow_in_place_tablespaces = on", "CREATE TABLESPACE here LOCATION ''")
		s := connect(t, rewindRole(server), Options{})
		dir, err := datadir.Open(server.Dir())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]datadir.File{}
		for f, err := range dir.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			want[f.Path] = f
		}
		kinds := map[datadir.Kind]int{}
		for f, err := range s.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(f.Path, "pg_tblspc/") {
				kinds[f.Kind]++
				if w := want[f.Path]; w.Kind != f.Kind || w.Link != f.Link {
					t.Errorf("%s: %s to %q, want %s to %q", f.Path, f.Kind, f.Link, w.Kind, w.Link)
				}
			}
		}
		if kinds[datadir.Symlink] != 1 || kinds[datadir.Directory] != 3 { // one in place, and two of the version
			t.Errorf("entries of pg_tblspc: %v", kinds)
		}
	})
}

// TestListingGivenUp: a caller that was told to stop wants no more files, and is
// not called again with what the connection then says.
func TestListingGivenUp(t *testing.T) {
	role := rewindRole(pgtest.Run(t))
	lists := map[string]func(context.Context, Source) iter.Seq2[datadir.File, error]{
		"files": func(ctx context.Context, s Source) iter.Seq2[datadir.File, error] { return s.Files(ctx) },
		"wal":   ListWAL,
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			s := connect(t, role, Options{})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			seen := 0
			for f, err := range list(ctx, s) {
				if err != nil || f.Path == "" {
					t.Fatalf("%q: %v", f.Path, err)
				}
				seen++
				cancel(errors.New("told to stop"))
				break
			}
			if seen != 1 {
				t.Errorf("%d files", seen)
			}
		})
	}
}

// TestForeignFiles has in the data directory what is not the server's.
func TestForeignFiles(t *testing.T) {
	server := pgtest.Run(t)
	location := server.CreateTablespace("space")
	for _, dir := range []string{location, server.Dir()} {
		if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil { // not the server's
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(server.Dir(), "pipe"), 0o600), os.Symlink("nowhere", filepath.Join(server.Dir(), "dangling")),
		os.Symlink(server.Home(), filepath.Join(server.Dir(), "zz"))); err != nil {
		t.Fatal(err)
	}
	s := connect(t, rewindRole(server), Options{})
	kinds := map[string]datadir.Kind{}
	var err error
	for f, e := range s.Files(t.Context()) {
		if err = e; !strings.HasPrefix(f.Path, "zz/") {
			kinds[f.Path] = f.Kind
		}
		if strings.HasPrefix(f.Path, "zz/data/zz/data/zz/data") {
			break // the link leads back, and a listing can but follow it
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]datadir.Kind{"lost+found": datadir.Directory, "pipe": datadir.Regular, "zz": datadir.Directory} {
		if kind, there := kinds[path]; !there || kind != want {
			t.Errorf("%s: %s (there: %t), want %s", path, kind, there, want)
		}
	}
	if _, there := kinds["dangling"]; there {
		t.Error("a link that leads nowhere is listed")
	}
}

// TestLostTablespace has a link that leads nowhere: its content did not vanish
// but is missing.
func TestLostTablespace(t *testing.T) {
	server := pgtest.Run(t)
	location := server.CreateTablespace("lost")
	s := connect(t, rewindRole(server), Options{})
	if err := os.Rename(location, location+".away"); err != nil {
		t.Fatal(err)
	}
	var err error
	for _, err = range s.Files(t.Context()) {
	}
	if err == nil || !strings.Contains(err.Error(), "pg_tblspc/") || errors.Is(err, ErrTransient) {
		t.Errorf("listing ends with %v", err)
	}
}
