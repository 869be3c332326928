package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
)

type rewindOptions struct {
	ends        endsOptions
	keep        []string
	overwrite   bool
	tablespaces map[string]string
	rule        plan.Rule
	syncMethod  syncMethod
	format      render.Format
	deadline    durationFlag

	dryRun       bool
	progress     bool
	recoveryConf bool
	noSync       bool
	debug        bool
	noEnsure     bool
	noUndo       bool
	resume       bool
	undo         bool
	verify       bool
}

func (o *rewindOptions) addFlags(fs *pflag.FlagSet) {
	o.ends.addFlags(fs)
	o.ends.idle, o.ends.retry = durationFlag(2*time.Minute), durationFlag(time.Minute)
	fs.Var(&o.ends.idle, "idle-timeout", "take a connection for lost on which nothing came for this `time`")
	fs.Var(&o.ends.retry, "retry-for", "try for this `time` to reach a source again that was lost")
	fs.Var(&o.deadline, "deadline", "stop cleanly when the run has taken this `time`")
	fs.Var(&o.ends.wait, "wait", "wait this `time` for a source that is still starting up")
	fs.Var(&o.ends.rate, "max-rate", "copy no more than this `size` per second from a running source")
	fs.BoolVarP(&o.dryRun, "dry-run", "n", false, "decide and print the plan, change nothing")
	fs.BoolVarP(&o.progress, "progress", "P", false, "show progress where stderr is no terminal")
	fs.BoolVarP(&o.recoveryConf, "write-recovery-conf", "R", false, "make the target a standby of --source-server: standby.signal and primary_conninfo")
	fs.BoolVar(&o.noEnsure, "no-ensure-shutdown", false, "refuse a target that was not shut down cleanly, instead of going by its log")
	fs.BoolVarP(&o.noSync, "no-sync", "N", false, "do not wait until everything is on disk; only for tests")
	fs.Var(&o.syncMethod, "sync-method", "how to force data to disk: `fsync` or syncfs")
	fs.Var(&o.rule, "copy", "which blocks to copy: `exact` leaves to replay what it restores, classic does as pg_rewind")
	fs.StringArrayVar(&o.keep, "keep", nil, "`glob` of files that stay as the target has them, besides configuration, keys and logs")
	fs.BoolVar(&o.overwrite, "overwrite-config", false, "take configuration, keys and logs from the source, as pg_rewind does")
	fs.StringToStringVar(&o.tablespaces, "tablespace-mapping", nil, "`OLD=NEW` folder for a tablespace that only the source has; may be repeated")
	fs.BoolVar(&o.noUndo, "no-undo", false, "keep no old bytes: saves space, gives up --undo")
	fs.BoolVar(&o.resume, "resume", false, "go on with a rewind that broke off, and refuse where none did; without it a rewind that broke off is gone on with as well")
	fs.BoolVar(&o.undo, "undo", false, "put back what a rewind has changed")
	fs.BoolVar(&o.verify, "verify", false, "check the target afterwards, as forkpoint verify does")
	fs.BoolVar(&o.debug, "debug", false, "log everything to stderr, as -vv")
	addFormat(fs, &o.format)
}

const rewindHelp = `Rewind a data directory, the target, so that it can follow the source: an old
primary that was left behind by a fail-over becomes a standby of the new one.
Only what the target changed since the two parted is copied.

First the log of the target is read from the last common checkpoint on, through
the catalog, so that segments indexed before are not read again. Then every
file is compared by name and size, the plan is made and, with --dry-run, printed.
Nothing is changed up to there, and a run that is refused changes nothing.

The target's server must be stopped, and its data checksums or wal_log_hints on.
The source is a running server or a data directory that was shut down cleanly.
A running one needs no superuser, only a role with EXECUTE on pg_ls_dir,
pg_stat_file and pg_read_binary_file; the message that refuses one without them
has the GRANT statements.

What is overwritten or removed is kept in the state directory, and --undo puts
it back until the server is started. If a run is interrupted no server can start
on the target; the same command again, or with --resume, goes on.

A source that is lost is sought again for --retry-for; then the run ends with
status 5 if the target is untouched, else with 4. Connections are watched by TCP
keepalives, which the connection string can set. Interrupt and terminate signals
stop a run as cleanly as --deadline does: it says in which phase it was and what
to run. 0 stands for no limit.

What only the target held is not in the rewound database any more, only in the
state directory: look at forkpoint report before.`

