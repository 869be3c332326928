package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"forkpoint/reports"
	"forkpoint/reports/render"
)

// treeFormat is a format of a report, or a drawing.
type treeFormat string

const treeSVG treeFormat = "svg"

func (f *treeFormat) Set(s string) error {
	switch s {
	case "text", "json", "svg":
		*f = treeFormat(s)
		return nil
	}
	return errors.New("want text, json or svg")
}

func (f *treeFormat) Type() string   { return "format" }
func (f *treeFormat) String() string { return string(*f) }

func newHistoryTreeCommand(app *app) *cobra.Command {
	format := treeFormat(render.Text)
	cmd := &cobra.Command{
		Use:   "tree [flags] PGDATA|FOLDER|FILE...",
		Short: "Draw all timelines of all places as one tree",
		Long: `Draw all timelines that the places know as one tree: where each left its parent
and why, which segments are held where and which are missing everywhere, and
which node is on which timeline.`,
		Example: `  forkpoint history tree /data/a /data/b /backup/archive
  forkpoint history tree /data/a /backup/archive --format svg > tree.svg`,
		Args: wantArgs(1, 0, historyArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistoryTree(cmd.Context(), app, args, format)
		},
	}
	cmd.Flags().Var(&format, "format", "output `format`: text, json or svg")
	return cmd
}

func runHistoryTree(ctx context.Context, app *app, args []string, format treeFormat) error {
	places, err := historyPlaces(args)
	if err != nil {
		return err
	}
	if err := readPlaceLogs(ctx, places); err != nil {
		return err
	}
	tree := reports.Lineage(places...)
	if format == treeSVG {
		_, err := app.stdout.Write(tree.SVG())
		return err
	}
	return app.show(render.Format(format), tree)
}
