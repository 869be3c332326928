package segment

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"forkpoint/walinspect/pg"
)

// OpenArchive makes a source of what lies at path, and finds out by itself what
// that is:
//
//   - a folder of segments, plain or compressed: what most archive_commands write
//   - the folder of a server in Barman's home, or its wals folder
//   - the archive of a stanza in a pgBackRest repository, or one history of it
//   - a WAL-G storage on a file system, or its wal_005 folder
//   - the home of Barman or a repository of pgBackRest, if it is of one server
//   - a tar file, such as pg_wal.tar of pg_basebackup
//
// Nothing of an archive is ever changed.
func OpenArchive(path string, size pg.SegmentSize) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return NewTar(path, size)
	}
	if isFolder(path, "wals") { // Barman; what it receives by streaming is not yet there
		return NewChain(NewTree(filepath.Join(path, "wals"), size), optional(filepath.Join(path, "streaming"), size)), nil
	}
	if isFolder(path, "wal_005") { // WAL-G
		return NewDir(filepath.Join(path, "wal_005"), size), nil
	}
	if history, err := pgBackRestHistory(path); err != nil || history != "" {
		return NewTree(history, size), err
	}
	folders, err := segmentFolders(path)
	if err != nil {
		return nil, err
	}
	if len(folders) > 0 {
		return NewTree(path, size), nil
	}
	switch servers := archivesIn(path); len(servers) {
	case 0:
		return NewDir(path, size), nil
	case 1:
		return OpenArchive(servers[0], size)
	default:
		return nil, fmt.Errorf("%s has the archives of several servers; name one: %s", path, strings.Join(servers, ", "))
	}
}

// archivesIn finds the archives of servers in Barman's home or in a repository
// of pgBackRest. A folder that has segments itself has none.
func archivesIn(path string) []string {
	var found []string
	for _, root := range []string{path, filepath.Join(path, "archive")} {
		entries, _ := os.ReadDir(root) // what cannot be read will be missed by the caller
		for _, e := range entries {
			folder := filepath.Join(root, e.Name())
			if name, _, _ := stem(e.Name()); pg.IsSegmentName(name) {
				return nil
			}
			if _, err := os.Stat(filepath.Join(folder, "archive.info")); err == nil || isFolder(folder, "wals") {
				found = append(found, folder)
			}
		}
	}
	return found
}

func isFolder(path, name string) bool {
	info, err := os.Stat(filepath.Join(path, name))
	return err == nil && info.IsDir()
}

// optional is a folder that may be missing; nil if it is.
func optional(path string, size pg.SegmentSize) Source {
	if !isFolder(path, "") {
		return nil
	}
	return NewDir(path, size)
}

// pgBackRestHistory finds the newest folder such as 15-1 in the archive of a
// stanza: major version and a number that grows with each upgrade. "" where
// path is not such an archive.
func pgBackRestHistory(path string) (string, error) {
	if _, err := os.Stat(filepath.Join(path, "archive.info")); err != nil {
		return "", nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	newest, name := 0, ""
	for _, e := range entries {
		_, number, found := strings.Cut(e.Name(), "-")
		if n, err := strconv.Atoi(number); found && err == nil && n > newest {
			newest, name = n, e.Name()
		}
	}
	if name == "" {
		return "", fmt.Errorf("%s is a pgBackRest archive without a folder such as 15-1", path)
	}
	return filepath.Join(path, name), nil
}
