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
	pending [digestPiece]byte // of which the first ones are not hashed yet
	used    int
}

const (
	digestRow   = 12 // 8 bytes of position and 4 of checksum, little endian
	digestPiece = 512 * digestRow
)

// NewDigest begins a digest.
func NewDigest() *Digest {
	return &Digest{hash: sha256.New()}
}

// Add takes in a record.
func (d *Digest) Add(rec *Record) {
	if d.used == digestPiece {
		d.flush()
	}
	row := d.pending[d.used : d.used+digestRow]
	binary.LittleEndian.PutUint64(row, uint64(rec.LSN))
	binary.LittleEndian.PutUint32(row[8:], rec.CRC)
	d.used += digestRow
}

func (d *Digest) flush() {
	d.hash.Write(d.pending[:d.used]) // does not fail
	d.used = 0
}

// Sum is the digest of the records so far. More can be added.
func (d *Digest) Sum() (sum [32]byte) {
	d.flush()
	d.hash.Sum(sum[:0])
	return sum
}
