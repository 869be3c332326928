package source

import (
	"errors"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// smallestHole is how short a part may be that is looked at for a hole: reading
// a few blocks costs no more.
const smallestHole = 64 << 10

// holeAt tells how many bytes of the length at off the file has that lie in a
// hole, which reads as zeros; 0 where there is anything else among them.
func holeAt(f *os.File, off, length int64) (int64, error) {
	if length < smallestHole {
		return 0, nil
	}
	data, err := f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // no data up to the end
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return max(0, min(length, info.Size()-off)), nil
	case err != nil: // a file system that does not tell
		return 0, nil
	case data >= off+length:
		return length, nil
	}
	return 0, nil
}

// extents yields the parts of the file in [from, to) that are not in holes.
func extents(f *os.File, from, to int64) iter.Seq2[int64, int64] {
	return func(yield func(from, to int64) bool) {
		for at := from; at < to; {
			data, err := f.Seek(at, unix.SEEK_DATA)
			if errors.Is(err, unix.ENXIO) || err == nil && data >= to {
				return
			}
			hole, errHole := f.Seek(data, unix.SEEK_HOLE)
			if err != nil || errHole != nil || hole <= data { // a file system that does not tell
				yield(at, to)
				return
			}
			if !yield(data, min(hole, to)) {
				return
			}
			at = hole
		}
	}
}
