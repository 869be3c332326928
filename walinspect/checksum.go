package walinspect

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// interleaved is the length from which package crc32 sums up three parts of the
// data side by side, which is faster than one after the other.
const interleaved = RecordHeaderLen + 504

// recordCRC is the checksum of a whole record: the body, then the header up to
// the checksum itself.
func recordCRC(raw []byte) uint32 {
	if hasCRC32 && len(raw) < interleaved {
		return shortRecordCRC(raw)
	}
	return crc32.Update(crc32.Update(0, castagnoli, raw[RecordHeaderLen:]), castagnoli, raw[:20])
}
