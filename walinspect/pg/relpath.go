package pg

import (
	"fmt"
	"strconv"
	"strings"
)

// RelFile is one file of a relation fork: the fork and the number of the
// relation segment, 0 for the first gigabyte.
type RelFile struct {
	RelFork
	Segment uint32
}

// TablespaceVersionDir is the directory that a server of that major and
// catalog version makes in each tablespace (TABLESPACE_VERSION_DIRECTORY in
// src/include/common/relpath.h).
func TablespaceVersionDir(major int, catalog uint32) string {
	return fmt.Sprintf("PG_%d_%d", major, catalog)
}

// Path is the file's name relative to the data directory (GetRelationPath in
// src/common/relpath.c). versionDir is needed for relations outside the two
// built-in tablespaces, see [TablespaceVersionDir].
func (f RelFile) Path(versionDir string) string {
	var b strings.Builder
	b.WriteString(DatabaseDir(f.Spc, f.DB, versionDir))
	fmt.Fprintf(&b, "/%d", f.Rel)
	if f.Fork != MainFork {
		b.WriteString("_" + f.Fork.String())
	}
	if f.Segment > 0 {
		fmt.Fprintf(&b, ".%d", f.Segment)
	}
	return b.String()
}

// DatabaseDir is the directory of a database in a tablespace, relative to the
// data directory (GetDatabasePath in src/common/relpath.c).
func DatabaseDir(spc, db OID, versionDir string) string {
	switch spc {
	case GlobalTablespace:
		return "global"
	case DefaultTablespace:
		return fmt.Sprintf("base/%d", db)
	}
	return fmt.Sprintf("pg_tblspc/%d/%s/%d", spc, versionDir, db)
}

// ParseRelPath reads a path relative to the data directory, with slashes. It
// accepts only what [RelFile.Path] prints, so leading zeros, suffixes and
// files of temporary relations are not relation files.
func ParseRelPath(path, versionDir string) (RelFile, bool) {
	parts := strings.Split(path, "/")
	var f RelFile
	var name string
	switch {
	case len(parts) == 2 && parts[0] == "global":
		f.Spc, name = GlobalTablespace, parts[1]
	case len(parts) == 3 && parts[0] == "base":
		f.Spc, f.DB, name = DefaultTablespace, OID(number(parts[1])), parts[2]
	case len(parts) == 5 && parts[0] == "pg_tblspc" && parts[2] == versionDir:
		f.Spc, f.DB, name = OID(number(parts[1])), OID(number(parts[3])), parts[4]
	default:
		return RelFile{}, false
	}
	name, segment, _ := strings.Cut(name, ".")
	name, fork, hasFork := strings.Cut(name, "_")
	if hasFork {
		var err error
		if f.Fork, err = ParseFork(fork); err != nil {
			return RelFile{}, false
		}
	}
	f.Rel = RelFileNumber(number(name))
	f.Segment = number(segment)
	if f.Rel == 0 || f.Path(versionDir) != path {
		return RelFile{}, false
	}
	return f, true
}

// number reads a decimal number, 0 where there is none; the comparison with
// the printed form catches what it lets through.
func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
