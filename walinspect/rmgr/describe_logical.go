package rmgr

import "fmt"

// describeReplOrigin is about how far replication from another server has come.
func describeReplOrigin(d *describer) {
	p := &d.main
	switch d.rec.Op() {
	case 0x00: // SET
		lsn, node, force := p.lsn(), p.u16(), p.u8()
		d.printf("set %d; lsn %s; force: %d", node, d.lsn(lsn), force)
	case 0x10: // DROP
		d.printf("drop %d", p.u16())
	}
}

// describeLogicalMsg is about a message that a session put into the log
// (xl_logical_message in src/include/replication/message.h): a database, a
// flag, two lengths, a prefix with its NUL, and the message.
func describeLogicalMsg(d *describer) {
	if d.rec.Op() != 0x00 {
		return
	}
	p := &d.main
	p.skip(4)
	transactional := p.flag()
	p.align(8)
	prefixLen, length := p.u64(), p.u64()
	if d.major == 13 {
		kind := "nontransactional"
		if transactional {
			kind = "transactional"
		}
		d.printf("%s message size %d bytes", kind, length)
		return
	}
	kind := "non-transactional"
	if transactional {
		kind = "transactional"
	}
	prefix := p.fixedString(p.size(prefixLen))
	d.printf("%s, prefix \"%s\"; payload (%d bytes): ", kind, prefix, length)
	d.out = fmt.Appendf(d.out, "% X", p.take(p.size(length)))
}

// size is a 64-bit length cut down to the bytes that are there.
func (p *payload) size(n uint64) int {
	if n > uint64(p.left()) {
		p.short = true
		return p.left()
	}
	return int(n)
}

// describeGeneric lists the stretches of a page that a generic record
// overwrites. It is the main data that the server reads here, and a generic
// record has none: the stretches are in its block data.
func describeGeneric(d *describer) {
	p := &d.main
	for p.left() > 0 {
		offset, length := p.u16(), p.u16()
		p.skip(int(length))
		d.printf("offset %d, length %d", offset, length)
		d.printIf(p.left() > 0, "; ")
	}
}
