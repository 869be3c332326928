package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind/compare"
	"forkpoint/rewind/source"
)

type diffOptions struct {
	ends     endsOptions
	relation relationChoice
	summary  bool
	progress bool
	format   render.Format
	failOn   reports.Severity
}

func (o *diffOptions) addFlags(fs *pflag.FlagSet) {
	o.ends.addFlags(fs)
	for _, name := range []string{"target-pgdata", "source-pgdata", "source-server"} {
		_ = fs.MarkHidden(name) // the arguments name both sides; the flags exist
	}
	fs.VarP(&o.relation, "relation", "R", "compare the files of this `relation` only, by name or as tablespace/database/relation")
	fs.BoolVar(&o.summary, "summary", false, "count only, and list no files")
	fs.BoolVarP(&o.progress, "progress", "P", false, "show progress where stderr is no terminal")
	fs.Var(&o.failOn, "fail-on", "exit with status 3 at this `severity` or above: notice, warning or damage")
	addPageFormat(fs, &o.format)
}

func newDiffCommand(app *app) *cobra.Command {
	opts := diffOptions{format: render.Text, failOn: reports.Warning}
	cmd := &cobra.Command{
		Use:   "diff [flags] A B",
		Short: "Compare two data directories, and explain each block that differs",
		Long: `Compare the files of data directory A with those of B, which is a data directory
as well, or a running server, given by its connection string. Files that only
one side has are listed, sizes that differ, and for each block of a relation
that differs why it does:

` + reasonHelp() + `

The log of both since their histories parted is read through the catalog to
explain blocks. What servers change without logging it is masked by the rules
of each access method. With this a rewind can be audited: after it, and after
the target has replayed the log, no block may be unexplained.

Nothing is written into either. A server that runs in A goes on changing its
files, so stop it first.`,
		Example: `  forkpoint diff /data/old /data/new
  forkpoint diff /data/old 'host=new user=rewind' --summary
  forkpoint diff /data/old /data/new --relation public.orders
  forkpoint diff /data/old /data/new --format json | jq '.files[] | select(.blocks.unexplained)'`,
		Args: wantArgs(2, 2, "a data directory, and another one or a connection string"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ends.target = args[0]
			if info, err := os.Stat(args[1]); err != nil && strings.Contains(args[1], "=") || strings.Contains(args[1], "://") || info == nil && strings.Contains(args[1], "=") {
				opts.ends.sourceServer = args[1]
			} else {
				opts.ends.sourceDir = args[1]
			}
			return runDiff(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

// reasonHelp lists the reasons for a difference.
func reasonHelp() string {
	var b strings.Builder
	for _, reason := range reports.Reasons() {
		fmt.Fprintf(&b, "  %-12s %s\n", reason, reports.ReasonText(reason))
	}
	return strings.TrimRight(b.String(), "\n")
}

func runDiff(ctx context.Context, app *app, opts diffOptions) error {
	progress := app.progress(opts.progress)
	defer progress.end()
	e, err := openEnds(ctx, app, opts.ends, false)
	if err != nil {
		return err
	}
	defer e.close()
	names := diffNames(ctx, app, e)
	if err := context.Cause(ctx); err != nil {
		return err // else a name would seem to be unknown
	}
	if opts.relation.byName() {
		if err := opts.relation.resolve(names); err != nil {
			return err
		}
	}
	d := &differ{app: app, ends: e, progress: progress, result: reports.NewComparison(opts.summary)}
	if err := d.open(ctx); err != nil {
		return err
	}
	evidence, err := d.evidence(ctx)
	if err != nil {
		return err
	}
	progress.begin("comparing files", 0)
	c := e.targetControl
	err = compare.Run(ctx, compare.Input{A: e.target, B: e.source, BlockSize: int(c.BlockSize), BlocksPerFile: c.RelSegSize,
		ChecksumsA: d.result.A.Checksums, ChecksumsB: d.result.B.Checksums, Evidence: evidence, Relations: opts.relation.storage,
		Progress: func(done, total int64) { progress.set(uint64(done), uint64(total)) }}, d.result)
	if err != nil {
		return err
	}
	progress.end()
	for i := range d.result.Files {
		if f := &d.result.Files[i]; f.Relation != nil {
			if name, found := (readNames{names}).Relation(f.Relation.RelFileLocator); found {
				f.Name = &name
			}
		}
	}
	d.result.Judge()
	if err := app.show(opts.format, d.result); err != nil {
		return err
	}
	if d.result.Worst() >= opts.failOn {
		return errFindings
	}
	return nil
}

// diffNames reads the names of both sides, of A first. It is worth having
// without them.
func diffNames(ctx context.Context, app *app, e *ends) *relname.Names {
	names, err := relname.Offline(ctx, e.target)
	if err != nil {
		app.goOn(ctx, "relations are shown by number", err)
		names = &relname.Names{}
	}
	if local, is := e.source.(*source.Local); is {
		if other, err := relname.Offline(ctx, local.Dir()); err == nil {
			names.Merge(other)
		}
	}
	return names
}
