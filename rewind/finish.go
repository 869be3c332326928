package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgcontrol"
)

// finish brings the target to where one rename makes it startable: the rest of
// the source's log, recovery settings, everything on disk, control file.
func (r *run) finish(ctx context.Context) error {
	raw, control, err := r.cfg.Source.Control(ctx)
	if err != nil {
		return fmt.Errorf("source: read control file again: %w", err)
	}
	end, err := r.minRecoveryPoint(ctx, control)
	if err != nil {
		return err
	}
	if end, err = r.completeWAL(ctx, end); err != nil {
		return err
	}
	if r.cfg.WriteRecoveryConf {
		if err := r.writeRecoveryConf(r.replaceSent); err != nil {
			return err
		}
	}
	edits := pgcontrol.Edits{
		State: pgcontrol.InArchiveRecovery, Time: r.cfg.Now(),
		MinRecoveryPoint: end.LSN, MinRecoveryTimeline: end.Timeline,
	}
	patched, err := pgcontrol.Patch(raw, edits)
	if err != nil {
		return fmt.Errorf("source: control file: %w", err)
	}
	r.result.MinRecovery = end.LSN
	return r.edit.Replace(datadir.ControlFile, patched, r.target.FileMode())
}

// replaceSent replaces a file that may have come from the source before.
func (r *run) replaceSent(name string, data []byte, mode fs.FileMode) error {
	if err := r.sent.gone(name); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	return r.edit.Replace(name, data, mode)
}

// commit makes everything durable and lets servers start.
func (r *run) commit(ctx context.Context) error {
	if err := r.sent.end(); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	if err := r.timed(PartFlush, func() error { return r.edit.Finish(ctx, r.label()) }); err != nil {
		return err
	}
	r.changed = false
	r.result.Written.PreImages = r.journal.Size()
	r.tell(Event{Kind: EventDone})
	return nil
}

// minRecoveryPoint is how far the target must replay before it is consistent
// with what was copied from the source (perform_rewind in
// src/bin/pg_rewind/pg_rewind.c).
func (r *run) minRecoveryPoint(ctx context.Context, now *pgcontrol.Control) (source.Position, error) {
	before := r.sit.source.control
	if now.SystemID != before.SystemID {
		return source.Position{}, &PreflightError{Check: CheckSourceMoved, Side: Source,
			Found: fmt.Sprintf("system identifier %d, it was %d when the run began", now.SystemID, before.SystemID)}
	}
	if r.cfg.Source.Kind() == source.Directory && (now.Checkpoint != before.Checkpoint || now.State != before.State || !now.Time.Equal(before.Time)) {
		return source.Position{}, &PreflightError{Check: CheckSourceMoved, Side: Source,
			Found: "a server ran in the source's data directory during the rewind",
			Want:  "a source that stays stopped", Next: "stop it and run the same command again"}
	}
	end, err := r.cfg.Source.EndOfWAL(ctx)
	if err != nil {
		return end, fmt.Errorf("source: find end of WAL: %w", err)
	}
	// A standby that has just followed its primary to a new timeline may have
	// its minimum recovery point on the one before.
	if step, known := r.sit.source.path.Step(end.Timeline); !known || end.LSN > step.End {
		return end, &PreflightError{Check: CheckSourceMoved, Side: Source,
			Found: fmt.Sprintf("it went from timeline %d to %d during the rewind", r.sit.source.timeline, end.Timeline),
			Want:  "a source that stays on its timeline", Next: "run the same command again: it resumes with the new timeline"}
	}
	return end, nil
}

// label is what tells the server where to start replay (createBackupLabel in
// src/bin/pg_rewind/pg_rewind.c). The server reads the first two lines word
// for word and takes "standby" to mean that the minimum recovery point of the
// control file is where the copy becomes consistent.
func (r *run) label() []byte {
	p := r.plan.Label
	major := r.sit.source.control.Major
	size := r.sit.source.control.SegmentSize
	var b strings.Builder
	fmt.Fprintf(&b, "START WAL LOCATION: %s (file %s)\n", p.Redo.Format(major), size.Name(p.Timeline, size.Number(p.Redo)))
	fmt.Fprintf(&b, "CHECKPOINT LOCATION: %s\n", p.LSN.Format(major))
	b.WriteString("BACKUP METHOD: pg_rewind\n")
	b.WriteString("BACKUP FROM: standby\n")
	fmt.Fprintf(&b, "START TIME: %s\n", r.cfg.Now().Format("2006-01-02 15:04:05 MST"))
	return []byte(b.String())
}

// writeRecoveryConf makes the target a standby of the source (-R): the signal
// file, and the connection appended to postgresql.auto.conf, where the last
// line of a name counts (WriteRecoveryConfig in src/fe_utils/recovery_gen.c).
func (r *run) writeRecoveryConf(replace func(name string, data []byte, mode fs.FileMode) error) error {
	conninfo, err := r.recoveryConninfo()
	if err != nil {
		return err
	}
	const conf = "postgresql.auto.conf"
	old, err := r.cfg.Target.ReadFile(conf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("target: %w", err)
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	line := "primary_conninfo = " + source.QuoteSetting(conninfo) + "\n"
	if !strings.HasSuffix(text, line) {
		text += line
	}
	if err := replace(conf, []byte(text), r.target.FileMode()); err != nil {
		return err
	}
	r.result.Recovery = true
	return replace("standby.signal", nil, r.target.FileMode())
}

func (r *run) recoveryConninfo() (string, error) {
	live, ok := r.cfg.Source.(interface{ RecoveryConninfo() string })
	if !ok {
		return "", &PreflightError{Check: CheckSourceMoved, Side: Source,
			Found: "a data directory has no connection to write into the recovery settings",
			Want:  "a running source, given with --source-server"}
	}
	return live.RecoveryConninfo(), nil
}
