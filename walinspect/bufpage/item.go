package bufpage

import (
	"encoding/binary"
	"iter"
)

// ItemState is what a line pointer is used for (lp_flags in
// src/include/storage/itemid.h).
type ItemState uint8

const (
	Unused   ItemState = iota // free
	Normal                    // points to a tuple
	Redirect                  // names another line pointer
	Dead                      // its tuple is gone or will be
)

// Item is a line pointer.
type Item struct {
	Number uint16 // counted from 1 (OffsetNumber)
	State  ItemState
	Offset uint16 // of the tuple in the page; of a redirect the other pointer's number
	Length uint16 // of the tuple in bytes
}

// Items lists the line pointers of a page in order. A page whose header says
// that there are more than fit gives those that do.
func Items(page []byte) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		h := DecodeHeader(page)
		if h.New() {
			return
		}
		end := min(int(h.Lower), int(h.Upper), len(page))
		for at, number := HeaderSize, uint16(1); at+4 <= end; at, number = at+4, number+1 {
			bits := binary.LittleEndian.Uint32(page[at:])
			item := Item{number, ItemState(bits >> 15 & 3), uint16(bits & 0x7FFF), uint16(bits >> 17)}
			if !yield(item) {
				return
			}
		}
	}
}

// bytes gives what a line pointer points to; nil if it does not lie in the
// page behind the line pointers.
func (i Item) bytes(page []byte, lower uint16) []byte {
	if i.State != Normal || i.Length == 0 || i.Offset < lower || int(i.Offset)+int(i.Length) > len(page) {
		return nil
	}
	return page[i.Offset:][:i.Length]
}
