package datadir

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// opened tells whether any process has a file of the data directory open for
// writing, as servers have shared catalogs and the segment that they write or
// receive. The kernel tells that of processes too whose numbers mean nothing
// here: those of another container that has the same volume. It does not of
// other machines, and of a server that has been idle from the start, without
// autovacuum and without logical replication, there is nothing to be seen.
func (d *Dir) opened() bool {
	for _, pattern := range []string{"global/*", "base/*/*", "pg_wal/*"} {
		names, err := filepath.Glob(d.join(pattern))
		if err != nil {
			continue // a pattern in the directory's own name
		}
		for _, name := range names {
			if telling(filepath.Base(name)) && openForWriting(name) {
				return true
			}
		}
	}
	return false
}

// telling is a catalog's file, or a segment's. There can be a million others.
func telling(name string) bool {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		const firstOfUsers = 16384 // FirstNormalObjectId in src/include/access/transam.h
		return n < firstOfUsers
	}
	return len(name) == 24 && strings.Trim(name, "0123456789ABCDEF") == ""
}

func openForWriting(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	return leaseRefused(f)
}
