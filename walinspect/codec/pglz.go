package codec

import (
	"errors"
	"fmt"
)

// ErrCorrupt is matched by errors about compressed bytes that make no sense.
var ErrCorrupt = errors.New("corrupt compressed data")

// PGLZ fills dst from a pglz stream (src/common/pg_lzcompress.c), which must
// end exactly where dst is full.
//
// A control byte announces eight items, lowest bit first. A clear bit is one
// literal byte. A set bit is a match of two or three bytes:
//
//	 first byte            second byte     third byte, if length is 18
//	+----------+--------+ +-------------+ +---------------+
//	| distance | length | |  distance   | |  more length  |
//	| high 4   |  - 3   | |  low 8      | |               |
//	+----------+--------+ +-------------+ +---------------+
//
// The distance counts back from the end of the output; a match may reach into
// what it writes itself.
func PGLZ(dst, src []byte) error {
	out, in := 0, 0
	for in < len(src) && out < len(dst) {
		control := src[in]
		in++
		for bit := 0; bit < 8 && in < len(src) && out < len(dst); bit, control = bit+1, control>>1 {
			if control&1 == 0 {
				dst[out] = src[in]
				out, in = out+1, in+1
				continue
			}
			if len(src)-in < 2 {
				return fmt.Errorf("pglz: %w: a match is cut off at byte %d", ErrCorrupt, in)
			}
			length := int(src[in]&0x0F) + 3
			distance := int(src[in]&0xF0)<<4 | int(src[in+1])
			in += 2
			if length == 18 {
				if in == len(src) {
					return fmt.Errorf("pglz: %w: a match is cut off at byte %d", ErrCorrupt, in)
				}
				length += int(src[in])
				in++
			}
			if distance == 0 || distance > out {
				return fmt.Errorf("pglz: %w: a match reaches back %d bytes after %d", ErrCorrupt, distance, out)
			}
			if length > len(dst)-out {
				return fmt.Errorf("pglz: %w: more than %d bytes come out", ErrCorrupt, len(dst))
			}
			copyMatch(dst[out-distance:out+length], distance)
			out += length
		}
	}
	switch {
	case out < len(dst):
		return fmt.Errorf("pglz: %w: %d bytes come out, want %d", ErrCorrupt, out, len(dst))
	case in < len(src):
		return fmt.Errorf("pglz: %w: %d bytes are left over", ErrCorrupt, len(src)-in)
	}
	return nil
}

// copyMatch repeats the first distance bytes of b over the rest of it.
func copyMatch(b []byte, distance int) {
	for n := distance; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
