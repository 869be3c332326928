package main

import (
	"fmt"

	"forkpoint/rewind"
	"forkpoint/rewind/plan"
)

// pgRewindTexts are the messages that pg_rewind has for a precondition, and
// that callers look for; none where it does not know the precondition.
func pgRewindTexts(e *rewind.PreflightError, major int) []string {
	quoted := func(name string) string {
		if major >= 17 {
			return `"` + name + `"`
		}
		return name
	}
	switch e.Check {
	case rewind.CheckUser:
		return []string{`cannot be executed by "root"`}
	case rewind.CheckSystem:
		return []string{"source and target clusters are from different systems"}
	case rewind.CheckVersion:
		return []string{"clusters are not compatible with this version of pg_rewind"}
	case rewind.CheckHints:
		return []string{`target server needs to use either data checksums or "wal_log_hints = on"`}
	case rewind.CheckAncestor:
		return []string{"could not find common ancestor of the source and target cluster's timelines"}
	case rewind.CheckState, rewind.CheckRunning:
		if e.Side == rewind.Source {
			return []string{"source data directory must be shut down cleanly"}
		}
		return []string{"target server must be shut down cleanly"}
	case rewind.CheckFileType:
		return []string{fmt.Sprintf("file \"%s\" is of different type in source and target", e.Path)}
	case rewind.CheckFullPages:
		return []string{quoted("full_page_writes") + " must be enabled in the source server"}
	case rewind.CheckCheckpoint, rewind.CheckCoverage:
		if e.Path == "" {
			return nil
		}
		what := "read"
		if e.Check == rewind.CheckCheckpoint {
			what = "find previous"
		}
		return []string{
			fmt.Sprintf("could not open file %q: No such file or directory", e.Path),
			fmt.Sprintf("could not %s WAL record at %s", what, e.LSN.Format(major)),
		}
	}
	return nil
}

// filemap prints what --debug shows of the plan.
func (p *pgRewind) filemap(pl *plan.Plan) {
	debug := func(format string, args ...any) { p.line("debug: " + fmt.Sprintf(format, args...)) }
	for _, path := range pl.KeptWAL {
		debug("Not removing file \"%s\" because it is required for recovery", path)
	}
	for _, path := range pl.SharedWAL {
		debug("%s (NONE)", path)
	}
	for i := range pl.Actions {
		debug("%s (%s)", pl.Actions[i].Path, pgRewindAction(&pl.Actions[i]))
	}
}

// pgRewindAction is what pg_rewind calls an action.
func pgRewindAction(a *plan.Action) string {
	switch a.Kind {
	case plan.MakeDir, plan.MakeLink:
		return "CREATE"
	case plan.SetAside, plan.RemoveDir:
		return "REMOVE"
	case plan.Blocks:
		switch {
		case a.TargetSize < a.Size:
			return "COPY_TAIL"
		case a.TargetSize > a.Size:
			return "TRUNCATE"
		}
		return "NONE"
	}
	return "COPY"
}

// pgRewindProgress prints the counter of --progress.
type pgRewindProgress struct {
	*pgRewind
	on    bool
	total int64
	open  bool // a line that is being rewritten
	last  int64
}

func (p *pgRewindProgress) show(now rewind.Progress) {
	if !p.on || now.Phase != rewind.PhaseCopy || now.Total == 0 {
		return
	}
	percent := now.Done * 100 / now.Total
	if percent == p.last && now.Done < now.Total {
		return
	}
	p.last = percent
	total := fmt.Sprint(now.Total / 1024)
	end := "\n"
	if p.app.interactive {
		end = "\r"
	}
	p.open = p.app.interactive
	fmt.Fprintf(p.out, "%*d/%s kB (%d%%) copied%s", len(total), now.Done/1024, total, percent, end)
}

func (p *pgRewindProgress) end() {
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
}

const pgRewindHelp = `pg_rewind resynchronizes a PostgreSQL cluster with another copy of the cluster.

Usage:
  pg_rewind [OPTION]...

Options:
  -c, --restore-target-wal       fetch WAL that is missing with restore_command of
                                 the target's configuration
  -D, --target-pgdata=DIRECTORY  data directory to change
      --source-pgdata=DIRECTORY  stopped data directory to synchronize with
      --source-server=CONNSTR    running server to synchronize with
  -n, --dry-run                  change nothing
  -N, --no-sync                  do not wait until everything is on disk
  -P, --progress                 write progress messages
  -R, --write-recovery-conf      write the settings of a standby
                                 (needs --source-server)
      --config-file=FILENAME     main configuration file of the target
      --debug                    write debug messages
      --no-ensure-shutdown       refuse a target that was not shut down cleanly
      --sync-method=METHOD       fsync or syncfs
  -V, --version                  print the version and end
  -?, --help                     print this help and end

This is forkpoint under the name of pg_rewind. "forkpoint rewind --help" tells of
what else it can do: it resumes what was interrupted, and undoes.
`
