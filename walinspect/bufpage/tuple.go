package bufpage

import (
	"encoding/binary"
	"iter"

	"forkpoint/walinspect/pg"
)

// Bits of a heap tuple's infomask (src/include/access/htup_details.h).
const (
	hasNull        = 0x0001
	xmaxKeyShare   = 0x0010
	xmaxExclusive  = 0x0040
	xmaxLockOnly   = 0x0080
	xminCommitted  = 0x0100
	xminInvalid    = 0x0200
	xmaxCommitted  = 0x0400
	xmaxInvalid    = 0x0800
	xmaxMulti      = 0x1000
	xmaxShareLock  = xmaxKeyShare | xmaxExclusive
	attributeCount = 0x07FF // of infomask2
)

// Tuple is a heap tuple: a version of a row.
type Tuple struct {
	Item       uint16 // number of its line pointer
	Xmin, Xmax pg.XID // who made it and who deleted, replaced or locked it
	infomask   uint16
	Attributes int    // columns it has values for; later ones were added after it was made
	nulls      []byte // bit set: not null
	Data       []byte // column values, from the aligned end of the header; a slice of the page
}

// Tuples lists the heap tuples of a page in the order of their line pointers,
// whatever their visibility. What does not fit into the page is left out.
func Tuples(page []byte) iter.Seq[Tuple] {
	return func(yield func(Tuple) bool) {
		lower := DecodeHeader(page).Lower
		for item := range Items(page) {
			if t, ok := decodeTuple(item.bytes(page, lower)); ok {
				t.Item = item.Number
				if !yield(t) {
					return
				}
			}
		}
	}
}

// decodeTuple reads a tuple with its header (HeapTupleHeaderData):
//
//	0 xmin, 4 xmax, 8 command, 12 ctid (6 bytes), 18 infomask2, 20 infomask,
//	22 length of the header with the null bitmap, 23 null bitmap
func decodeTuple(b []byte) (Tuple, bool) {
	const bitmap = 23
	if len(b) < bitmap {
		return Tuple{}, false
	}
	t := Tuple{
		Xmin:       pg.XID(binary.LittleEndian.Uint32(b)),
		Xmax:       pg.XID(binary.LittleEndian.Uint32(b[4:])),
		infomask:   binary.LittleEndian.Uint16(b[20:]),
		Attributes: int(binary.LittleEndian.Uint16(b[18:]) & attributeCount),
	}
	header := int(b[22])
	if header < bitmap || header%8 != 0 || header > len(b) {
		return Tuple{}, false
	}
	if t.infomask&hasNull != 0 {
		if bitmap+(t.Attributes+7)/8 > header {
			return Tuple{}, false
		}
		t.nulls = b[bitmap:header]
	}
	t.Data = b[header:]
	return t, true
}

// Null tells whether a column, counted from 0, has no value.
func (t Tuple) Null(column int) bool {
	if column >= t.Attributes {
		return true
	}
	return t.nulls != nil && t.nulls[column/8]>>(column%8)&1 == 0
}

// Fate is what the hint bits of a tuple say about a transaction. They are set
// by whoever looked the transaction up first, so they may say nothing yet.
type Fate uint8

const (
	Unknown   Fate = iota // ask pg_xact
	Committed             // for certain
	Aborted               // or never was
)

// Inserted is the fate of the insertion; a frozen tuple's is [Committed].
func (t Tuple) Inserted() Fate {
	switch {
	case t.infomask&xminCommitted != 0:
		return Committed
	case t.infomask&xminInvalid != 0:
		return Aborted
	}
	return Unknown
}

// Deleted is the fate of the deletion or update: [Aborted] if there was none
// or only a lock, and [Unknown] also if Xmax is a group of transactions.
func (t Tuple) Deleted() Fate {
	switch {
	case t.Xmax == 0, t.infomask&xmaxInvalid != 0, t.lockedOnly():
		return Aborted
	case t.infomask&xmaxMulti != 0:
		return Unknown
	case t.infomask&xmaxCommitted != 0:
		return Committed
	}
	return Unknown
}

// XmaxIsGroup tells whether Xmax numbers a group of transactions, to be looked
// up in pg_multixact.
func (t Tuple) XmaxIsGroup() bool { return t.infomask&xmaxMulti != 0 }

// lockedOnly tells whether Xmax only locked the row (HEAP_XMAX_IS_LOCKED_ONLY).
func (t Tuple) lockedOnly() bool {
	return t.infomask&xmaxLockOnly != 0 || t.infomask&(xmaxMulti|xmaxShareLock) == xmaxExclusive
}
