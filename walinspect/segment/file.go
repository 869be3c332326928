package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"forkpoint/walinspect/codec"
)

// inMemory is the longest file that is decompressed into memory; what is longer
// goes through a temporary file that has no name.
const inMemory = 64 << 20

// ErrContent is matched by the error of a file that is there and can be read,
// and does not hold what its name promises.
var ErrContent = errors.New("damaged file")

// contentError names the file and what is wrong with it.
type contentError struct{ error }

func (e contentError) Is(target error) bool { return target == ErrContent }

func (e contentError) Unwrap() error { return e.error }

// File is an open WAL file. What it reads is decompressed.
type File struct {
	io.ReaderAt
	io.Closer
	Path string
	Size int64 // of the contents
	// Identity changes whenever the file does; a reader that has seen it need
	// not read again. It is empty where nothing of the kind is known.
	Identity string
	// Settled: when the file was opened its last change was so long ago that a
	// further one will change Identity too.
	Settled bool
	// Partial says that the file was put aside before its segment was complete.
	Partial bool
}

// Bytes reads the whole file.
func (f *File) Bytes() ([]byte, error) {
	b := make([]byte, f.Size)
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		return b, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("read %s: %w", f.Path, err)
}

// openFile opens one file, decompressed where it is compressed. limit is how
// long the contents of a file of that kind can be: a file that unpacks to more
// is refused before it does harm.
func openFile(path string, limit int64) (*File, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	file := &File{ReaderAt: f, Closer: f, Path: path, Size: info.Size(), Identity: identity(info), Settled: settled(info), Partial: isPartial(path)}
	return file.prepare(f, limit)
}

// prepare makes the contents of a stored file readable: decompressed, and filled
// up where it was put aside incomplete. It closes the file if it fails.
func (f *File) prepare(stored io.Reader, limit int64) (*File, error) {
	opened := f.Closer
	if err := refuseEncrypted(f, f.Path); err != nil {
		opened.Close() // read only: nothing is lost if it fails
		return nil, err
	}
	var head [8]byte
	n, _ := f.ReadAt(head[:], 0) // what cannot be read now will be missed later
	if codec.Detect(head[:n]) != codec.Plain || compressedName(f.Path) {
		defer opened.Close() // read only: nothing is lost if it fails
		if err := f.unpack(stored, limit); err != nil {
			return nil, err
		}
	}
	if f.Partial && f.Size < limit {
		f.ReaderAt, f.Size = padded{f.ReaderAt, f.Size}, limit
	}
	return f, nil
}

// encryptedMagic is what files begin with that were encrypted the way of the
// openssl program, as pgBackRest does.
const encryptedMagic = "Salted__"

func refuseEncrypted(f io.ReaderAt, path string) error {
	var head [len(encryptedMagic)]byte
	if n, _ := f.ReadAt(head[:], 0); string(head[:n]) != encryptedMagic {
		return nil // what cannot be read now will be missed later
	}
	return fmt.Errorf("%s is encrypted; give a restore_command that decrypts it", path)
}

// openRegular opens a file and refuses what is none, such as a fifo, which
// could block for ever.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close() // read only
		return nil, nil, err
	}
	return f, info, nil
}

func compressedName(path string) bool {
	base, _ := trimPartial(path)
	_, format := codec.TrimSuffix(base)
	return format != codec.Plain
}

// unpack replaces the contents by what they decompress to. Where the stream
// breaks off, what came out before is kept, and reading on gives the error.
func (f *File) unpack(packed io.Reader, limit int64) error {
	base, _ := trimPartial(filepath.Base(f.Path))
	r, err := codec.Open(base, packed)
	if err != nil {
		return contentError{fmt.Errorf("decompress %s: %w", f.Path, err)}
	}
	defer r.Close() // read only

	var broken error
	if limit <= inMemory {
		buf := bytes.NewBuffer(make([]byte, 0, limit+bytes.MinRead)) // so that it never grows
		_, broken = io.CopyN(buf, r, limit)
		f.ReaderAt, f.Closer, f.Size = bytes.NewReader(buf.Bytes()), io.NopCloser(nil), int64(buf.Len())
	} else if broken, err = f.spool(r, limit); err != nil {
		return fmt.Errorf("decompress %s: %w", f.Path, err)
	}
	switch {
	case broken == nil:
		if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
			f.Close() // read only
			return contentError{fmt.Errorf("decompress %s: more than the %d bytes of a segment come out", f.Path, limit)}
		}
	case broken == io.EOF, f.Partial && errors.Is(broken, io.ErrUnexpectedEOF):
		// shorter than a segment: the caller judges that
	default:
		f.ReaderAt = breaking{f.ReaderAt, f.Size, fmt.Errorf("decompress %s: %w", f.Path, broken)}
	}
	return nil
}

// spool unpacks into a temporary file that vanishes with its descriptor.
func (f *File) spool(r io.Reader, limit int64) (broken, err error) {
	t, err := os.CreateTemp("", "forkpoint-*.wal")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(t.Name()); err != nil {
		t.Close() // nothing of it is needed
		return nil, err
	}
	n, broken := io.CopyN(t, r, limit)
	f.ReaderAt, f.Closer, f.Size = t, t, n
	var failed *fs.PathError
	if errors.As(broken, &failed) { // of the temporary file, not of the stream
		t.Close() // nothing of it is needed
		return nil, broken
	}
	return broken, nil
}

// A file system stamps changes with a clock that ticks, on some only every two
// seconds: two changes within one tick leave the same times.
const tick = 2 * time.Second

// settled tells whether the last write is so long ago that a further one would
// show in the times.
func settled(info fs.FileInfo) bool { return time.Since(info.ModTime()) >= tick }

// identity is made of all that the file system changes when a file changes.
func identity(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d.%d:%d.%d", st.Dev, st.Ino, st.Size,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
}

// padded reads zeros past the end, up to any length: the rest of a segment that
// was put aside before it was complete was never written.
type padded struct {
	io.ReaderAt
	size int64
}

func (p padded) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < p.size {
		var err error
		n, err = p.ReaderAt.ReadAt(b[:min(int64(len(b)), p.size-off)], off)
		if err != nil && err != io.EOF {
			return n, err
		}
	}
	clear(b[n:])
	return len(b), nil
}

// breaking reads up to where a stream broke off, and fails with the reason.
type breaking struct {
	io.ReaderAt
	size int64
	err  error
}

func (r breaking) ReadAt(b []byte, off int64) (int, error) {
	if off >= r.size {
		return 0, r.err
	}
	n, err := r.ReaderAt.ReadAt(b, off)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}
