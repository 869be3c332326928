package codec

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory that a zstd stream may ask for; it is what the
// zstd program accepts without being told otherwise.
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
