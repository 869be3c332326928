package datadir

import (
	"os"
	"path/filepath"
	"slices"
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
	folders := []string{"global", "pg_wal"}
	databases, _ := os.ReadDir(d.join("base")) // a server cannot be without
	for _, db := range databases {
		folders = append(folders, filepath.Join("base", db.Name()))
	}
	return slices.ContainsFunc(folders, func(folder string) bool { return anyOpened(d.join(folder)) })
}

// anyOpened reads the folder in pieces, for it may have a million files.
func anyOpened(folder string) bool {
	f, err := os.Open(folder)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if telling(name) && openForWriting(filepath.Join(folder, name)) {
				return true
			}
		}
		if err != nil {
			return false // io.EOF, mostly
		}
	}
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
