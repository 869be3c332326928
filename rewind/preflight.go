package rewind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"forkpoint/blockmap"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
)

// checkTarget refuses what must not be touched at all.
func (r *run) checkTarget(context.Context) error {
	if os.Geteuid() == 0 {
		return &PreflightError{Check: CheckUser, Side: Target,
			Found: "running as root, whose files the server could not use afterwards",
			Want:  "the user that owns " + r.cfg.Target.Path(), Next: "run as that user, for example with sudo -u postgres"}
	}
	if pid, running := r.cfg.Target.Running(); running && pid == 0 {
		return &PreflightError{Check: CheckRunning, Side: Target, Path: filepath.Join(r.cfg.Target.Path(), target.LockFile),
			Found: target.LockFile + " does not say which process it is of: a server is just starting, or the machine has crashed",
			Want:  "a stopped server", Next: "if no server runs in " + r.cfg.Target.Path() + ", remove the file"}
	} else if running {
		return &PreflightError{Check: CheckRunning, Side: Target,
			Found: fmt.Sprintf("a server with process %d is running in %s", pid, r.cfg.Target.Path()),
			Want:  "a stopped server", Next: fmt.Sprintf("stop it with pg_ctl stop -m fast -D %s, in the container where it runs if no process here has that number", segment.ShellWord(r.cfg.Target.Path()))}
	}
	return r.checkOwner()
}

// checkSides compares the two control files.
func (r *run) checkSides(context.Context) error {
	t, s := r.sit.target.control, r.sit.source.control
	switch {
	case t.SystemID != s.SystemID && t.Major != s.Major:
		return &PreflightError{Check: CheckSystem, Side: Target,
			Found: fmt.Sprintf("system identifier %d of PostgreSQL %d; the source has %d of PostgreSQL %d", t.SystemID, t.Major, s.SystemID, s.Major),
			Want:  "two clusters that came from one initdb", Next: "a node from before an upgrade, or of another cluster, needs a new base backup"}
	case t.SystemID != s.SystemID:
		return &PreflightError{Check: CheckSystem, Side: Target,
			Found: fmt.Sprintf("system identifier %d; the source has %d", t.SystemID, s.SystemID),
			Want:  "two clusters that came from one initdb", Next: "check that both addresses are those you meant; a node of another cluster needs a new base backup"}
	case t.Major != s.Major || t.CatalogVersion != s.CatalogVersion:
		return &PreflightError{Check: CheckVersion, Side: Target,
			Found: fmt.Sprintf("PostgreSQL %d, catalog %d; the source has PostgreSQL %d, catalog %d", t.Major, t.CatalogVersion, s.Major, s.CatalogVersion),
			Want:  "the same major version on both sides", Next: "a node of another major version needs a new base backup"}
	case t.SegmentSize != s.SegmentSize || t.BlockSize != s.BlockSize || t.RelSegSize != s.RelSegSize || t.WALBlockSize != s.WALBlockSize:
		return &PreflightError{Check: CheckGeometry, Side: Target,
			Found: "block or segment sizes unlike the source's", Want: "the same sizes on both sides"}
	}
	return r.checkStates(t, s)
}

func (r *run) checkStates(t, s *pgcontrol.Control) error {
	if r.cfg.Source.Kind() == source.Directory && !s.State.Clean() {
		return &PreflightError{Check: CheckState, Side: Source,
			Found: fmt.Sprintf("the server in %s was not shut down cleanly (it was %s)", r.cfg.Source, s.State),
			Want:  "a server that was shut down", Next: "start and stop it once, or give it as a running server with --source-server"}
	}
	if !t.State.Clean() && !r.cfg.AllowUnclean {
		return &PreflightError{Check: CheckState, Side: Target,
			Found: fmt.Sprintf("the server was not shut down cleanly (it was %s)", t.State),
			Want:  "a clean shutdown", Next: "run without --no-ensure-shutdown, or start and stop the server once"}
	}
	if !t.HintsLogged() {
		return &PreflightError{Check: CheckHints, Side: Target,
			Found: "neither data checksums nor wal_log_hints was on, so pages changed without any log of it",
			Want:  "data checksums, or wal_log_hints = on since before the fork", Next: "this node needs a new base backup; switch wal_log_hints on for the next time"}
	}
	if t.DataChecksums != s.DataChecksums {
		return &PreflightError{Check: CheckChecksums, Side: Target,
			Found: fmt.Sprintf("data checksum version %d; the source has %d", t.DataChecksums, s.DataChecksums),
			Want:  "the same on both sides: pages that stay and pages that are copied would not fit together",
			Next:  "bring both to one setting with pg_checksums while they are stopped"}
	}
	if t.DataChecksums > 1 {
		return &PreflightError{Check: CheckChecksums, Side: Target,
			Found: fmt.Sprintf("data checksum version %d, which is not known", t.DataChecksums), Want: "0 (off) or 1 (on)"}
	}
	return nil
}

