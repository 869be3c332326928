package walinspect

import (
	"slices"

	"forkpoint/walinspect/pg"
)

// Low bits of a record's info byte (xlogrecord.h); the upper four belong to
// the resource manager.
const (
	infoSpecialRelUpdate uint8 = 0x01 // XLR_SPECIAL_REL_UPDATE
	infoCheckConsistency uint8 = 0x02 // XLR_CHECK_CONSISTENCY
	infoRmgrMask         uint8 = 0xF0
	maxBlockID                 = 32 // XLR_MAX_BLOCK_ID
	maxRecordLen               = 1<<30 - 1
	opSwitch             uint8 = 0x40 // XLOG_SWITCH
	opOverwrite          uint8 = 0xD0 // XLOG_OVERWRITE_CONTRECORD
)

// Record is one decoded record. Blocks, Main and what they point to belong to
// the reader and are valid until its next call; [Record.Clone] keeps them.
type Record struct {
	LSN      pg.LSN        // first byte
	End      pg.LSN        // where the next record's place begins; after a switch, the next segment
	Timeline pg.TimelineID // in the header of the page where the record starts
	Prev     pg.LSN        // start of the record before; 0 for the first of a cluster

	XID, TopXID pg.XID // TopXID only with HasTopXID
	Origin      uint16 // replication origin, only with HasOrigin
	Rmgr        pg.RmgrID
	Info        uint8 // all eight bits, see Op
	HasTopXID   bool
	HasOrigin   bool

	TotalLen uint32 // with the header, without padding
	CRC      uint32
	Layout   *Layout

	Blocks []BlockRef // in the order of their ids
	Main   []byte     // main data

	raw []byte
}

// Op is the resource manager's part of Info.
func (r *Record) Op() uint8 { return r.Info & infoRmgrMask }

// Major is the server version whose format the record has.
func (r *Record) Major() int { return r.Layout.Major }

// Special tells whether the record changes relation files in ways that its
// block references do not show (XLR_SPECIAL_REL_UPDATE).
func (r *Record) Special() bool { return r.Info&infoSpecialRelUpdate != 0 }

// ChecksConsistency tells whether images are attached only to be compared
// with the result of replay (XLR_CHECK_CONSISTENCY).
func (r *Record) ChecksConsistency() bool { return r.Info&infoCheckConsistency != 0 }

// IsSwitch tells whether the rest of the segment is given up after the record.
func (r *Record) IsSwitch() bool { return r.Rmgr == pg.RmgrXLOG && r.Op() == opSwitch }

// IsOverwrite tells whether the record stands where the continuation of
// another was lost (XLOG_OVERWRITE_CONTRECORD).
func (r *Record) IsOverwrite() bool { return r.Rmgr == pg.RmgrXLOG && r.Op() == opOverwrite }

// Raw is the record as it is stored, header and body without page headers,
// under the same lifetime as Main. It is nil for a record made by hand.
func (r *Record) Raw() []byte { return r.raw }

// Clone is a copy that shares nothing with the reader.
func (r *Record) Clone() *Record {
	c := *r
	c.Main = slices.Clone(r.Main)
	c.raw = slices.Clone(r.raw)
	c.Blocks = slices.Clone(r.Blocks)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		b.Data = slices.Clone(b.Data)
		b.Image.Data = slices.Clone(b.Image.Data)
	}
	return &c
}
