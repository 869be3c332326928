package walinspect

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Digest is SHA-256 over position and checksum of one record after the other.
// The digest of the records that begin in a segment is what the catalog tells
// the variants of the segment apart by. Make it with [NewDigest].
type Digest struct {
	hash    hash.Hash
	pending []byte // not hashed yet
}

const (
	digestRow   = 12 // 8 bytes of position and 4 of checksum, little endian
	digestPiece = 512 * digestRow
)

// NewDigest begins a digest.
func NewDigest() *Digest {
	return &Digest{hash: sha256.New(), pending: make([]byte, 0, digestPiece)}
}

// Add takes in a record.
func (d *Digest) Add(rec *Record) {
	if len(d.pending) == digestPiece {
		d.flush()
	}
	d.pending = binary.LittleEndian.AppendUint64(d.pending, uint64(rec.LSN))
	d.pending = binary.LittleEndian.AppendUint32(d.pending, rec.CRC)
}

func (d *Digest) flush() {
	d.hash.Write(d.pending) // does not fail
	d.pending = d.pending[:0]
}

// Sum is the digest of the records so far. More can be added.
func (d *Digest) Sum() (sum [32]byte) {
	d.flush()
	d.hash.Sum(sum[:0])
	return sum
}
