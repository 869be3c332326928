package main

import (
	"github.com/spf13/pflag"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// recordFilter picks records, by the rules of pg_waldump. A record passes if it
// meets every condition that was given; relation, fork and block must be those
// of one and the same reference.
type recordFilter struct {
	rmgrs    rmgrFlag
	xid      uint32
	relation relationChoice
	fork     forkFlag
	block    int64 // -1 for any
	fullPage bool
}

func (f *recordFilter) addFlags(fs *pflag.FlagSet) {
	fs.VarP(&f.rmgrs, "rmgr", "r", "only records of these resource managers; `NAME`s separated by commas")
	fs.Uint32VarP(&f.xid, "xid", "x", 0, "only records of this transaction; its own `XID`, not its parent's")
	fs.VarP(&f.relation, "relation", "R", "only records with a block of this `RELATION`: tablespace/database/relation by number, or [[database.]schema.]name")
	fs.VarP(&f.fork, "fork", "F", "only records with a block of this fork; `main`, fsm, vm or init")
	fs.Int64VarP(&f.block, "block", "B", -1, "only records with this `block`; goes with --relation")
	fs.BoolVarP(&f.fullPage, "fullpage", "w", false, "only records with a full-page image")
}

// active tells whether any record could be left out.
func (f *recordFilter) active() bool {
	return len(f.rmgrs) > 0 || f.xid != 0 || f.aboutBlocks()
}

func (f *recordFilter) aboutBlocks() bool {
	return f.relation.set || f.fork.set || f.block >= 0 || f.fullPage
}

func (f *recordFilter) match(rec *walinspect.Record) bool {
	if len(f.rmgrs) > 0 && !f.rmgrs[rec.Rmgr] || f.xid != 0 && uint32(rec.XID) != f.xid {
		return false
	}
	if !f.aboutBlocks() {
		return true
	}
	found, image := false, !f.fullPage
	for i := range rec.Blocks {
		found = found || f.matchBlock(&rec.Blocks[i])
		image = image || rec.Blocks[i].HasImage()
	}
	return found && image
}

func (f *recordFilter) matchBlock(b *walinspect.BlockRef) bool {
	return (!f.relation.set || f.relation.storage[b.Tag.RelFileLocator]) &&
		(!f.fork.set || b.Tag.Fork == f.fork.ForkNumber) &&
		(f.block < 0 || b.Tag.Block == pg.BlockNumber(f.block))
}
