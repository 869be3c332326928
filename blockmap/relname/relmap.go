package relname

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"forkpoint/walinspect/pg"
)

// relMap gives the file numbers of catalogs that pg_class cannot give, because
// they are needed to read it (RelMapFile in
// src/backend/utils/cache/relmapper.c).
//
//	0 magic, 4 count, 8 count pairs of catalog OID and file number, then room
//	for more, and a CRC-32C of all before it
//
// Version 16 made room for 64 pairs instead of 62 and kept the magic.
type relMap map[pg.OID]pg.RelFileNumber

const (
	relMapMagic = 0x592717
	relMapPairs = 8 // offset of the first pair
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// decodeRelMap reads a pg_filenode.map of that major version.
func decodeRelMap(major int, b []byte) (relMap, error) {
	size, room := 512, 62
	if major >= 16 {
		size, room = 524, 64
	}
	if len(b) != size {
		return nil, fmt.Errorf("relation map of version %d: want %d bytes, got %d", major, size, len(b))
	}
	u32 := binary.LittleEndian.Uint32
	end := relMapPairs + 8*room
	if want, got := crc32.Checksum(b[:end], castagnoli), u32(b[end:]); want != got {
		return nil, fmt.Errorf("relation map: checksum: want %08X, got %08X", want, got)
	}
	if got := u32(b); got != relMapMagic {
		return nil, fmt.Errorf("relation map: magic: want %08X, got %08X", relMapMagic, got)
	}
	count := u32(b[4:])
	if count > uint32(room) {
		return nil, fmt.Errorf("relation map: %d entries in a file for %d", count, room)
	}
	m := relMap{}
	for i := range int(count) {
		pair := b[relMapPairs+8*i:]
		m[pg.OID(u32(pair))] = pg.RelFileNumber(u32(pair[4:]))
	}
	return m, nil
}
