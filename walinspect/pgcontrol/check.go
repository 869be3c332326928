package pgcontrol

import (
	"fmt"
	"math"

	"forkpoint/walinspect/pg"
)

// check refuses what no server on a machine of ours can have written. All
// address arithmetic relies on the sizes that are checked here.
func (c *Control) check(float uint64) error {
	if c.MaxAlign != 8 {
		return &Error{FlawMachine, "maximum alignment", "8", utoa(c.MaxAlign)}
	}
	if f := math.Float64frombits(float); f != floatFormat {
		return &Error{FlawMachine, "floating point format", fmt.Sprint(floatFormat), fmt.Sprint(f)}
	}
	if !powerOfTwo(c.BlockSize, 1<<10, 1<<15) {
		return &Error{FlawGeometry, "block size", "a power of two from 1 kB to 32 kB", utoa(c.BlockSize)}
	}
	if !powerOfTwo(c.WALBlockSize, 1<<10, 1<<16) {
		return &Error{FlawGeometry, "WAL block size", "a power of two from 1 kB to 64 kB", utoa(c.WALBlockSize)}
	}
	if !c.SegmentSize.Valid() {
		return &Error{FlawGeometry, "WAL segment size", "a power of two from 1 MB to 1 GB", utoa(uint32(c.SegmentSize))}
	}
	if c.RelSegSize == 0 {
		return &Error{FlawGeometry, "relation segment size", "at least 1 block", "0"}
	}
	return nil
}

func powerOfTwo(n, least, most uint32) bool { return n >= least && n <= most && n&(n-1) == 0 }

// HintsLogged tells whether changes of hint bits leave an image of the page in
// the log, without which a rewind cannot know all pages that changed.
func (c *Control) HintsLogged() bool { return c.DataChecksums != 0 || c.WALLogHints }

// CurrentTimeline is the timeline the server was on. Right after a promotion
// the checkpoint still names the old one and the minimum recovery point the
// new one, so it is the later of both. (getTimelineHistory and main in
// src/bin/pg_rewind/pg_rewind.c, since version 16; it holds for all versions.)
func (c *Control) CurrentTimeline() pg.TimelineID {
	return max(c.MinRecoveryTimeline, c.CheckpointCopy.Timeline)
}

// VersionDir is the name of this version's directory in a tablespace.
func (c *Control) VersionDir() string { return pg.TablespaceVersionDir(c.Major, c.CatalogVersion) }
