package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"forkpoint/rewind"
	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
)

// isPgRewind tells whether the program was called under the name of
// pg_rewind, by a link or a copy.
func isPgRewind(argv0 string) bool {
	return strings.TrimSuffix(filepath.Base(argv0), ".exe") == "pg_rewind"
}

// runAsPgRewind serves callers that know nothing but pg_rewind: its options,
// its messages on stderr, its exit status 0 or 1, what it removes and what it
// overwrites. The journal is all that it keeps in addition.
func runAsPgRewind(ctx context.Context, app *app, args []string) int {
	p := &pgRewind{app: app, out: app.stderr}
	opts, err := parsePgRewind(args)
	if err == nil {
		switch {
		case opts.help:
			fmt.Fprint(app.stdout, pgRewindHelp)
			return 0
		case opts.version:
			fmt.Fprintf(app.stdout, "pg_rewind (PostgreSQL) %s\n", serverVersion())
			return 0
		}
		err = p.run(ctx, opts)
	}
	if err == nil {
		return 0
	}
	p.fail(ctx, err)
	return 1
}

// serverVersion is what the server beside this program says of itself, or the
// one that is found by PATH, for a pg_rewind is taken to be of one version; else
// the newest that is known.
func serverVersion() string {
	places := []string{"postgres"}
	if self, err := exec.LookPath(os.Args[0]); err == nil {
		places = []string{filepath.Join(filepath.Dir(self), "postgres"), "postgres"}
	}
	for _, place := range places {
		out, err := exec.Command(place, "--version").Output()
		if _, version, found := strings.Cut(strings.TrimSpace(string(out)), "(PostgreSQL) "); err == nil && found {
			return version
		}
	}
	return fmt.Sprint(pg.MaxMajor)
}

// pgRewind is one call under that name.
type pgRewind struct {
	app      *app
	out      io.Writer
	opts     *pgRewindOptions
	major    int // of the target; 0 until it is known
	dir      string
	progress *pgRewindProgress
}

func (p *pgRewind) run(ctx context.Context, opts *pgRewindOptions) error {
	p.opts = opts
	p.app.log = slog.New(&pgRewindLog{p: p, level: p.app.level})
	if err := checkPgRewind(opts.target); err != nil {
		return err
	}
	if opts.debug {
		p.app.level.Set(slog.LevelDebug)
	}
	if opts.dryRun {
		_, err := p.rewind(ctx, opts)
		return stopped(ctx, err)
	}
	c := change{target: opts.target, stateDir: stateDir("", opts.target), action: "rewind", phase: rewind.PhaseSurvey, commands: new(rewindOptions).commands}
	_, err := c.run(ctx, p.app, func() (*rewind.Result, error) { return p.rewind(ctx, opts) })
	return err
}

func (p *pgRewind) rewind(ctx context.Context, opts *pgRewindOptions) (*rewind.Result, error) {
	e, err := openEnds(ctx, p.app, endsOptions{
		target: opts.target, sourceDir: opts.sourceDir, sourceServer: opts.sourceServer,
		jobs: 2, dryRun: opts.dryRun,
	}, !opts.dryRun)
	if err != nil {
		return nil, err
	}
	defer e.close()
	p.major, p.dir = e.target.Major(), e.target.Path()
	p.progress = &pgRewindProgress{pgRewind: p, on: opts.progress}
	if opts.progress && opts.sourceServer != "" {
		p.info("connected to server")
	}
	if opts.dryRun && p.major >= 19 {
		p.info("executing in dry-run mode")
		p.line("detail: The target directory will not be modified.")
	}
	cfg := p.config(e)
	if opts.restoreWAL {
		restore, cleanup, err := restoreSource(e, opts.configFile, cfg.StateDir, opts.dryRun)
		if err != nil {
			return nil, err
		}
		defer cleanup()
		cfg.Archives = restore
	}
	result, err := rewind.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if result.Needed && result.DryRun {
		p.info("Done!")
	}
	for _, note := range result.Notes {
		p.line("detail: " + oneLine(note))
	}
	return result, nil
}

// checkPgRewind is what pg_rewind looks at first, in its words.
func checkPgRewind(dir string) error {
	if os.Geteuid() == 0 {
		return &rewind.PreflightError{Check: rewind.CheckUser, Side: rewind.Target}
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("could not read permissions of directory \"%s\": %s", dir, strerror(err))
	}
	control := dir + "/global/pg_control"
	if _, err := os.Stat(control); err != nil {
		return fmt.Errorf("could not open file \"%s\" for reading: %s", control, strerror(err))
	}
	return nil
}

