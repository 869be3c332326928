package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
	"forkpoint/reports/render"
)

type historyOptions struct {
	places []string
	log    bool // the WAL beside the files is read too
	format render.Format
	failOn reports.Severity
}

func (o *historyOptions) addFlags(fs *pflag.FlagSet) {
	addFormat(fs, &o.format)
	fs.Var(&o.failOn, "fail-on", "exit with status 3 at this `severity` or above: notice, warning or damage")
}

const historyHelp = `Show and check timeline history files: NNNNNNNN.history in pg_wal of a data
directory, in an archive, or single files. Several places are compared with each
other, which finds two promotions that took the same number. A running server
does no harm, and nothing but repair writes anything.

Without a subcommand this is "forkpoint history show".`

const historyArgs = "a data directory, a folder or history files"

func newHistoryCommand(app *app) *cobra.Command {
	cmd := newHistoryShowCommand(app)
	cmd.Use, cmd.Short, cmd.Long = "history [flags] PGDATA|FOLDER|FILE...", "Show, check and repair timeline history files", historyHelp
	cmd.Example = `  forkpoint history /var/lib/postgresql/15/main
  forkpoint history validate /var/lib/postgresql/15/main /backup/archive
  forkpoint history tree /data/a /data/b /backup/archive --format svg > tree.svg
  forkpoint history repair 3 /data/a /backup/archive`
	for _, sub := range []*cobra.Command{
		newHistoryShowCommand(app), newHistoryValidateCommand(app), newHistoryTreeCommand(app), newHistoryRepairCommand(app),
	} {
		sub.Flags().SortFlags = false
		cmd.AddCommand(sub)
	}
	return cmd
}

func newHistoryShowCommand(app *app) *cobra.Command {
	opts := historyOptions{format: render.Text, failOn: reports.Warning}
	cmd := &cobra.Command{
		Use:   "show [flags] PGDATA|FOLDER|FILE...",
		Short: "Show which timelines are known and where each left its parent",
		Long: `Show which timelines a data directory knows, where each left its parent, and
whether the history files agree with each other and with the data directory.
Only the files are read; "forkpoint history validate" reads the WAL too and
lists the codes of all findings.`,
		Example: `  forkpoint history show /var/lib/postgresql/15/main
  forkpoint history show 00000003.history --format json | jq .findings`,
		Args: wantArgs(1, 0, historyArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.places = args
			return runHistory(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func newHistoryValidateCommand(app *app) *cobra.Command {
	opts := historyOptions{format: render.Text, failOn: reports.Warning, log: true}
	cmd := &cobra.Command{
		Use:   "validate [flags] PGDATA|FOLDER|FILE...",
		Short: "Hold history files against the rules, each other, and the WAL",
		Long:  "Hold every history file against the rules of servers and pg_rewind, against all\nother files, and against the WAL that lies beside it.\n\nFinding codes, for scripts:\n" + historyCodes,
		Example: `  forkpoint history validate /var/lib/postgresql/15/main /backup/archive
  forkpoint history validate 00000003.history --fail-on damage
  forkpoint history validate /backup/archive --format json | jq -r '.findings[].code'`,
		Args: wantArgs(1, 0, historyArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.places = args
			return runHistory(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

const historyCodes = `  history-syntax            a server refuses the file; line and rule are given
  history-empty             the file has no content
  history-name              the name is not that of a history file
  history-unreadable        the file cannot be read
  history-dialect           13 to 18, 19 and pg_rewind do not read the same
  history-odd-row           a row is read, but has a form that no server writes
  history-first             timeline 1 has a file, which no server reads
  history-zero              a switch point is 0/0
  history-backwards         switch points go backwards
  history-conflict          files tell different beginnings of one timeline
  history-ancestors         a file's ancestors differ from the ancestor's own file
  history-copies            two copies of a file have different rows
  history-two-names         files of two timelines say the same
  history-hole              a missing number hides later timelines from a standby
  history-missing           the current timeline has no history file
  leaf-without-node         a branch that none of the nodes named is on
  past-switch-point         the data directory cannot follow a newer timeline as it is
and by the WAL:
  switch-record             the record that begins a timeline says otherwise
  switch-inside-record      a switch point is in the middle of a record
  switch-beyond-wal         the WAL of a timeline ends before its switch point
  segment-unknown-timeline  WAL of a timeline that no file knows
  segment-two-contents      one segment name, two contents
  ready-diverged            segments past a fork wait to be archived
  other-cluster             WAL of another system identifier
  switch-not-compared       no WAL at hand shows whether a switch point holds
  segment-not-compared      segments of one name could not all be compared`

func runHistory(ctx context.Context, app *app, opts historyOptions) error {
	places, err := historyPlaces(opts.places)
	if err != nil {
		return err
	}
	if opts.log {
		if err := readPlaceLogs(ctx, places); err != nil {
			return err
		}
	}
	check := reports.CheckHistory(places...)
	if err := app.show(opts.format, check); err != nil {
		return err
	}
	if check.Worst() >= opts.failOn {
		return errFindings
	}
	return nil
}
