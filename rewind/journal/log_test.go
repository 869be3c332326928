package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
)

// samples has an entry of every kind.
func samples() []Entry {
	at := time.Unix(1_700_000_000, 987654321)
	return []Entry{
		{Kind: KindOrigin, Path: "base/1/2", Was: State{Type: Regular, Size: 1 << 40, Mode: 0o640, ModTime: at}},
		{Kind: KindOrigin, Path: "a", Was: State{Type: Absent, ModTime: time.Unix(-1, 5)}},
		{Kind: KindOrigin, Path: "log", Was: State{Type: Symlink, Mode: 0o777, ModTime: at, Link: "/var/log"}},
		{Kind: KindImage, Path: "base/1/2", Offset: 1 << 41, Bytes: []byte("old bytes")},
		{Kind: KindKept, Path: "x", Number: 7, Was: State{Type: Regular, Size: 3, ModTime: at}},
		{Kind: KindStage, Stage: Ready, Bytes: []byte{1, 2}},
		{Kind: KindPhase, Phase: "copy", Ended: true},
		{Kind: KindMark, Number: 1 << 63, Offset: 5, Bytes: []byte("note")},
	}
}

var sameEntries = cmp.Options{
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.Comparer(bytes.Equal),
}

func TestEntryRoundTrip(t *testing.T) {
	var w encoder
	for _, e := range samples() {
		if err := e.check(); err != nil {
			t.Fatal(err)
		}
		e.encode(&w)
	}
	r := decoder{buf: w.buf}
	for _, want := range samples() {
		var got Entry
		got.decode(&r)
		if r.bad {
			t.Fatalf("kind %d is not read back", want.Kind)
		}
		if diff := cmp.Diff(want, got, sameEntries); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEntryCheck(t *testing.T) {
	long := string(make([]byte, maxString+1))
	tests := []struct {
		name string
		e    Entry
	}{
		{"no kind", Entry{Path: "a"}},
		{"unknown kind", Entry{Kind: 7}},
		{"image of nothing", Entry{Kind: KindImage}},
		{"mark with a path", Entry{Kind: KindMark, Path: "a"}},
		{"path too long", Entry{Kind: KindOrigin, Path: long}},
		{"image too long", Entry{Kind: KindImage, Path: "a", Bytes: make([]byte, maxImage+1)}},
		{"note too long", Entry{Kind: KindMark, Bytes: make([]byte, maxNote+1)}},
		{"negative offset", Entry{Kind: KindImage, Path: "a", Offset: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.e.check(); !errors.Is(err, errEntry) {
				t.Fatalf("check = %v", err)
			}
		})
	}
}

// TestDamagedLog takes a log of five batches and damages it in one way. Damage
// at the end is a torn batch and dropped; damage before the end is refused.
func TestDamagedLog(t *testing.T) {
	tests := []struct {
		name   string
		damage func(b []byte, starts []int64) []byte
		want   int // batches; -1: refused
	}{
		{"none", func(b []byte, _ []int64) []byte { return b }, 5},
		{"last byte lost", func(b []byte, _ []int64) []byte { return b[:len(b)-1] }, 4},
		{"last byte wrong", func(b []byte, _ []int64) []byte { b[len(b)-1]++; return b }, 4},
		{"last batch zeros", func(b []byte, s []int64) []byte { clear(b[s[4]:]); return b }, 4},
		{"last header half", func(b []byte, s []int64) []byte { return b[:s[4]+20] }, 4},
		{"header of the last batch wrong", func(b []byte, s []int64) []byte { b[s[4]+9]++; return b }, 4},
		{"garbage behind", func(b []byte, _ []int64) []byte { return append(b, "FPJB and more"...) }, 5},
		{"zeros behind", func(b []byte, _ []int64) []byte { return append(b, make([]byte, 5000)...) }, 5},
		{"only a header", func(b []byte, _ []int64) []byte { return b[:logHeaderSize] }, 0},
		{"an older batch again", func(b []byte, s []int64) []byte { return append(b, b[s[2]:s[3]]...) }, 5},

		{"empty", func(b []byte, _ []int64) []byte { return nil }, -1},
		{"header cut", func(b []byte, _ []int64) []byte { return b[:10] }, -1},
		{"header of another rewind", func(b []byte, _ []int64) []byte { b[20]++; return b }, -1},
		{"byte wrong in the middle", func(b []byte, s []int64) []byte { b[s[2]+batchHeaderSize]++; return b }, -1},
		{"header wrong in the middle", func(b []byte, s []int64) []byte { b[s[2]+24]++; return b }, -1},
		{"batch missing in the middle", func(b []byte, s []int64) []byte { return append(b[:s[2]], b[s[3]:]...) }, -1},
		{"too much behind", func(b []byte, _ []int64) []byte { return append(b, make([]byte, maxTail+1)...) }, -1},
		{"first batch zeros", func(b []byte, s []int64) []byte { clear(b[s[0]:s[1]]); return b }, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, starts := fiveBatches(t)
			f := openBytes(t, tt.damage(raw, starts))
			count := 0
			l, err := openLog(f, [32]byte{1}, func(*Entry) { count++ })
			if tt.want < 0 {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("openLog = %v; want ErrCorrupt", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(l.starts) != tt.want || count != 2*tt.want {
				t.Fatalf("%d batches, %d entries; want %d batches", len(l.starts), count, tt.want)
			}
			mustGoOn(t, l, f)
		})
	}
}

// mustGoOn checks that a log takes another batch after its damaged end.
func mustGoOn(t *testing.T, l *batchLog, f target.File) {
	t.Helper()
	before := len(l.starts)
	if err := l.settle(false); err != nil {
		t.Fatal(err)
	}
	if err := l.append(&Entry{Kind: KindPhase, Phase: "after"}); err != nil {
		t.Fatal(err)
	}
	if err := l.commit(); err != nil {
		t.Fatal(err)
	}
	again, err := openLog(f, [32]byte{1}, func(*Entry) {})
	if err != nil || len(again.starts) != before+1 {
		t.Fatalf("after one more batch: %d batches, %v", len(again.starts), err)
	}
}

// fiveBatches is the log of a rewind: two entries a batch, two of them compressed.
func fiveBatches(t *testing.T) ([]byte, []int64) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	roots := target.NewRoots()
	defer roots.Close()
	if err := roots.Declare(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	l, err := createLog(roots, name, [32]byte{1}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for i := range 5 {
		e := Entry{Kind: KindImage, Path: fmt.Sprintf("base/1/%d", i), Bytes: make([]byte, 500*(i%3))}
		mark := Entry{Kind: KindMark, Number: uint64(i)}
		for _, e := range []*Entry{&e, &mark} {
			if err := l.append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.commit(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b, l.starts
}

func openBytes(t testing.TB, b []byte) target.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestBackward(t *testing.T) {
	raw, starts := fiveBatches(t)
	l, err := openLog(openBytes(t, raw), [32]byte{1}, func(*Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = l.backward(func(start int64, e *Entry) error {
		if e.Kind == KindImage {
			got = append(got, fmt.Sprintf("image %s at batch %d", e.Path, batchAt(starts, start)))
		} else {
			got = append(got, fmt.Sprintf("mark %d", e.Number))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := 4; i >= 0; i-- {
		want = append(want, fmt.Sprintf("mark %d", i), fmt.Sprintf("image base/1/%d at batch %d", i, i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func batchAt(starts []int64, at int64) int {
	for i, s := range starts {
		if s == at {
			return i
		}
	}
	return -1
}

// memory is a log that lies in memory.
type memory struct{ b []byte }

func (m memory) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m.b).ReadAt(p, off) }
func (m memory) WriteAt([]byte, int64) (int, error)      { return 0, errors.ErrUnsupported }
func (m memory) Truncate(int64) error                    { return errors.ErrUnsupported }
func (m memory) Sync() error                             { return nil }
func (m memory) Close() error                            { return nil }
func (m memory) Stat() (fs.FileInfo, error)              { return memoryInfo{nil, int64(len(m.b))}, nil }

type memoryInfo struct {
	fs.FileInfo
	size int64
}

func (i memoryInfo) Size() int64 { return i.size }

// FuzzLog reads logs that chance made, with checksums that fit where the
// fuzzer cannot be expected to find them. What is read can be written again
// and is then read the same; no size in the file is believed beyond its bound.
func FuzzLog(f *testing.F) {
	var w encoder
	for _, e := range samples() {
		e.encode(&w)
	}
	f.Add(w.buf, uint32(len(samples())), uint32(0))
	f.Add([]byte{5, 0, 0}, uint32(1), uint32(flagNotes))
	f.Add([]byte{2, 1, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0xff}, uint32(1), uint32(flagCompressed))
	f.Fuzz(func(t *testing.T, payload []byte, count, flags uint32) {
		h := batchHeader{flags: flags, sequence: 1, entries: count, raw: uint32(len(payload)), stored: uint32(len(payload)),
			crc: crc32.Checksum(payload, castagnoli)}
		if flags&flagCompressed != 0 {
			h.raw = count // whatever it claims
			h.entries = 1
		}
		raw := append(append(encodeLogHeader([32]byte{}), h.encode()...), payload...)
		var entries []Entry
		_, err := openLog(memory{raw}, [32]byte{}, func(e *Entry) {
			copied := *e
			copied.Bytes = bytes.Clone(e.Bytes)
			entries = append(entries, copied)
		})
		if err != nil {
			return
		}
		var again encoder
		for i := range entries {
			if err := entries[i].check(); err != nil {
				t.Fatalf("read what cannot be written: %v", err)
			}
			entries[i].encode(&again)
		}
		r := decoder{buf: again.buf}
		for _, want := range entries {
			var got Entry
			got.decode(&r)
			if diff := cmp.Diff(want, got, sameEntries); r.bad || diff != "" {
				t.Fatalf("not read back: %s", diff)
			}
		}
	})
}

// FuzzLogBytes reads arbitrary files.
func FuzzLogBytes(f *testing.F) {
	header := encodeLogHeader([32]byte{})
	f.Add(header)
	f.Add(append(header, (&batchHeader{sequence: 1, entries: 1, raw: maxRaw, stored: maxRaw}).encode()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= logHeaderSize {
			copy(b, header)
		}
		l, err := openLog(memory{b}, [32]byte{}, func(*Entry) {})
		if err == nil && l.end > int64(max(len(b), logHeaderSize)) {
			t.Fatalf("log of %d bytes ends at %d", len(b), l.end)
		}
	})
}

func TestBatchHeaderIsStable(t *testing.T) {
	h := batchHeader{flags: 3, sequence: 0x0102030405060708, entries: 9, raw: 20, stored: 10, previous: 0xAABBCCDD, crc: 0x11223344}
	b := h.encode()
	if string(b[:4]) != "FPJB" || binary.LittleEndian.Uint64(b[8:]) != h.sequence || len(b) != batchHeaderSize {
		t.Fatalf("% x", b)
	}
	got, ok := decodeBatchHeader(b)
	if !ok || got != h {
		t.Fatalf("%+v, %v", got, ok)
	}
	if _, err := readBatchHeader(memory{b[:39]}, 0, h.sequence, h.previous); !errors.Is(err, errTorn) {
		t.Fatal(err)
	}
	if _, err := readBatchHeader(memory{nil}, 0, 1, 0); err != io.EOF {
		t.Fatal(err)
	}
}
