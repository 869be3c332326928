package waltest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes a record the way a server does (XLogRecordAssemble in
// src/backend/access/transam/xloginsert.c). LSN, End, TotalLen and CRC are not
// looked at. It panics where no server could write such a record: that is a
// mistake in the test.
func Encode(r *walinspect.Record) []byte {
	le := binary.LittleEndian
	raw := make([]byte, walinspect.RecordHeaderLen)
	var data []byte
	for i := range r.Blocks {
		b := &r.Blocks[i]
		same := i > 0 && r.Blocks[i-1].Tag.RelFileLocator == b.Tag.RelFileLocator
		raw = appendBlock(raw, r.Layout, b, same)
		if b.HasImage() {
			data = append(data, b.Image.Data...)
		}
		data = append(data, b.Data...)
	}
	if r.HasOrigin {
		raw = le.AppendUint16(append(raw, 253), r.Origin)
	}
	if r.HasTopXID {
		raw = le.AppendUint32(append(raw, 252), uint32(r.TopXID))
	}
	switch n := len(r.Main); {
	case n > 255:
		raw = le.AppendUint32(append(raw, 254), uint32(n))
	case n > 0:
		raw = append(raw, 255, byte(n))
	}
	raw = append(append(raw, data...), r.Main...)

	le.PutUint32(raw, uint32(len(raw)))
	le.PutUint32(raw[4:], uint32(r.XID))
	le.PutUint64(raw[8:], uint64(r.Prev))
	raw[16], raw[17] = r.Info, byte(r.Rmgr)
	seal(raw)
	return raw
}

// seal makes the checksum of a raw record right.
func seal(raw []byte) {
	crc := crc32.Update(crc32.Checksum(raw[24:], castagnoli), castagnoli, raw[:20])
	binary.LittleEndian.PutUint32(raw[20:], crc)
}

func appendBlock(raw []byte, l *walinspect.Layout, b *walinspect.BlockRef, same bool) []byte {
	le := binary.LittleEndian
	flags := b.Flags&0x50 | byte(b.Tag.Fork) // image and init as given, the rest follows from the content
	if len(b.Data) > 0 {
		flags |= 0x20
	}
	if same {
		flags |= 0x80
	}
	raw = le.AppendUint16(append(raw, b.ID, flags), uint16(len(b.Data)))
	if b.HasImage() {
		info, known := l.ImageFlags(&b.Image)
		if !known {
			panic(fmt.Sprintf("version %d has no %s images", l.Major, b.Image.Compression))
		}
		raw = le.AppendUint16(raw, uint16(len(b.Image.Data)))
		raw = le.AppendUint16(raw, b.Image.HoleOffset)
		raw = append(raw, info)
		if b.Image.Compression != walinspect.Uncompressed && b.Image.HoleLen > 0 {
			raw = le.AppendUint16(raw, b.Image.HoleLen)
		}
	}
	if !same {
		raw = le.AppendUint32(raw, uint32(b.Tag.Spc))
		raw = le.AppendUint32(raw, uint32(b.Tag.DB))
		raw = le.AppendUint32(raw, uint32(b.Tag.Rel))
	}
	return le.AppendUint32(raw, uint32(b.Tag.Block))
}

// Noop is a record without effect that takes 24 bytes and mainLen more, plus
// two or five for the length of main data if there is any.
func Noop(mainLen int) walinspect.Record {
	main := make([]byte, mainLen)
	for i, x := 0, uint32(mainLen+1); i < mainLen; i++ {
		x ^= x << 13 // xorshift: bytes that look like nothing else
		x ^= x >> 17
		x ^= x << 5
		main[i] = byte(x)
	}
	return walinspect.Record{Rmgr: pg.RmgrXLOG, Info: 0x20, Main: main}
}

// Touch is a record that changes the given pages, in the order of their ids.
func Touch(xid pg.XID, tags ...pg.BlockTag) walinspect.Record {
	r := walinspect.Record{Rmgr: pg.RmgrHeap, XID: xid, Main: []byte{1, 0, 0}}
	for i, tag := range tags {
		r.Blocks = append(r.Blocks, walinspect.BlockRef{ID: uint8(i), Flags: 0x20, Tag: tag, Data: []byte("row")})
	}
	return r
}

// Overwrite is the record that takes the place of a lost continuation.
func Overwrite(lost pg.LSN) walinspect.Record {
	main := binary.LittleEndian.AppendUint64(nil, uint64(lost))
	return walinspect.Record{Rmgr: pg.RmgrXLOG, Info: 0xD0, Main: append(main, make([]byte, 8)...)}
}
