package rmgr

import (
	"bytes"
	"encoding/binary"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// payload reads bytes from front to back. Beyond the end it reads zeros and
// remembers that it did, so that a decoder can be a plain list of fields and
// ask once, at its end, whether they were all there.
type payload struct {
	b     []byte
	at    int
	short bool
}

func mainData(rec *walinspect.Record) payload { return payload{b: rec.Main} }

// blockData is the data of the block reference with that id. A missing
// reference counts as one without data.
func blockData(rec *walinspect.Record, id uint8) (payload, bool) {
	for i := range rec.Blocks {
		if rec.Blocks[i].ID == id {
			return payload{b: rec.Blocks[i].Data}, rec.Blocks[i].HasData()
		}
	}
	return payload{}, false
}

// left is the number of bytes not yet read.
func (p *payload) left() int { return len(p.b) - p.at }

// take is the next n bytes, or nil where there are fewer.
func (p *payload) take(n int) []byte {
	if n < 0 || n > p.left() {
		p.at, p.short = len(p.b), true
		return nil
	}
	b := p.b[p.at : p.at+n]
	p.at += n
	return b
}

func (p *payload) skip(n int) { p.take(n) }

// align moves to the next multiple of n, counted from the start. Padding after
// the last field need not be there.
func (p *payload) align(n int) {
	p.at = min((p.at+n-1)/n*n, len(p.b))
}

func (p *payload) u8() uint8 {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *payload) u16() uint16 {
	if b := p.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (p *payload) u32() uint32 {
	if b := p.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (p *payload) u64() uint64 {
	if b := p.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (p *payload) i32() int32  { return int32(p.u32()) }
func (p *payload) flag() bool  { return p.u8() != 0 }
func (p *payload) oid() pg.OID { return pg.OID(p.u32()) }
func (p *payload) xid() pg.XID { return pg.XID(p.u32()) }
func (p *payload) lsn() pg.LSN { return pg.LSN(p.u64()) }
func (p *payload) time() stamp { return stamp(p.u64()) }

// locator is a RelFileLocator: tablespace, database, relation.
func (p *payload) locator() pg.RelFileLocator {
	return pg.RelFileLocator{Spc: p.oid(), DB: p.oid(), Rel: pg.RelFileNumber(p.u32())}
}

// fits is n as the length of an array of items of that size, cut down to the
// items that are there.
func (p *payload) fits(n, size int) int {
	if n < 0 || n > p.left()/size {
		p.short = true
		return max(0, min(n, p.left()/size))
	}
	return n
}

// count reads a 32-bit length and checks it like fits.
func (p *payload) count(size int) int { return p.fits(int(p.i32()), size) }

func (p *payload) xids(n int) []pg.XID {
	if n = p.fits(n, 4); n == 0 {
		return nil
	}
	xids := make([]pg.XID, n)
	for i := range xids {
		xids[i] = p.xid()
	}
	return xids
}

func (p *payload) locators(n int) []pg.RelFileLocator {
	if n = p.fits(n, 12); n == 0 {
		return nil
	}
	rels := make([]pg.RelFileLocator, n)
	for i := range rels {
		rels[i] = p.locator()
	}
	return rels
}

// cstring reads up to and with the next NUL. Without one it takes all there is.
func (p *payload) cstring() string {
	rest := p.b[p.at:]
	n := bytes.IndexByte(rest, 0)
	if n < 0 {
		p.at, p.short = len(p.b), true
		return string(rest)
	}
	p.at += n + 1
	return string(rest[:n])
}

// fixedString reads a char array of n bytes and cuts it at its first NUL.
func (p *payload) fixedString(n int) string {
	b := p.take(n)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// stamp is a TimestampTz: microseconds since 2000-01-01 00:00 UTC.
type stamp int64

// Distance from the Unix epoch to the one of PostgreSQL, in seconds.
const pgEpoch = 946684800

func (s stamp) Time() time.Time {
	return time.Unix(int64(s)/1e6+pgEpoch, int64(s)%1e6*1e3).UTC()
}
