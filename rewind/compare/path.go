package compare

import (
	"path"
	"slices"
	"strings"

	"forkpoint/reports"
	"forkpoint/walinspect/datadir"
)

// ownDirs are directories whose content is each server's own, or is made anew
// when it starts.
var ownDirs = []string{"pg_wal", "log", "pg_log", "pg_stat", "pg_stat_tmp", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial",
	"pg_snapshots", "pg_subtrans", "pg_logical", "pgsql_tmp", "pgsql_tmp_forkpoint"}

// ownFiles are the same as single files.
var ownFiles = []string{"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "postmaster.pid", "postmaster.opts",
	"standby.signal", "recovery.signal", "recovery.done", "current_logfiles", "global/pg_control", "logfile", "server.log"}

// slruDirs hold transaction status in pages; the log says what is in them, but
// not which page.
var slruDirs = []string{"pg_xact", "pg_multixact", "pg_commit_ts"}

// own tells whether a file may differ whatever was logged.
func own(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	base := path.Base(name)
	switch {
	case slices.Contains(ownDirs, first), slices.Contains(ownFiles, name):
		return true
	case strings.HasPrefix(base, "backup_label"), strings.HasPrefix(base, "tablespace_map"), strings.HasPrefix(base, "backup_manifest"):
		return !strings.Contains(name, "/")
	case strings.HasPrefix(base, "pg_internal.init"), strings.HasPrefix(base, "pgsql_tmp"), strings.Contains(name, "/pgsql_tmp/"):
		return true
	case strings.HasSuffix(name, ".conf"), strings.HasSuffix(name, ".log"), strings.HasSuffix(name, ".tmp"):
		return true
	}
	return false
}

func slru(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(slruDirs, first)
}

// temporary tells whether a file belongs to a temporary relation: t, the
// session's number, an underscore and the relation's number.
func temporary(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "base/") && len(base) > 2 && base[0] == 't' && base[1] >= '0' && base[1] <= '9' && strings.Contains(base, "_")
}

// missing says why a file that is not compared by block is on one side only.
func (c *comparer) missing(f *datadir.File) reports.Reason {
	switch {
	case own(f.Path):
		return reports.ReasonLocal
	case temporary(f.Path):
		return reports.ReasonNotLogged
	case f.Size == 0 && f.Rel != nil:
		// The first file of a dropped relation stays, empty, until the next
		// checkpoint.
		return reports.ReasonNotLogged
	}
	return c.in.Evidence.any()
}
