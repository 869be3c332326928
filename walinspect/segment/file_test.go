package segment_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

func TestBrokenFiles(t *testing.T) {
	c := newContent()
	name := c.names[1]
	data := c.bytes(name)
	for _, tt := range []struct {
		name   string
		file   string
		data   []byte
		open   string // part of the error of Open, if it fails
		reason walinspect.StopReason
	}{
		{name: "too short", file: name, data: data[:500000], reason: walinspect.StopTruncatedFile},
		{name: "empty", file: name, data: nil, reason: walinspect.StopTruncatedFile},
		{name: "not whole pages", file: name, data: data[:8192*3+17], reason: walinspect.StopTruncatedFile},
		{name: "short inside compression", file: name + ".gz", data: pack(t, ".gz", data[:500000]), reason: walinspect.StopTruncatedFile},
		{name: "compressed and cut off", file: name + ".gz", data: cut(pack(t, ".gz", data)), reason: walinspect.StopTruncatedFile},
		{name: "compressed and damaged", file: name + ".zst", data: damage(pack(t, ".zst", data)), reason: walinspect.StopUnreadable},
		{name: "more than a segment", file: name + ".gz", data: pack(t, ".gz", make([]byte, mb+1)), open: "more than"},
		{name: "suffix without compression", file: name + ".lz4", data: data, open: "content is plain"},
		{name: "encrypted", file: name, data: []byte("Salted__12345678"), open: "encrypted"},
		{name: "brotli", file: name + ".br", data: []byte("x"), open: "not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, c.bytes(c.names[0]), dir, c.names[0])
			write(t, tt.data, dir, tt.file)
			source := segment.NewDir(dir, mb)
			f, err := source.Open(t.Context(), name)
			if tt.open != "" {
				if err == nil || !strings.Contains(err.Error(), tt.open) || !strings.Contains(err.Error(), tt.file) {
					t.Fatalf("Open: %v; want %q and the file's name", err, tt.open)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			f.Close()

			pages := segment.NewPages(source, mb, segment.OneTimeline(1))
			defer pages.Close()
			r := walinspect.NewReader(pages, c.log.Geometry, mb)
			for r.Next(t.Context()) {
			}
			stop := r.Stop()
			if stop.Reason != tt.reason || filepath.Base(stop.Path) != tt.file || stop.LSN < 2*mb-8192 || r.Err() == nil {
				t.Fatalf("%s, %v; want %s in %s", stop, r.Err(), tt.reason, tt.file)
			}
		})
	}
}

func cut(b []byte) []byte { return b[:len(b)*2/3] }

func damage(b []byte) []byte {
	for i := len(b) / 2; i < len(b)/2+20; i++ {
		b[i] ^= 0x55
	}
	return b
}

func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	name := pg.SegmentSize(mb).Name(1, 1)
	if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := segment.NewDir(dir, mb).Open(t.Context(), name); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open of a fifo: %v, %v", f, err)
	}
}

func TestLargeCompressedFile(t *testing.T) {
	const size = 128 * mb // more than is unpacked into memory
	dir := t.TempDir()
	name := pg.SegmentSize(size).Name(1, 1)
	data := make([]byte, size)
	data[size-1] = 7
	write(t, pack(t, ".zst", data), dir, name+".zst")
	f, err := segment.NewDir(dir, size).Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := make([]byte, 10)
	if n, err := f.ReadAt(last, size-5); f.Size != size || n != 5 || err != io.EOF || last[4] != 7 {
		t.Fatalf("size %d, read %d bytes, %v, %v", f.Size, n, err, last)
	}
}

