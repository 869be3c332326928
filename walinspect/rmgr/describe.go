package rmgr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Style is how records are printed. The zero value prints times in UTC and
// takes data pages for 8 kB.
type Style struct {
	Zone      *time.Location // of times; pg_waldump prints local time
	BlockSize uint32         // of data pages, only used with Details
	Details   bool           // block references as pg_waldump -b prints them
}

// Describe is the text that pg_waldump of the record's version prints between
// "desc: " and the block references, byte for byte: the operation's name, a
// space, and what the payload says, if anything. Times are in UTC.
//
// A payload that is too short for its operation, which no server writes, is
// described as far as it goes and marked.
func Describe(rec *walinspect.Record) string { return Style{}.Describe(rec) }

// Describe is like the function [Describe], in this style.
func (s Style) Describe(rec *walinspect.Record) string {
	return string(s.appendDescription(nil, rec))
}

// truncated marks the description of a payload that is too short.
const truncated = " [payload is too short]"

// describers print what the payload says. A resource manager without one has
// nothing to say beyond the operation's name.
var describers = [...]func(*describer){
	pg.RmgrXLOG:       describeXLOG,
	pg.RmgrXact:       describeXact,
	pg.RmgrSmgr:       describeSmgr,
	pg.RmgrCLOG:       describeCLOG,
	pg.RmgrDbase:      describeDbase,
	pg.RmgrTblspc:     describeTblspc,
	pg.RmgrMultiXact:  describeMultiXact,
	pg.RmgrRelMap:     describeRelMap,
	pg.RmgrStandby:    describeStandby,
	pg.RmgrHeap2:      describeHeap2,
	pg.RmgrHeap:       describeHeap,
	pg.RmgrBtree:      describeBtree,
	pg.RmgrHash:       describeHash,
	pg.RmgrGin:        describeGin,
	pg.RmgrGist:       describeGist,
	pg.RmgrSeq:        describeSeq,
	pg.RmgrSPGist:     describeSPGist,
	pg.RmgrBRIN:       describeBRIN,
	pg.RmgrCommitTs:   describeCommitTs,
	pg.RmgrReplOrigin: describeReplOrigin,
	pg.RmgrGeneric:    describeGeneric,
	pg.RmgrLogicalMsg: describeLogicalMsg,
}

func (s Style) appendDescription(dst []byte, rec *walinspect.Record) []byte {
	dst = append(dst, OpName(rec)...)
	dst = append(dst, ' ')
	d := describer{out: dst, rec: rec, major: rec.Major(), zone: s.Zone, main: mainData(rec)}
	switch {
	case rec.Rmgr.Builtin():
		describers[rec.Rmgr](&d)
	case rec.Rmgr.Custom():
		d.printf("rmid: %d", rec.Rmgr)
	}
	if d.main.short || d.block.short {
		d.out = append(d.out, truncated...)
	}
	return d.out
}

// describer is one record being described.
type describer struct {
	out   []byte
	rec   *walinspect.Record
	major int
	zone  *time.Location
	main  payload
	block payload // data of the block reference that useBlock chose
}

func (d *describer) print(s string) { d.out = append(d.out, s...) }

func (d *describer) printf(format string, args ...any) {
	d.out = fmt.Appendf(d.out, format, args...)
}

// printIf prints s where the condition holds.
func (d *describer) printIf(cond bool, s string) {
	if cond {
		d.print(s)
	}
}

// op is the operation of a resource manager whose eighth info bit means
// something else.
func (d *describer) op() uint8 { return d.rec.Op() & 0x70 }

// useBlock makes the data of a block reference readable and tells whether
// there is any.
func (d *describer) useBlock(id uint8) bool {
	p, ok := blockData(d.rec, id)
	d.block = p
	return ok
}

// lsn is a log position as the record's version prints it.
func (d *describer) lsn(l pg.LSN) string { return l.Format(d.major) }

// time prints a timestamp like timestamptz_to_str in
// src/bin/pg_waldump/compat.c. Before the year 2000 the fraction is negative.
func (d *describer) time(s stamp) string {
	zone := d.zone
	if zone == nil {
		zone = time.UTC
	}
	t := time.Unix(int64(s)/1e6+pgEpoch, 0).In(zone)
	return fmt.Sprintf("%s.%06d %s", t.Format("2006-01-02 15:04:05"), int64(s)%1e6, t.Format("MST"))
}

// path is the file name of a relation fork, without its number of relation
// segment.
func (d *describer) path(rel pg.RelFork) string {
	catalog := pg.CatalogOfMajor(d.major)
	return pg.RelFile{RelFork: rel}.Path(pg.TablespaceVersionDir(d.major, catalog))
}

// array prints n items the way array_desc in
// src/backend/access/rmgrdesc/rmgrdesc_utils.c does.
func (d *describer) array(n int, item func()) {
	d.print(" [")
	for i := range n {
		if i > 0 {
			d.print(", ")
		}
		item()
	}
	d.print("]")
}

// offsets prints an array of line pointer numbers that p has next.
func (d *describer) offsets(p *payload, n int) {
	d.array(p.fits(n, 2), func() { d.out = strconv.AppendUint(d.out, uint64(p.u16()), 10) })
}

// yesNo is how PostgreSQL prints a C bool in most descriptions.
func yesNo(b bool) string {
	if b {
		return "T"
	}
	return "F"
}

// epochXID splits a 64-bit transaction identifier into epoch and xid.
func epochXID(full uint64) string { return fmt.Sprintf("%d:%d", full>>32, uint32(full)) }

// cFloat prints a double like printf with %g or %f.
func cFloat(f float64, verb byte) string {
	s := strconv.FormatFloat(f, verb, 6, 64)
	return strings.ToLower(strings.TrimPrefix(s, "+")) // not a number, infinity
}
