package source

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgtest"
)

// chunks is what came for one range, without the bytes.
func chunks(t testing.TB, s Source, r Range) []Chunk {
	t.Helper()
	var got []Chunk
	if err := s.Fetch(t.Context(), one(r), func(c Chunk) error {
		c.Data = bytes.Clone(c.Data)
		got = append(got, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// bothKinds runs a test on a server, and on its directory after it stopped. put
// makes files in that directory.
func bothKinds(t *testing.T, test func(t *testing.T, s Source, pg *pgtest.Server)) {
	pg := pgtest.Run(t)
	conninfo := rewindRole(pg)
	t.Run("live", func(t *testing.T) { test(t, connect(t, conninfo, Options{}), pg) })
	pg.Stop(pgtest.Fast)
	t.Run("local", func(t *testing.T) {
		s, err := OpenLocal(pg.Dir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, s, pg)
	})
}

// TestChangedFiles asks for files by what an older listing said of them.
func TestChangedFiles(t *testing.T) {
	const mb = PartSize
	shapes := []struct {
		name   string
		size   int64 // now; -1 for gone, -2 with its directory
		ask    Range
		want   []int64 // lengths of the chunks
		absent bool
	}{
		{"unchanged", 2*mb + 5, Range{Length: 2*mb + 5}, []int64{mb, mb, 5}, false},
		{"whole, unchanged", 2*mb + 5, Range{Length: 2*mb + 5, ToEnd: true}, []int64{mb, mb, 5}, false},
		{"whole, a round size", 2 * mb, Range{Length: 2 * mb, ToEnd: true}, []int64{mb, mb, 0}, false},
		{"small one grown", 90, Range{Length: 20, ToEnd: true}, []int64{90}, false},
		{"empty one grown a lot", 9*mb + 1, Range{ToEnd: true}, []int64{mb, mb, mb, mb, mb, mb, mb, mb, mb, 1}, false},
		{"grown, to the listed size", 90, Range{Length: 20}, []int64{20}, false},
		{"tail of a grown one", 3 * mb, Range{Offset: mb + 7, Length: 3, ToEnd: true}, []int64{mb, mb - 7}, false},
		{"shrunk", mb + 3, Range{Length: 5 * mb}, []int64{mb, 3}, false},
		{"shrunk to a border", mb, Range{Length: 5 * mb}, []int64{mb, 0}, false},
		{"whole, shrunk", mb + 3, Range{Length: 5 * mb, ToEnd: true}, []int64{mb, 3}, false},
		{"emptied", 0, Range{Length: 5 * mb}, []int64{0}, false},
		{"range past the end", 10, Range{Offset: 100, Length: 8}, []int64{0}, false},
		{"gone", -1, Range{Length: 5 * mb}, []int64{0}, true},
		{"whole, gone", -1, Range{Length: 5 * mb, ToEnd: true}, []int64{0}, true},
		{"in a directory that is gone", -2, Range{Length: mb}, []int64{0}, true},
	}
	bothKinds(t, func(t *testing.T, s Source, pg *pgtest.Server) {
		for _, tt := range shapes {
			data := pattern(int(max(tt.size, 0)))
			tt.ask.Path = "extra/file"
			switch tt.size {
			case -1:
				os.Remove(filepath.Join(pg.Dir(), "extra/file"))
			case -2:
				tt.ask.Path = "nowhere/file"
			default:
				put(t, pg, "extra/file", data)
			}
			var lengths []int64
			got := chunks(t, s, tt.ask)
			for i, c := range got {
				lengths = append(lengths, int64(len(c.Data)))
				last := i == len(got)-1
				whole := tt.ask.ToEnd || tt.ask.Offset+tt.ask.Length > tt.size
				if c.Missing != tt.absent || c.Last != last || c.Short != (last && whole && !tt.absent) {
					t.Errorf("%s: chunk %d: missing %t, short %t, last %t", tt.name, i, c.Missing, c.Short, c.Last)
				}
				if len(c.Data) > 0 && string(c.Data) != string(data[c.Offset:c.Offset+int64(len(c.Data))]) {
					t.Errorf("%s: other bytes at %d", tt.name, c.Offset)
				}
			}
			if !slices.Equal(lengths, tt.want) {
				t.Errorf("%s: chunks of %v, want %v", tt.name, lengths, tt.want)
			}
			digests(t, s, tt.name, tt.ask, data, tt.absent)
		}
	})
}

// digests compares the sums that the source gives with those of the bytes.
func digests(t *testing.T, s Source, name string, ask Range, data []byte, absent bool) {
	t.Helper()
	if ask.Offset > 0 || ask.ToEnd {
		return
	}
	got, err := s.Hashes(t.Context(), ask.Path, ask.Length)
	if absent {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %d digests, %v", name, len(got), err)
		}
		return
	}
	want, _ := HashReader(t.Context(), bytes.NewReader(data), ask.Path, ask.Length)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
	}
}

// TestBigFile reads where a 32-bit offset would not reach.
func TestBigFile(t *testing.T) {
	bothKinds(t, func(t *testing.T, s Source, pg *pgtest.Server) {
		const size = 5<<30 + 3
		path := filepath.Join(pg.Dir(), "sparse")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte("here"), 3<<30-2)
		if err := errors.Join(err, f.Truncate(size), f.Close(), pgtest.Own(path)); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(path)
		listed := int64(0)
		for f, err := range s.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if f.Path == "sparse" {
				listed = f.Size
			}
		}
		if listed != size {
			t.Errorf("listed with %d bytes", listed)
		}
		got := chunks(t, s, Range{Path: "sparse", Offset: 3<<30 - 2, Length: 4})
		if len(got) != 1 || string(got[0].Data) != "here" {
			t.Errorf("got %+v", got)
		}
		if got = chunks(t, s, Range{Path: "sparse", Offset: 5 << 30, ToEnd: true}); len(got) != 1 || len(got[0].Data) != 3 || !got[0].Short {
			t.Errorf("end of the file: %+v", got)
		}
		var last Digest
		err = s.Hash(t.Context(), one(Range{Path: "sparse", Offset: 4 << 30, Length: 64 << 20}), func(d Digest) error { last = d; return nil })
		if err != nil || last.Offset != 4<<30+63<<20 || last.Sum != sha256.Sum256(make([]byte, PartSize)) {
			t.Errorf("%+v, %v", last, err)
		}
	})
}

