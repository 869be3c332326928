package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// bzipped is content packed by libbz2: no library here writes that format.
const bzipped = "425a683931415926535980803bbc0003e7c18000100129d40020007220c98813551193d4ca906aa41da90654839520ca" +
	"9076a41f54839520ca9078bb9229c284840401dde0"

var content = []byte(strings.Repeat("forkpoint\n", 1000))

func pack(t *testing.T, format Format) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case Gzip:
		w = gzip.NewWriter(&b)
	case LZ4Frame:
		w = lz4.NewWriter(&b)
	case ZstdFrame:
		w, err = zstd.NewWriter(&b)
	case XZ:
		w, err = xz.NewWriter(&b)
	case Bzip2:
		packed, err := hex.DecodeString(bzipped)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	default:
		return content
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen(t *testing.T) {
	for _, k := range formats {
		packed := pack(t, k.format)
		for _, name := range []string{"000000010000000000000001" + k.suffix, "000000010000000000000001"} {
			t.Run(k.name+" as "+name, func(t *testing.T) {
				r, err := Open(name, bytes.NewReader(packed))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, content) {
					t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(content))
				}
			})
		}
		t.Run(k.name+" cut off", func(t *testing.T) {
			r, err := Open("x", bytes.NewReader(packed[:len(packed)/2]))
			if err == nil {
				_, err = io.ReadAll(r)
			}
			if err == nil {
				t.Fatal("half of a file was taken for the whole")
			}
		})
		t.Run(k.name+" in name only", func(t *testing.T) {
			if _, err := Open("x"+k.suffix, bytes.NewReader(content)); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("plain content under %s: %v", k.suffix, err)
			}
		})
		t.Run(k.name+" empty", func(t *testing.T) {
			if _, err := Open("x"+k.suffix, bytes.NewReader(nil)); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("no content under %s: %v", k.suffix, err)
			}
		})
	}
	t.Run("plain", func(t *testing.T) {
		r, err := Open("x", bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	})
}

// The size of the dictionary stands in the header, and is not believed.
func TestXZDictionary(t *testing.T) {
	packed := pack(t, XZ)
	header := packed[12 : 12+(int(packed[12])+1)*4]
	at := bytes.Index(header, []byte{0x21, 1}) + 2                                  // the filter, and how many bytes describe it
	for code, ok := range map[byte]bool{28: true, 30: true, 31: false, 40: false} { // 64, 128 and 192 MiB, 4 GiB
		header[at] = code
		binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
		r, err := Open("x.xz", bytes.NewReader(packed))
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("dictionary of code %d: %v", code, err)
		}
		if !ok {
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("dictionary of code %d: %d bytes, %v", code, len(got), err)
		}
	}
}

func TestBlocks(t *testing.T) {
	packLZ4 := func(src []byte) []byte {
		dst := make([]byte, lz4.CompressBlockBound(len(src)))
		n, err := lz4.CompressBlock(src, dst, nil)
		if err != nil {
			t.Fatal(err)
		}
		return dst[:n]
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	codecs := []struct {
		name   string
		unpack func(dst, src []byte) error
		packed []byte
	}{
		{"pglz", PGLZ, packPGLZ(content)},
		{"lz4", LZ4, packLZ4(content)},
		{"zstd", Zstd, enc.EncodeAll(content, nil)},
	}
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			dst := make([]byte, len(content))
			if err := c.unpack(dst, c.packed); err != nil || !bytes.Equal(dst, content) {
				t.Fatalf("unpack: %v", err)
			}
			for _, n := range []int{0, 1, len(content) - 1, len(content) + 1} {
				if err := c.unpack(make([]byte, n), c.packed); !errors.Is(err, ErrCorrupt) {
					t.Errorf("into %d bytes: %v; want ErrCorrupt", n, err)
				}
			}
			if err := c.unpack(dst, c.packed[:len(c.packed)/2]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("half of the input: %v; want ErrCorrupt", err)
			}
			if err := c.unpack(dst, nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("no input: %v; want ErrCorrupt", err)
			}
		})
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x01, 0x09, 0x00, 0x00, 'x'})
	f.Add([]byte{0x10, 'x'})
	f.Fuzz(func(t *testing.T, src []byte) {
		dst := make([]byte, 8192)
		_ = LZ4(dst, src)
		_ = Zstd(dst, src)
	})
}

func TestTrimSuffix(t *testing.T) {
	tests := []struct {
		name, base string
		format     Format
	}{
		{"000000010000000000000001.gz", "000000010000000000000001", Gzip},
		{"000000010000000000000001.zst", "000000010000000000000001", ZstdFrame},
		{"00000002.history.lz4", "00000002.history", LZ4Frame},
		{"000000010000000000000001", "000000010000000000000001", Plain},
		{"000000010000000000000001.partial", "000000010000000000000001.partial", Plain},
	}
	for _, tt := range tests {
		if base, format := TrimSuffix(tt.name); base != tt.base || format != tt.format {
			t.Errorf("TrimSuffix(%q) = %q, %s; want %q, %s", tt.name, base, format, tt.base, tt.format)
		}
	}
}
