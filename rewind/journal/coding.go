package journal

import (
	"encoding/binary"
	"io/fs"
	"math"
	"time"
)

// encoder appends values in the form that decoder reads: varints as in
// encoding/binary, strings with their length before them.
type encoder struct{ buf []byte }

func (w *encoder) byte(b byte) { w.buf = append(w.buf, b) }

func (w *encoder) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (w *encoder) uint(v uint64) { w.buf = binary.AppendUvarint(w.buf, v) }

func (w *encoder) string(s string) {
	w.uint(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *encoder) state(s State) {
	w.byte(byte(s.Type))
	w.uint(uint64(s.Size))
	w.uint(uint64(s.Mode))
	w.buf = binary.AppendVarint(w.buf, s.ModTime.Unix())
	w.uint(uint64(s.ModTime.Nanosecond()))
	w.string(s.Link)
}

// decoder reads values until one does not fit; from then on it is bad and
// gives zeros.
type decoder struct {
	buf []byte
	bad bool
}

func (r *decoder) fail() { r.bad, r.buf = true, nil }

func (r *decoder) byte() byte {
	if len(r.buf) == 0 {
		r.fail()
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

func (r *decoder) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail()
	}
	return b == 1
}

func (r *decoder) uint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// int is a number that is never negative.
func (r *decoder) int() int64 {
	v := r.uint()
	if v > math.MaxInt64 {
		r.fail()
		return 0
	}
	return int64(v)
}

// bytes is a part of the buffer, no longer than limit.
func (r *decoder) bytes(limit uint64) []byte {
	n := r.uint()
	if n > limit || n > uint64(len(r.buf)) {
		r.fail()
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

func (r *decoder) state() State {
	s := State{Type: Type(r.byte())}
	s.Size = r.int()
	mode := r.uint()
	sec, n := binary.Varint(r.buf)
	if n <= 0 || s.Type > Symlink || mode > uint64(fs.ModePerm) {
		r.fail()
		return State{}
	}
	r.buf = r.buf[n:]
	nsec := r.uint()
	if nsec >= uint64(time.Second) {
		r.fail()
		return State{}
	}
	s.Mode, s.ModTime = fs.FileMode(mode), time.Unix(sec, int64(nsec))
	s.Link = string(r.bytes(maxString))
	return s
}
