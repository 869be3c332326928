package segment_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/waltest"
)

const mb = 1 << 20

const history = "1\t0/200000\tno recovery target specified\n"

// content is what every source under test holds: segments 1 to 3 of timeline 1
// with records over their borders, and a history file.
type content struct {
	log   *waltest.Log
	end   pg.LSN
	names []string
}

func newContent() content {
	b := waltest.New(waltest.Config{Major: 17, Start: mb})
	for b.End() < 3*mb+300000 {
		b.Append(waltest.Noop(3000))
	}
	c := content{log: b.Log(), end: b.End()}
	for n := uint64(1); n <= 3; n++ {
		c.names = append(c.names, pg.SegmentSize(mb).Name(1, n))
	}
	return c
}

func (c content) bytes(name string) []byte {
	n, err := pg.ParseSegmentName(name, mb)
	if err != nil {
		return []byte(history)
	}
	return c.log.Segment(n.Number)
}

// files are the segments and the history file.
func (c content) files() []string { return append(slices.Clone(c.names), "00000002.history") }

func write(t *testing.T, data []byte, path ...string) {
	t.Helper()
	full := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// arrangement is one way in which the content can lie.
type arrangement struct {
	name  string
	make  func(t *testing.T, c content, dir string) segment.Source
	mute  bool // List cannot tell before something was opened
	short int  // how many bytes of the last segment are stored; 0 for all
}

// archive opens what lies at path without being told what it is.
func archive(t *testing.T, path string) segment.Source {
	t.Helper()
	g, err := segment.Discover(t.Context(), path)
	if err != nil || g != newContent().log.Geometry {
		t.Errorf("Discover: %+v, %v", g, err)
	}
	s, err := segment.OpenArchive(path, mb)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func arrangements() []arrangement {
	const sha1 = "-0123456789abcdef0123456789abcdef01234567"
	all := []arrangement{
		{name: "pg_wal", make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.files() {
				write(t, c.bytes(name), dir, name)
			}
			write(t, nil, dir, "archive_status", c.names[0]+".done")
			write(t, []byte("x"), dir, c.names[0]+".00000028.backup")
			write(t, []byte("x"), dir, "xlogtemp.77")
			return archive(t, dir)
		}},
		{name: "compressed without a suffix", make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.files() {
				write(t, pack(t, ".gz", c.bytes(name)), dir, name)
			}
			return archive(t, dir)
		}},
		{name: "whole, compressed and incomplete files of one segment", make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.files() {
				write(t, c.bytes(name), dir, name)
				write(t, make([]byte, mb), dir, name+".partial")
				write(t, pack(t, ".gz", make([]byte, 100)), dir, name+".gz")
			}
			return archive(t, dir)
		}},
		{name: "chain", make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, c.bytes(c.names[0]), dir, "a", c.names[0])
			write(t, make([]byte, mb), dir, "a", c.names[1]) // made ahead of use
			write(t, c.bytes(c.names[0]), dir, "a", c.names[2]+".partial")
			for _, name := range c.files() {
				write(t, c.bytes(name), dir, "b", name)
			}
			return segment.NewChain(nil, segment.NewDir(filepath.Join(dir, "a"), mb), segment.NewDir(filepath.Join(dir, "b"), mb))
		}},
		{name: "Barman", make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.names[:2] {
				write(t, pack(t, ".bz2", c.bytes(name)), dir, "wals", name[:16], name)
			}
			write(t, []byte(history), dir, "wals", "00000002.history")
			write(t, c.bytes(c.names[2])[:400000], dir, "streaming", c.names[2]+".partial")
			return archive(t, dir)
		}},
		{name: "pgBackRest", make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, nil, dir, "archive.info")
			write(t, nil, dir, "14-1", c.names[0][:16], c.names[0]+sha1)
			for i, name := range c.names {
				suffix := []string{"", ".gz", ".zst"}[i]
				write(t, pack(t, suffix, c.bytes(name)), dir, "17-2", name[:16], name+sha1+suffix)
			}
			write(t, pack(t, ".lz4", make([]byte, mb)), dir, "17-2", c.names[0][:16], c.names[0]+".partial"+sha1+".lz4")
			write(t, []byte(history), dir, "17-2", "00000002.history")
			return archive(t, dir)
		}},
		{name: "Barman's home", make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.names {
				write(t, pack(t, ".gz", c.bytes(name)), dir, "main", "wals", name[:16], name)
			}
			write(t, []byte(history), dir, "main", "wals", "00000002.history")
			return archive(t, dir)
		}},
		{name: "repository of pgBackRest", make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, nil, dir, "archive", "demo", "archive.info")
			for _, name := range c.names {
				write(t, pack(t, ".bz2", c.bytes(name)), dir, "archive", "demo", "17-1", name[:16], name+sha1+".bz2")
			}
			write(t, []byte(history), dir, "archive", "demo", "17-1", "00000002.history")
			return archive(t, dir)
		}},
		{name: "pg_wal, pgBackRest, a tar file and a restore_command in a chain", mute: true, make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, c.bytes(c.names[2]), dir, "pg_wal", c.names[2])
			write(t, nil, dir, "demo", "archive.info")
			write(t, pack(t, ".lz4", c.bytes(c.names[1])), dir, "demo", "17-1", c.names[1][:16], c.names[1]+sha1+".lz4")
			write(t, pack(t, ".zst", packTar(t, c, c.names[0])), dir, "base.tar.zst")
			write(t, []byte(history), dir, "kept", "00000002.history")
			return segment.NewChain(archive(t, filepath.Join(dir, "pg_wal")), archive(t, filepath.Join(dir, "demo")), archive(t, filepath.Join(dir, "base.tar.zst")),
				restore(t, segment.RestoreConfig{Command: `cp kept/%f %p`, WorkDir: dir, Dir: t.TempDir(), Size: mb, Attempts: 1}))
		}},
		{name: "WAL-G", make: func(t *testing.T, c content, dir string) segment.Source {
			for i, name := range c.files() {
				suffix := []string{".lz4", ".zst", ".gz", ".lz4"}[i]
				write(t, pack(t, suffix, c.bytes(name)), dir, "wal_005", name+suffix)
			}
			return archive(t, dir)
		}},
		{name: "tar", make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, packTar(t, c, c.files()...), dir, "pg_wal.tar")
			return archive(t, filepath.Join(dir, "pg_wal.tar"))
		}},
		{name: "tar of an archive", make: func(t *testing.T, c content, dir string) segment.Source {
			write(t, tarOf(t, map[string][]byte{
				c.names[0] + ".partial":         make([]byte, 8192),
				c.names[0] + sha1 + ".gz":       pack(t, ".gz", c.bytes(c.names[0])),
				c.names[1] + ".zst":             pack(t, ".zst", c.bytes(c.names[1])),
				c.names[2] + ".partial":         c.bytes(c.names[2])[:400000],
				"00000002.history.lz4":          pack(t, ".lz4", []byte(history)),
				c.names[0] + ".00000028.backup": []byte("x"),
			}), dir, "wals.tar")
			return archive(t, filepath.Join(dir, "wals.tar"))
		}},
		{name: "restore_command", mute: true, make: func(t *testing.T, c content, dir string) segment.Source {
			for _, name := range c.files() {
				write(t, c.bytes(name), dir, "it's the archive", name)
			}
			return restore(t, segment.RestoreConfig{Command: `cp "it's the archive/%f" "%p"`, WorkDir: dir, Dir: t.TempDir(), Size: mb})
		}},
	}
	for _, suffix := range []string{".gz", ".lz4", ".zst", ".xz", ".bz2"} {
		all = append(all,
			arrangement{name: "tar with " + suffix, make: func(t *testing.T, c content, dir string) segment.Source {
				write(t, pack(t, suffix, packTar(t, c, c.files()...)), dir, "base.tar"+suffix)
				return archive(t, filepath.Join(dir, "base.tar"+suffix))
			}},
			arrangement{name: "folder of " + suffix, make: func(t *testing.T, c content, dir string) segment.Source {
				for _, name := range c.files() {
					write(t, pack(t, suffix, c.bytes(name)), dir, name+suffix)
				}
				return archive(t, dir)
			}},
			arrangement{name: "last one incomplete with " + suffix, make: func(t *testing.T, c content, dir string) segment.Source {
				for _, name := range c.files()[:2] {
					write(t, c.bytes(name), dir, name)
				}
				write(t, []byte(history), dir, "00000002.history")
				write(t, pack(t, suffix, c.bytes(c.names[2])[:400000]), dir, c.names[2]+suffix+".partial")
				return archive(t, dir)
			}})
	}
	return all
}