func TestReadFile(t *testing.T) {
	bothKinds(t, func(t *testing.T, s Source, pg *pgtest.Server) {
		put(t, pg, "extra/empty", nil)
		if b, err := s.ReadFile(t.Context(), "extra/empty"); err != nil || b == nil || len(b) > 0 {
			t.Errorf("empty file: %v, %v", b, err)
		}
		if b, err := s.ReadFile(t.Context(), "PG_VERSION"); err != nil || string(b) != fmt.Sprintf("%d\n", pg.Major()) {
			t.Errorf("PG_VERSION: %q, %v", b, err)
		}
		if n := s.BytesRead(); n < 3 {
			t.Errorf("BytesRead() = %d", n)
		}
		for _, absent := range []string{"nothing", "no/where"} {
			if _, err := s.ReadFile(t.Context(), absent); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", absent, err)
			}
		}
		if _, err := s.ReadFile(t.Context(), "base"); err == nil || errors.Is(err, ErrTransient) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("directory: %v", err)
		}
		for _, bad := range []string{"/etc/passwd", "../x", "base/../../x"} {
			if _, err := s.ReadFile(t.Context(), bad); !errors.Is(err, ErrUnsafePath) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

// oddNames are names that are no text in UTF-8, and others that are unusual.
var oddNames = []string{
	"odd/caf\xe9", "odd/\xff\xfe/inner\x80/file", "odd/gr\u00fc\u00dfe", "odd/with space", "odd/new\nline", "odd/quote'\"\\", "odd/%s$1", "odd/-rf", "odd/..x",
}

// TestOddNames lists and reads files whose names are not valid in the encoding
// of the database, from databases of several encodings.
func TestOddNames(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pg := pgtest.Run(t, pgtest.Major(major))
		for _, name := range oddNames {
			put(t, pg, name, []byte(name))
		}
		put(t, pg, "odd/\xff\xfe/big", pattern(2*PartSize+9))
		conninfo := rewindRole(pg)
		databases := []string{"postgres"}
		for _, encoding := range []string{"utf8", "sql_ascii", "latin1", "euc_jp"} {
			pg.Exec("CREATE DATABASE " + encoding + " TEMPLATE template0 ENCODING '" + encoding + "' LC_COLLATE 'C' LC_CTYPE 'C'")
			databases = append(databases, encoding)
			for _, f := range grantedFunctions {
				pg.ExecIn(encoding, "GRANT EXECUTE ON FUNCTION "+f+" TO rewinder")
			}
		}
		dir, err := datadir.Open(pg.Dir())
		if err != nil {
			t.Fatal(err)
		}
		ignore := append([]string{"pg_wal", "base", "global"}, changing...)
		want := listing(t, dir.Files(t.Context()), ignore...)
		for _, db := range databases {
			s := connect(t, conninfo+" dbname="+db, Options{Jobs: 2})
			if diff := cmp.Diff(want, listing(t, s.Files(t.Context()), ignore...)); diff != "" {
				t.Errorf("%s: files (-directory +server):\n%s", db, diff)
			}
			ranges := slices.DeleteFunc(whole(t, s.Files(t.Context())), func(r Range) bool { return !strings.HasPrefix(r.Path, "odd/") && r.Path != "PG_VERSION" })
			got := fetch(t, s, append(ranges, Range{Path: "odd/\xff/gone", ToEnd: true}))
			for _, name := range oddNames {
				if string(got[name]) != name {
					t.Errorf("%s: fetched %q as %q", db, name, got[name])
				}
				if b, err := s.ReadFile(t.Context(), name); err != nil || string(b) != name {
					t.Errorf("%s: read %q as %q, %v", db, name, b, err)
				}
				if d, err := s.Hashes(t.Context(), name, int64(len(name))); err != nil || len(d) != 1 || d[0].Sum != sha256.Sum256([]byte(name)) {
					t.Errorf("%s: hashes of %q: %v, %v", db, name, d, err)
				}
			}
			if n := len(got["odd/\xff\xfe/big"]); n != 2*PartSize+9 {
				t.Errorf("%s: %d bytes of the big file", db, n)
			}
			for _, absent := range []string{"odd/\xfd", "odd/\xfd/x"} {
				if _, err := s.ReadFile(t.Context(), absent); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %q: %v", db, absent, err)
				}
				if got := chunks(t, s, Range{Path: absent, Length: 5}); len(got) != 1 || !got[0].Missing {
					t.Errorf("%s: %q: %+v", db, absent, got)
				}
			}
		}
	})
}
