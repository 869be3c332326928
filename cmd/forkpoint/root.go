package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"forkpoint/reports/render"
)

const rootHelp = `forkpoint reads the write-ahead log of PostgreSQL 13 to 19. It tells where two
clusters that were one parted, what each has changed since, which commits only
one of them holds, and it rewinds an old primary so that it can follow the new
one.

After an unplanned fail-over, in this order:

  forkpoint history OLD                    what branches does the old primary know?
  forkpoint inspect OLD --check            how does its log end?
  forkpoint report --target-pgdata OLD --source-pgdata NEW
                                           what would be lost, what would be copied?
  forkpoint rewind -D OLD --source-server 'host=new user=postgres' --dry-run
  forkpoint rewind -D OLD --source-server 'host=new user=postgres' -R

Only rewind without --dry-run changes a data directory; history repair writes
history files beside those it rebuilds. Target is the directory that is to be
rewound, source is the server it is to follow.`

func newRootCommand(app *app) *cobra.Command {
	var verbose int
	root := &cobra.Command{
		Use:           "forkpoint",
		Short:         "PostgreSQL WAL forensics and rewind",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          refuseUnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			switch {
			case verbose >= 2:
				app.level.Set(slog.LevelDebug)
			case verbose == 1:
				app.level.Set(slog.LevelInfo)
			}
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.Version = version() // with it there is --version, as every program of PostgreSQL has
	root.SetVersionTemplate(versionText())
	root.Flags().BoolP("version", "V", false, "show the version, as the command of that name does")
	root.SetIn(app.stdin)
	root.SetOut(app.stdout)
	root.SetErr(app.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().CountVarP(&verbose, "verbose", "v", "log what is being done to stderr; twice for every segment and file")
	root.PersistentFlags().SortFlags = false
	root.SetUsageTemplate(usageTemplate)
	cobra.AddTemplateFunc("exitStatuses", exitHelp)
	cobra.AddTemplateFunc("flagUsages", flagUsages)
	for _, cmd := range []*cobra.Command{
		newInspectCommand(app), newIndexCommand(app), newCatalogCommand(app), newHistoryCommand(app), newDiagnoseCommand(app), newExplainCommand(app),
		newDiffCommand(app), newBlocksCommand(app), newBlameCommand(app), newXactCommand(app), newTopCommand(app), newReportCommand(app), newRewindCommand(app), newVerifyCommand(app), newEvidenceCommand(app), newVersionCommand(app), newManCommand(app),
	} {
		cmd.Flags().SortFlags = false
		root.AddCommand(cmd)
	}
	return root
}

// execute parses the command line, runs the command and turns its error into
// the exit status.
func execute(ctx context.Context, app *app, args []string) int {
	root := newRootCommand(app)
	root.SetArgs(args)
	if err := completeFlags(root); err != nil {
		return app.finish(ctx, root, err, render.Text)
	}
	cmd, err := root.ExecuteContextC(ctx)
	return app.finish(ctx, cmd, err, askedFormat(cmd, args))
}

// askedFormat is the format that the user wanted errors in. Where parsing
// stopped before --format was reached the arguments are looked at as they are.
func askedFormat(cmd *cobra.Command, args []string) render.Format {
	if flag := cmd.Flags().Lookup("format"); flag != nil && flag.Changed {
		return render.Format(flag.Value.String())
	}
	for i, arg := range args {
		if arg == "--format=json" || arg == "--format" && i+1 < len(args) && args[i+1] == "json" {
			return render.JSON
		}
	}
	return render.Text
}

func refuseUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := usagef("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return &hintedError{err, fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))}
	}
	return err
}