// packTar makes a tar file of pg_wal.
func packTar(t *testing.T, c content, files ...string) []byte {
	contents := map[string][]byte{"PG_VERSION": nil}
	for _, name := range files {
		contents[name] = c.bytes(name)
	}
	return tarOf(t, contents)
}

func tarOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files { // in any order
		h := &tar.Header{Name: "./pg_wal/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: time.Unix(1e9, 0)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestConformance(t *testing.T) {
	c := newContent()
	for _, a := range arrangements() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			source := a.make(t, c, t.TempDir())
			if source.String() == "" {
				t.Error("the source has no name")
			}
			for _, name := range c.files() {
				f, err := source.Open(t.Context(), name)
				if err != nil {
					t.Fatalf("Open(%s): %v", name, err)
				}
				got, err := f.Bytes()
				if err != nil || !bytes.Equal(got, c.bytes(name)) || f.Path == "" || f.Identity == "" {
					t.Errorf("Open(%s): %d bytes, %v, from %q, identity %q", name, len(got), err, f.Path, f.Identity)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if f, err = source.Open(t.Context(), name); err != nil {
					t.Errorf("Open(%s) for the second time: %v", name, err)
				} else {
					f.Close()
				}
			}
			for _, name := range []string{pg.SegmentSize(mb).Name(1, 4), pg.SegmentSize(mb).Name(2, 1), "00000003.history"} {
				if _, err := source.Open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Open(%s): %v, want fs.ErrNotExist", name, err)
				}
			}
			for _, name := range []string{"../" + c.names[0], "..", "a/b", ""} {
				if f, err := source.Open(t.Context(), name); err == nil {
					t.Errorf("Open(%q) gave %s", name, f.Path)
				}
			}

			var listed []string
			for info, err := range source.List(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				listed = append(listed, info.Name.Format(mb))
				if info.Path == "" || info.File != filepath.Base(info.Path) || info.Size == 0 || info.Identity == "" {
					t.Errorf("List: %+v", info)
				}
			}
			slices.Sort(listed)
			if diff := cmp.Diff(c.names, listed); diff != "" {
				t.Errorf("List (-want +got)\n%s", diff)
			}

			pages := segment.NewPages(source, mb, segment.OneTimeline(1))
			defer pages.Close()
			r := walinspect.NewReader(pages, c.log.Geometry, mb)
			records := 0
			for r.Next(t.Context()) {
				records++
			}
			if r.Stop().Reason != walinspect.StopCleanEnd || r.Stop().LSN != c.end || records != len(c.log.Records) {
				t.Errorf("%d records, %s; want %d and a clean end at %s", records, r.Stop(), len(c.log.Records), c.end)
			}
		})
	}
}
