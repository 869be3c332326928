package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/waltest"
)

// written is long ago, for a file that was written just now may still grow and
// is read again.
var written = time.Unix(1772334000, 0)

// scriptWAL writes three segments of 1 MB from 0/100000 on, the last one half
// full, into a folder:
//
//	wal DIR [timeline=N] [system=N] [flip=K] [remove=SEGMENT] [magic=SEGMENT]
//
// flip breaks the checksum of record K, remove leaves a segment out, magic
// gives its first page one that no version has.
func scriptWAL(ts *testscript.TestScript, _ bool, args []string) {
	opts := map[string]uint64{}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			ts.Fatalf("wal: %v", err)
		}
		opts[name] = n
	}
	b := waltest.New(waltest.Config{Major: 15, SystemID: opts["system"], Timeline: pg.TimelineID(opts["timeline"])})
	for i := 0; b.End() < 0x380000; i++ {
		tag := pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: pg.RelFileNumber(16384 + i%3)}}, Block: pg.BlockNumber(i / 3)}
		b.Append(waltest.Touch(pg.XID(700+i/10), tag))
		b.Append(waltest.Noop(3000))
	}
	log := b.Log()
	if k := opts["flip"]; k > 0 {
		log.Flip(log.Records[k] + 24)
	}
	if n := opts["remove"]; n > 0 {
		log.Remove(n)
	}
	if n := opts["magic"]; n > 0 {
		log.Put16(log.Geometry.SegmentSize.Start(n), 0xBEEF)
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	for n, name := range log.Segments() {
		file := filepath.Join(dir, name.Format(log.Geometry.SegmentSize))
		ts.Check(os.WriteFile(file, log.Segment(n), 0o600))
		ts.Check(os.Chtimes(file, written, written))
	}
	fmt.Fprintf(ts.Stdout(), "%d records to %s\n", len(log.Records), log.Records[len(log.Records)-1])
}
