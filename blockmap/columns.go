package blockmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"forkpoint/walinspect/pg"
)

// ErrBadList is matched by what the list decoders refuse.
var ErrBadList = errors.New("invalid list")

// column is one that is being written: a run of varints, each the difference to
// the one before it. Lists are encoded by column, for neighbours in a column are
// much alike and compress well, see FORMAT.md.
type column struct {
	b      []byte
	before uint64
}

func (c *column) add(v uint64) {
	difference := int64(v - c.before)
	c.before = v
	if zigzag := uint64(difference)<<1 ^ uint64(difference>>63); zigzag < 0x80 { // as most are
		c.b = append(c.b, byte(zigzag))
	} else {
		c.b = binary.AppendUvarint(c.b, zigzag)
	}
}

// columns are those of one list. They are filled in one pass over its rows, of
// which there can be more than the cache of a core holds.
type columns [6]column

// begin empties them, with room for so many rows.
func (c *columns) begin(rows int) {
	for i := range c {
		c[i] = column{b: slices.Grow(c[i].b[:0], rows)}
	}
}

// appendTo adds the first n, one after the other.
func (c *columns) appendTo(dst []byte, n int) []byte {
	for i := range c[:n] {
		dst = append(dst, c[i].b...)
	}
	return dst
}

// columnReader reads columns. The first error stays.
type columnReader struct {
	b    []byte
	most ListBounds // less the identifiers that were read
	err  error
}

func (r *columnReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("broken number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *columnReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("broken number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of rows, each of which takes at least width bytes.
func (r *columnReader) count(width int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/width) {
		r.fail("more rows than bytes")
		return 0
	}
	return int(n)
}

// rows reads how many there are in the list, each of at least width bytes.
func (r *columnReader) rows(width int) int {
	n := r.count(width)
	if n > r.most.Rows {
		r.fail(fmt.Sprintf("%d rows, more than the %d that the segment can have", n, r.most.Rows))
		return 0
	}
	return n
}

// more tells whether a row follows the n of a list without a count.
func (r *columnReader) more(n int) bool {
	if len(r.b) > 0 && n == r.most.Rows {
		r.fail(fmt.Sprintf("more than the %d rows that the segment can have", n))
	}
	return len(r.b) > 0
}

// index reads the index of a row, not before from, of a list of n.
func (r *columnReader) index(from, n int) int {
	v := r.uvarint()
	if v < uint64(from) || v >= uint64(n) {
		r.fail("row out of range or order")
		return 0
	}
	return int(v)
}

func (r *columnReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail("text runs past the end")
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *columnReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrBadList, what)
	}
	r.b = nil
}

// done reports the first error, or bytes left over.
func (r *columnReader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	return r.err
}

func readColumn[T any](r *columnReader, rows []T, set func(*T, uint64)) {
	var v uint64
	b := r.b
	for i := range rows {
		if len(b) > 0 && b[0] < 0x80 { // most are differences that fit a byte
			zigzag := uint64(b[0])
			v += zigzag>>1 ^ -(zigzag & 1)
			b = b[1:]
		} else {
			r.b = b
			v += uint64(r.varint())
			b = r.b
		}
		set(&rows[i], v)
	}
	r.b = b
}

// lsnUnit is 8 where all positions are multiples of it, as records' positions
// are, else 1. all is the positions, joined by or.
func lsnUnit(all pg.LSN) pg.LSN {
	if all%8 != 0 {
		return 1
	}
	return 8
}

func (r *columnReader) unit() pg.LSN {
	u := r.uvarint()
	if u != 1 && u != 8 {
		r.fail("unit of positions is neither 1 nor 8")
	}
	return pg.LSN(u)
}

func appendXIDs(dst []byte, xids []pg.XID) []byte {
	c := column{b: binary.AppendUvarint(dst, uint64(len(xids)))}
	for _, x := range xids {
		c.add(uint64(x))
	}
	return c.b
}

func (r *columnReader) xids() []pg.XID {
	n := r.count(1)
	if n > r.most.XIDs {
		r.fail(fmt.Sprintf("%d more identifiers, where the segment has room for %d", n, r.most.XIDs))
		return nil
	}
	if n == 0 {
		return nil
	}
	r.most.XIDs -= n
	xids := make([]pg.XID, n)
	readColumn(r, xids, func(x *pg.XID, v uint64) { *x = pg.XID(v) })
	return xids
}

func fromTime(t time.Time) uint64 { return uint64(t.UnixMicro()) }
func toTime(v uint64) time.Time   { return time.UnixMicro(int64(v)).UTC() }
