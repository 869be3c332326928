package plan

import (
	"path"
	"slices"
	"strings"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// Names that a rewind neither copies nor keeps (excludeFiles and
// excludeDirContents in src/bin/pg_rewind/filemap.c). The server makes them
// anew or must not find them.
var (
	excludedNames = []string{
		"postgresql.auto.conf.tmp", "current_logfiles.tmp", "backup_label",
		"tablespace_map", "backup_manifest", "postmaster.pid", "postmaster.opts",
	}
	excludedContents = []string{
		"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots",
		"pg_stat_tmp", "pg_subtrans",
	}
)

// reservedNames are handled by the rewind itself: the control file and the
// label are its last acts, and the lock file says that it is at work.
var reservedNames = []string{"global/pg_control", "backup_label", "postmaster.pid"}

// localNames stay as the target has them unless the caller wants pg_rewind's
// behaviour: they say who this node is, and the source's would make it claim
// to be the other one.
var localNames = []string{
	"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf",
	"standby.signal", "server.key", "server.crt", "root.crt", "root.crl",
	"current_logfiles", "log", "log/**", "pg_log", "pg_log/**",
}

// LocalNames is what a target keeps by default, as globs for [Input.Keep].
func LocalNames() []string { return slices.Clone(localNames) }

// excluded tells whether the file belongs to those a rewind drops.
func excluded(p string) bool {
	if strings.Contains("/"+p, "/pgsql_tmp") {
		return true
	}
	name := path.Base(p)
	if slices.Contains(excludedNames, name) || strings.HasPrefix(name, "pg_internal.init") {
		return true
	}
	top, rest, nested := strings.Cut(p, "/")
	return nested && rest != "" && slices.Contains(excludedContents, top)
}

// ignored tells whether the file is none of our business on either side.
func ignored(f *datadir.File) bool {
	return f != nil && (strings.Contains(f.Path, ".DS_Store") || path.Base(f.Path) == "lost+found" ||
		f.Kind == datadir.Other)
}

// temporary tells whether the path is that of a temporary relation's file,
// t<backend>_<relation>, which no other server can use.
func temporary(p string) bool {
	rest, isTemp := strings.CutPrefix(path.Base(p), "t")
	if !isTemp || !strings.HasPrefix(p, "base/") && !strings.HasPrefix(p, "pg_tblspc/") {
		return false
	}
	backend, rel, found := strings.Cut(rest, "_")
	return found && startsWithDigits(backend) && startsWithDigits(rel)
}

func startsWithDigits(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

// keeps tells whether one of the globs names the path. A glob without a slash
// is for the top of the data directory; one that ends in /** covers all below.
func keeps(globs []string, p string) bool {
	for _, glob := range globs {
		if dir, all := strings.CutSuffix(glob, "/**"); all {
			if strings.HasPrefix(p, dir+"/") {
				return true
			}
			continue
		}
		if matched, err := path.Match(glob, p); err == nil && matched {
			return true
		}
	}
	return false
}

// walFile tells what a path in pg_wal is: the segment's or history file's
// name, and whether it is the archiver's mark for one.
func walFile(p string) (name string, mark, ok bool) {
	rest, inWAL := strings.CutPrefix(p, "pg_wal/")
	if !inWAL {
		return "", false, false
	}
	if base, isMark := strings.CutPrefix(rest, "archive_status/"); isMark {
		base = strings.TrimSuffix(strings.TrimSuffix(base, ".ready"), ".done")
		return base, true, base != ""
	}
	return rest, false, !strings.Contains(rest, "/")
}

// transient tells whether a name in pg_wal is one that a running server writes
// for a moment, or a segment that was set aside incomplete: no use to a target.
func transient(name string) bool {
	return strings.HasPrefix(name, "xlogtemp.") || name == "RECOVERYXLOG" || name == "RECOVERYHISTORY" ||
		strings.HasSuffix(name, ".partial") || name == "summaries/temp.summary"
}

// segmentOf reads the name of a segment in pg_wal.
func segmentOf(name string, size pg.SegmentSize) (pg.SegmentName, bool) {
	if !pg.IsSegmentName(name) {
		return pg.SegmentName{}, false
	}
	n, err := pg.ParseSegmentName(name, size)
	return n, err == nil
}