// checkEvidence refuses where some part of the log that decides about blocks
// is not proven, or shows that changes went unlogged; and chooses the rule.
func (r *run) checkEvidence(ctx context.Context) error {
	s := &r.sit
	for _, facts := range []*Facts{s.before, s.after} {
		if len(facts.Gaps) > 0 {
			return &PreflightError{Check: CheckCoverage, Side: Target, LSN: facts.Gaps[0].Span.From, Path: r.missingFile(facts),
				Found: "what changed is not proven for all of its WAL since the last common checkpoint (" + gapText(facts) + ")",
				Want:  fmt.Sprintf("WAL, or an index of it, for %s to %s", s.common.Redo, s.targetEnd),
				Next:  "restore the missing segments into the target's pg_wal, or name an archive or restore_command that has them"}
		}
	}
	if s.targetEnd > s.fork.LSN && s.after.End < s.targetEnd {
		return &PreflightError{Check: CheckCoverage, Side: Target, LSN: s.after.End,
			Found: fmt.Sprintf("its WAL can be read up to %s only (%s)", s.after.End, gapText(s.after)),
			Want:  fmt.Sprintf("WAL up to %s, where it stopped", s.targetEnd),
			Next:  "restore the segment from the archive; forkpoint inspect --check shows what survives"}
	}
	if err := r.checkUnlogged(); err != nil {
		return err
	}
	s.rule = r.cfg.Rule
	if s.rule == "" {
		s.rule = plan.Exact
	}
	if !fullPagesKept(s.common, s.before) {
		s.rule = plan.Classic // replay cannot be relied on to restore pages
		r.note("full_page_writes was off between redo and fork: every block touched since is copied")
	}
	return r.checkSourceFullPages(ctx)
}

// checkUnlogged looks for settings in the used log under which the target
// changed pages without logging them. Today's control file does not tell.
func (r *run) checkUnlogged() error {
	checksums := r.sit.target.control.DataChecksums == 1
	begin := r.geometry().RecordStart(r.sit.common.End)
	for _, facts := range []*Facts{r.sit.before, r.sit.after} {
		for _, e := range facts.Events {
			if e.Kind != blockmap.ParameterChange || e.Parameters == nil || e.LSN < r.sit.common.LSN {
				continue
			}
			if e.Parameters.WALLevel == int32(pgcontrol.WALLevelMinimal) {
				return &PreflightError{Check: CheckWALLevel, Side: Target, LSN: e.LSN,
					Found: fmt.Sprintf("wal_level was minimal from %s on, so bulk changes went unlogged", e.LSN),
					Want:  "wal_level = replica or logical", Next: "this node needs a new base backup"}
			}
			// The record tells the setting from here on. What it was before is
			// known only where nothing happened before: the server had just
			// started from the common checkpoint.
			if checksums || e.Parameters.WALLogHints && e.LSN == begin {
				continue
			}
			when := "from %s on"
			if e.Parameters.WALLogHints {
				when = "possibly before %s, where settings changed"
			}
			return &PreflightError{Check: CheckHints, Side: Target, LSN: e.LSN,
				Found: fmt.Sprintf("wal_log_hints was off "+when+", so pages may have changed without any log of it", e.LSN),
				Want:  "wal_log_hints = on from the last common checkpoint to the end", Next: "this node needs a new base backup"}
		}
	}
	return nil
}

// fullPagesKept tells whether every page's first change since the checkpoint's
// redo point carries an image.
func fullPagesKept(c blockCheckpoint, facts *Facts) bool {
	if !c.FullPageWrites {
		return false
	}
	for _, other := range facts.Checkpoints {
		if !other.FullPageWrites {
			return false
		}
	}
	for _, e := range facts.Events {
		if e.Kind == blockmap.FullPageWritesChange && !e.On {
			return false
		}
	}
	return true
}

// checkSourceFullPages asks a running source: pages that it writes while they
// are read arrive torn, and only images in its log mend them.
func (r *run) checkSourceFullPages(ctx context.Context) error {
	on, err := r.cfg.Source.FullPageWrites(ctx)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if !on {
		return &PreflightError{Check: CheckFullPages, Side: Source,
			Found: "full_page_writes is off", Want: "on, or pages that change while they are copied stay torn",
			Next: "set full_page_writes = on at the source, reload, and CHECKPOINT there"}
	}
	return nil
}
