package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect/pg"
)

type reportOptions struct {
	ends     endsOptions
	branches []pg.TimelineID // target's and source's, to ask the catalog alone
	progress bool

	sourceWAL sizeFlag // how much of its log is read from a running source
	format    render.Format
	failOn    reports.Severity
}

func (o *reportOptions) addFlags(fs *pflag.FlagSet) {
	o.ends.addFlags(fs)
	fs.Var(&o.sourceWAL, "source-wal", "read at most this `size` of the log since the fork from a running source; 0 for none")
	fs.BoolVarP(&o.progress, "progress", "P", false, "show progress where stderr is no terminal")
	fs.Var(&o.failOn, "fail-on", "exit with status 3 at this `severity` or above: notice, warning or damage")
	addPageFormat(fs, &o.format)
}

func newReportCommand(app *app) *cobra.Command {
	opts := reportOptions{format: render.Text, failOn: reports.Warning, sourceWAL: usualSourceWAL}
	cmd := &cobra.Command{
		Use:   "report [flags] [TARGET-TIMELINE SOURCE-TIMELINE]",
		Short: "Show where two clusters parted and what only the target holds",
		Long: `Show where the target left the history of the source: the fork point, the last
common checkpoint, how the target's log ends, every commit that only the target
has, the relations and blocks that it changed, and what a rewind would copy.

With --target-pgdata and a source the data directory of the target is read, and
the log since the last common checkpoint goes through the catalog. Nothing is
changed, neither in the data directories nor, unless --catalog names one or one
exists, on disk at all. The target may be running; its log is then reported as
far as it is written. A running source is asked for its log since the fork, up
to --source-wal; the report says where it stopped for that.

With two timelines the answer comes from the catalog alone: no data directory
is opened and no server is asked. Run "forkpoint index" first.

The exit status is 3 where the report has a warning, such as a gap in the log,
because its numbers are then too low. --fail-on notice makes it 3 whenever a
commit would be lost.`,
		Example: `  forkpoint report -D /data/old --source-pgdata /data/new
  forkpoint report -D /data/old --source-server 'host=new user=rewind' --archive /backup/archive
  forkpoint report 1 2 --catalog /var/lib/forkpoint/main.db
  forkpoint report -D /data/old --source-pgdata /data/new --format html > report.html
  forkpoint report -D /data/old --source-pgdata /data/new --format json | jq .transactions.committed`,
		Args: wantArgs(0, 2, "no arguments, or two timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.parse(args); err != nil {
				return err
			}
			return runReport(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

// parse reads the timelines, or checks that both clusters are named.
func (o *reportOptions) parse(args []string) error {
	if len(args) == 0 {
		return o.ends.check()
	}
	if len(args) == 1 {
		return usagef("want two timelines, the target's and the source's")
	}
	if o.ends.target != "" || o.ends.sourceDir != "" || o.ends.sourceServer != "" {
		return usagef("two timelines are looked up in the catalog alone: leave out --target-pgdata and the source")
	}
	for _, arg := range args {
		tli, err := pg.ParseTimeline(arg)
		if err != nil {
			return &usageError{err}
		}
		o.branches = append(o.branches, tli)
	}
	return nil
}

func runReport(ctx context.Context, app *app, opts reportOptions) error {
	progress := app.progress(opts.progress)
	defer progress.end()
	var input *reports.DivergenceInput
	var err error
	if opts.branches != nil {
		input, err = gatherFromCatalog(ctx, app, opts, progress)
	} else {
		input, err = gatherFromEnds(ctx, app, opts, progress)
	}
	if err != nil {
		return err
	}
	progress.end()
	divergence := reports.Diverge(*input)
	if err := app.show(opts.format, divergence); err != nil {
		return err
	}
	if divergence.Worst() >= opts.failOn {
		return errFindings
	}
	return nil
}