// config is that of a rewind that does what pg_rewind does.
func (p *pgRewind) config(e *ends) rewind.Config {
	opts := p.opts
	cfg := rewind.Config{
		Target: e.target, Source: e.source, Known: e.digests(), StateDir: stateDir("", e.target.Path()),
		NewIndex: e.blocks,
		DryRun:   opts.dryRun, Rule: plan.Exact, WriteRecoveryConf: opts.recoveryConf,
		KeepForkSegment: true, Undo: true, UndoOptional: true, Sync: !opts.noSync, SyncFS: opts.syncMethod == "syncfs", AllowUnclean: !opts.noEnsure,
		DropUnknownWAL: true, AsRecovered: true, TrustHistory: true,
		Log: p.app.log, Event: p.event, Progress: p.progress.show,
	}
	cfg.Evidence = func(ctx context.Context, dir string, found *rewind.Examination) error {
		return saveReports(ctx, p.app, e, found, opts.sourceServer, dir)
	}
	return cfg
}

// event prints what pg_rewind prints at that point.
func (p *pgRewind) event(e rewind.Event) {
	lsn := e.LSN.Format(p.major)
	switch e.Kind {
	case rewind.EventSame:
		p.info("source and target cluster are on the same timeline")
	case rewind.EventNoRewind:
		p.info("no rewind required")
	case rewind.EventFork:
		p.info("servers diverged at WAL location %s on timeline %d", lsn, e.Timeline)
	case rewind.EventCheckpoint:
		p.info("rewinding from last common checkpoint at %s on timeline %d", lsn, e.Timeline)
	case rewind.EventPlan:
		p.progress.total = e.Bytes
		if p.opts.debug {
			p.filemap(e.Plan)
		}
		const mb = 1 << 20
		p.step("need to copy %d MB (total source directory size is %d MB)", e.Bytes/mb, e.Total/mb)
	case rewind.EventDone:
		p.info("Done!")
	case rewind.EventPhase:
		p.phase(e.Phase)
	}
}

func (p *pgRewind) phase(phase rewind.Phase) {
	switch phase {
	case rewind.PhaseIndex:
		p.step("reading WAL in target")
	case rewind.PhasePlan:
		p.step("reading source file list")
		p.step("reading target file list")
	case rewind.PhaseFinish:
		p.progress.end()
		p.step("creating backup label and updating control file")
	case rewind.PhaseSync:
		if !p.opts.noSync {
			p.step("syncing target data directory")
		}
	}
}

func (p *pgRewind) line(text string) { fmt.Fprintf(p.out, "pg_rewind: %s\n", text) }

func (p *pgRewind) info(format string, args ...any) { p.line(fmt.Sprintf(format, args...)) }

// step is a message that only --progress asks for.
func (p *pgRewind) step(format string, args ...any) {
	if p.opts.progress {
		p.info(format, args...)
	}
}

// fail says what went wrong, in the server's words where it has any.
func (p *pgRewind) fail(ctx context.Context, err error) {
	var usage *pgRewindUsage
	if errors.As(err, &usage) {
		if usage.text != "" {
			p.line(usage.text)
		}
		if usage.hint {
			p.usageHint()
		}
		return
	}
	level := "error: "
	if p.major == 13 || p.major == 14 {
		level = "fatal: "
	}
	var interrupted *rewind.InterruptedError
	if errors.As(err, &interrupted) {
		// The cause comes last: callers take the last line for it.
		p.line("detail: " + oneLine(interrupted.Hint()))
		p.line(level + oneLine(interrupted.Err.Error()))
		return
	}
	var refused *rewind.PreflightError
	if errors.As(err, &refused) {
		if texts := pgRewindTexts(refused, p.major); len(texts) > 0 {
			for _, text := range texts {
				p.line(level + text)
			}
			p.line("detail: " + oneLine(refused.Error()))
			p.hint(refused)
			return
		}
	}
	p.line(level + oneLine(err.Error()))
	p.hint(err)
}

func (p *pgRewind) hint(err error) {
	if hint := hintOf(err); hint != "" {
		p.line("hint: " + oneLine(hint))
	}
}

// usageHint has the form of the server's version, of which alone a pg_rewind
// would be; without a server beside that of the newer ones.
func (p *pgRewind) usageHint() {
	const try = `Try "pg_rewind --help" for more information.`
	if version := serverVersion(); strings.HasPrefix(version, "13") || strings.HasPrefix(version, "14") {
		fmt.Fprintln(p.out, try)
		return
	}
	p.line("hint: " + try)
}

// strerror is the C library's text for an error of the system.
func strerror(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	text := number.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }
