package walinspect

import (
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// Ids of the parts of a record's body other than block references
// (XLR_BLOCK_ID_ in xlogrecord.h).
const (
	idMainShort byte = 255 // one byte of length
	idMainLong  byte = 254 // four bytes of length
	idOrigin    byte = 253
	idTopXID    byte = 252
)

// DecodeRecord reads one whole record, header and body, without the padding
// after it and without page headers inside it. The checksum is verified. Block
// size is the usual 8 kB; a [Reader] takes it from its [Geometry]. LSN, End and
// Timeline are left to the caller. The record refers to raw.
func DecodeRecord(layout *Layout, raw []byte) (Record, error) {
	r := Record{Layout: layout}
	if err := checkLength(raw); err != nil {
		return Record{}, err
	}
	if err := r.decode(raw, usualPageSize); err != nil {
		return Record{}, err
	}
	return r, nil
}

func checkLength(raw []byte) error {
	if len(raw) < RecordHeaderLen {
		return &CorruptError{Flaw: FlawRecordLength, Want: fmt.Sprintf("at least %d bytes", RecordHeaderLen), Got: fmt.Sprintf("%d", len(raw))}
	}
	if n := binary.LittleEndian.Uint32(raw); uint64(n) != uint64(len(raw)) {
		return &CorruptError{Flaw: FlawRecordLength, Want: fmt.Sprintf("%d bytes", n), Got: fmt.Sprintf("%d", len(raw))}
	}
	return nil
}

// decode fills r from raw, whose length the header confirms. It keeps LSN, End,
// Timeline and Layout, and reuses the memory of Blocks.
func (r *Record) decode(raw []byte, blockSize uint32) error {
	_ = raw[RecordHeaderLen-1]
	r.raw = raw
	r.TotalLen = binary.LittleEndian.Uint32(raw)
	r.XID = pg.XID(binary.LittleEndian.Uint32(raw[4:]))
	r.Prev = pg.LSN(binary.LittleEndian.Uint64(raw[8:]))
	r.Info = raw[16]
	r.Rmgr = pg.RmgrID(raw[17])
	r.CRC = binary.LittleEndian.Uint32(raw[20:])
	r.TopXID, r.HasTopXID = 0, false
	r.Origin, r.HasOrigin = 0, false
	r.Blocks, r.Main = r.Blocks[:0], nil

	if crc := recordCRC(raw); crc != r.CRC {
		return &CorruptError{Flaw: FlawChecksum, LSN: r.LSN, Want: fmt.Sprintf("%08X", r.CRC), Got: fmt.Sprintf("%08X", crc)}
	}
	if !r.Layout.validRmgr(r.Rmgr) {
		return &CorruptError{Flaw: FlawRmgr, LSN: r.LSN, Want: "a resource manager of " + pg.VersionName(r.Layout.Major), Got: r.Rmgr.String()}
	}
	if err := r.decodeBody(raw[RecordHeaderLen:], blockSize); err != nil {
		return err
	}
	return nil
}

// decodeBody reads the sub-headers, which come first, and then deals out the
// data behind them: for each block its image and its data, and the main data
// last. The sub-headers end where the announced data fills what is left.
func (r *Record) decodeBody(body []byte, blockSize uint32) error {
	rest, announced, mainLen := body, 0, 0
	last := -1 // id of the block reference before
	for len(rest) > announced {
		id := rest[0]
		switch {
		case id <= maxBlockID:
			if int(id) <= last {
				return r.malformed("block ids in rising order", fmt.Sprintf("%d after %d", id, last))
			}
			last = int(id)
			n, err := r.decodeBlock(rest, blockSize)
			if err != nil {
				return err
			}
			b := &r.Blocks[len(r.Blocks)-1]
			rest, announced = rest[n:], announced+int(b.imageLen)+int(b.dataLen)
			continue
		case id == idMainShort:
			if len(rest) < 2 {
				return r.malformed("a length of main data", "end of record")
			}
			mainLen, rest = int(rest[1]), rest[2:]
		case id == idMainLong:
			if len(rest) < 5 {
				return r.malformed("a length of main data", "end of record")
			}
			n := binary.LittleEndian.Uint32(rest[1:])
			if uint64(n) > uint64(len(rest)) {
				return r.malformed(fmt.Sprintf("main data within %d bytes", len(rest)), fmt.Sprintf("%d", n))
			}
			mainLen, rest = int(n), rest[5:]
		case id == idOrigin:
			if len(rest) < 3 {
				return r.malformed("a replication origin", "end of record")
			}
			r.Origin, r.HasOrigin = binary.LittleEndian.Uint16(rest[1:]), true
			rest = rest[3:]
			continue
		case id == idTopXID && r.Layout.topXID:
			if len(rest) < 5 {
				return r.malformed("a top-level transaction", "end of record")
			}
			r.TopXID, r.HasTopXID = pg.XID(binary.LittleEndian.Uint32(rest[1:])), true
			rest = rest[5:]
			continue
		default:
			return r.malformed("a known block id", fmt.Sprintf("%d", id))
		}
		announced += mainLen
		break
	}
	if len(rest) != announced {
		return r.malformed(fmt.Sprintf("%d bytes of data", announced), fmt.Sprintf("%d", len(rest)))
	}
	for i := range r.Blocks {
		b := &r.Blocks[i]
		if n := int(b.imageLen); n > 0 {
			b.Image.Data, rest = rest[:n:n], rest[n:]
		}
		if n := int(b.dataLen); n > 0 {
			b.Data, rest = rest[:n:n], rest[n:]
		}
	}
	if mainLen > 0 {
		r.Main = rest[:mainLen:mainLen]
	}
	return nil
}

func (r *Record) malformed(want, got string) error {
	return &CorruptError{Flaw: FlawRecordBody, LSN: r.LSN, Want: want, Got: got}
}