func newRewindCommand(app *app) *cobra.Command {
	opts := rewindOptions{format: render.Text, rule: plan.Exact, syncMethod: "fsync"}
	cmd := &cobra.Command{
		Use:   "rewind [flags] -D PGDATA --source-server CONNINFO|--source-pgdata DIR",
		Short: "Make an old primary fit to follow the new one",
		Long:  rewindHelp,
		Example: `  forkpoint rewind -D /data/old --source-server 'host=new user=rewind' --dry-run
  forkpoint rewind -D /data/old --source-server 'host=new user=rewind' -R
  forkpoint rewind -D /data/old --source-pgdata /data/new --archive /backup/archive
  forkpoint rewind -D /data/old --undo`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.check(); err != nil {
				return err
			}
			opts.unlimit()
			if opts.debug {
				app.level.Set(slog.LevelDebug)
			}
			return runRewind(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

// check refuses flags that make no sense together.
func (o *rewindOptions) check() error {
	sourceless := o.ends.sourceDir == "" && o.ends.sourceServer == ""
	switch {
	case o.ends.target == "":
		return usagef("no target data directory specified (--target-pgdata)")
	case o.undo && o.resume:
		return usagef("--undo and --resume are opposites")
	case o.undo && !sourceless:
		return usagef("--undo needs no source")
	case o.verify && (o.undo || o.dryRun):
		return usagef("--verify checks a target that was rewound")
	case o.undo:
		return nil
	case o.recoveryConf && o.ends.sourceServer == "" && !sourceless:
		return usagef("no source server information (--source-server) specified for --write-recovery-conf")
	case o.resume && o.dryRun:
		return usagef("--resume goes on with changes that were begun: it cannot be a dry run")
	}
	return o.ends.check()
}

// unlimit turns the limits that were given as 0 into none at all.
func (o *rewindOptions) unlimit() {
	for _, limit := range []*durationFlag{&o.ends.timeout, &o.ends.idle, &o.ends.retry} {
		if *limit == 0 {
			*limit = -1
		}
	}
	o.ends.dryRun = o.dryRun
}

// syncMethod is how data is forced to disk.
type syncMethod string

func (m *syncMethod) Set(s string) error {
	if s != "fsync" && s != "syncfs" {
		return errors.New("want fsync or syncfs")
	}
	*m = syncMethod(s)
	return nil
}

func (m *syncMethod) Type() string   { return "method" }
func (m *syncMethod) String() string { return string(*m) }

func runRewind(ctx context.Context, app *app, opts rewindOptions) error {
	if limit := time.Duration(opts.deadline); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, &deadlineError{limit})
		defer cancel()
	}
	progress := app.progress(opts.progress)
	defer progress.end()
	var result *rewind.Result
	var err error
	if opts.dryRun && !opts.undo {
		result, err = doRewind(ctx, app, opts, progress)
		err = stopped(ctx, err)
	} else {
		result, err = opts.changeTarget(ctx, app, progress)
	}
	if err != nil && !errors.Is(err, errFindings) {
		return err
	}
	verdict := err
	progress.end()
	if opts.format == render.JSON {
		err = newEventWriter(app.stdout).result(result)
	} else {
		err = app.show(opts.format, &rewindReport{Result: result, target: opts.ends.target, undone: opts.undo, undo: opts.commands(absolute(opts.ends.target)).Undo})
	}
	switch {
	case err == nil, !opts.dryRun && app.nobodyReads(err): // the result file has it
		return verdict
	case opts.dryRun:
		return err
	}
	return fmt.Errorf("all is done, but the result cannot be written: %w", err)
}