func TestDiscover(t *testing.T) {
	c := newContent()
	dir := t.TempDir()
	if _, err := segment.Discover(t.Context(), dir); err == nil {
		t.Error("a folder without segments has a geometry")
	}
	write(t, make([]byte, mb), dir, pg.SegmentSize(mb).Name(1, 0))
	if _, err := segment.Discover(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "magic 0000") {
		t.Errorf("a folder with a segment of zeros: %v", err)
	}
	write(t, pack(t, ".xz", c.bytes(c.names[0])), dir, c.names[0]+".xz.partial")
	g, err := segment.Discover(t.Context(), dir)
	if err != nil || g != c.log.Geometry {
		t.Errorf("Discover = %+v, %v; want %+v", g, err, c.log.Geometry)
	}
	if _, err := segment.Discover(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Where no segment can be read, the reason is told, and not that there is none.
func TestDiscoverTellsWhy(t *testing.T) {
	name := pg.SegmentSize(mb).Name(1, 1)
	for what, tt := range map[string]struct{ file, want string }{
		"encrypted by pgBackRest": {filepath.Join("archive", "demo", "17-1", name[:16], name+"-0123456789abcdef0123456789abcdef01234567.gz"), "is encrypted"},
		"WAL-G with brotli":       {filepath.Join("wal_005", name+".br"), "not supported; give a restore_command"},
	} {
		dir := t.TempDir()
		write(t, []byte("Salted__12345678"), dir, "archive", "demo", "archive.info")
		write(t, []byte("Salted__12345678"), dir, tt.file)
		if _, err := segment.Discover(t.Context(), dir); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), filepath.Base(tt.file)) {
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
	dir := t.TempDir()
	for _, server := range []string{"main", "other"} {
		write(t, nil, dir, server, "wals", "00000002.history")
	}
	if _, err := segment.OpenArchive(dir, mb); err == nil || !strings.Contains(err.Error(), "several servers") {
		t.Errorf("two servers of Barman: %v", err)
	}
}

func TestPagesAcrossTimelines(t *testing.T) {
	c := newContent()
	dir := t.TempDir()
	size := pg.SegmentSize(mb)
	write(t, c.bytes(c.names[0]), dir, size.Name(1, 1))
	write(t, make([]byte, mb), dir, size.Name(1, 2))
	write(t, c.bytes(c.names[1]), dir, size.Name(2, 2)) // copied when timeline 2 began
	pages := segment.NewPages(segment.NewDir(dir, mb), mb, func(n uint64) []pg.TimelineID {
		if n >= 2 {
			return []pg.TimelineID{2, 1}
		}
		return []pg.TimelineID{1}
	})
	defer pages.Close()
	r := walinspect.NewReader(pages, c.log.Geometry, mb)
	for r.Next(t.Context()) {
	}
	if stop := r.Stop(); stop.Reason != walinspect.StopMissingSegment || stop.At != 3*mb {
		t.Fatalf("%s; want segment 3 to be missing", stop)
	}
	for _, name := range []string{size.Name(1, 3), size.Name(2, 3), dir} {
		if !strings.Contains(r.Err().Error(), name) {
			t.Errorf("%v does not name %s", r.Err(), name)
		}
	}
}

func TestHashedTwins(t *testing.T) {
	dir := t.TempDir()
	name := pg.SegmentSize(mb).Name(1, 1)
	for _, sha1 := range []string{"-0123456789abcdef0123456789abcdef01234567", "-1123456789abcdef0123456789abcdef01234567"} {
		write(t, make([]byte, mb), dir, name[:16], name+sha1)
	}
	if _, err := segment.NewTree(dir, mb).Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), "2 different files") {
		t.Fatalf("Open with two files: %v", err)
	}
}

func TestListOfMissingFolder(t *testing.T) {
	for _, s := range []segment.Source{
		segment.NewDir("/no/such/folder", mb), segment.NewTree("/no/such/folder", mb),
		segment.NewChain(segment.NewDir(os.TempDir(), mb), segment.NewDir("/no/such/folder", mb)),
	} {
		var last error
		for _, err := range s.List(t.Context()) {
			last = err
		}
		if !errors.Is(last, fs.ErrNotExist) {
			t.Errorf("%s: %v", s, last)
		}
	}
}
