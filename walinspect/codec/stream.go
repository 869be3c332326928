package codec

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that a zstd or xz stream may ask for, in bytes. It
// is what the zstd program accepts without being told otherwise, and twice what
// the xz program ever asks for by a level.
const maxWindow = 128 << 20

// Open returns the decompressed bytes of r. The first bytes decide about the
// format, so a compressed file is recognised without a suffix too; name is the
// file's, and a suffix in it that the bytes contradict is an error. Closing
// the result does not close r.
func Open(name string, r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(maxMagic)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	format := Detect(head)
	if _, named := TrimSuffix(name); named != Plain && named != format {
		if len(head) == 0 {
			return nil, fmt.Errorf("%s: %w: the file is empty", name, io.ErrUnexpectedEOF)
		}
		return nil, fmt.Errorf("%s: %w: the name says %s, the content is %s", name, ErrCorrupt, named, format)
	}
	if format == XZ {
		if size := xzDictionary(b); size > maxWindow {
			return nil, fmt.Errorf("%s: %s: %w: it asks for a dictionary of %d bytes, want at most %d", name, format, ErrCorrupt, size, maxWindow)
		}
	}
	out, err := open(format, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, format, err)
	}
	return out, nil
}

func open(format Format, r io.Reader) (io.ReadCloser, error) {
	switch format {
	case Gzip:
		return gzip.NewReader(r)
	case LZ4Frame:
		return io.NopCloser(lz4.NewReader(r)), nil
	case ZstdFrame:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case XZ:
		d, err := xz.ReaderConfig{DictCap: 1 << 20}.NewReader(r)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	default:
		return io.NopCloser(r), nil
	}
}

// xzDictionary reads the size of the dictionary, in bytes, from the header of
// an xz stream's first block; 0 where there is none to be found. The library
// would allocate it at once.
func xzDictionary(b *bufio.Reader) int64 {
	const streamHeader, lzma2 = 12, 0x21
	head, _ := b.Peek(streamHeader + 1024) // what cannot be read, the library reports
	if len(head) <= streamHeader {
		return 0
	}
	block := head[streamHeader:]
	block = block[:min(len(block), (int(block[0])+1)*4)]
	if len(block) < 2 {
		return 0
	}
	flags, rest := block[1], block[2:]
	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		rest = rest[max(n, 0):]
		return v
	}
	for _, bit := range []byte{0x40, 0x80} { // sizes of the block
		if flags&bit != 0 {
			number()
		}
	}
	for range flags&3 + 1 {
		id, size := number(), number()
		if size > uint64(len(rest)) {
			return 0
		}
		if id == lzma2 && size > 0 {
			code := rest[0] & 0x3F
			return int64(2|code&1) << (code/2 + 11)
		}
		rest = rest[size:]
	}
	return 0
}
