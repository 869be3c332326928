package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
)

type catalogOptions struct {
	catalog  string
	stateDir string
	format   render.Format

	before    lsnFlag
	timeline  timelineFlag
	olderThan durationFlag
	dryRun    bool
	compact   bool

	list string
	copy string
}

func (o *catalogOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file` (default $FORKPOINT_CATALOG, else forkpoint.db)")
	fs.StringVar(&o.stateDir, "state-dir", "", "`folder` that the catalog is in, as catalog.db")
}

// writes tells whether a subcommand changes the catalog.
func (o *catalogOptions) writes(subcommand string) bool {
	return subcommand == "prune" && !o.dryRun
}

// catalogRun is what one of the commands does with an open catalog.
type catalogRun func(ctx context.Context, app *app, catalog *store.Catalog, opts catalogOptions) error

func newCatalogCommand(app *app) *cobra.Command {
	opts := catalogOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Look after a catalog",
		Long: `Look after the catalog that forkpoint index writes: what it covers, whether it is
sound, what of it may go, and a way out of it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	opts.addFlags(cmd.PersistentFlags())
	add := func(use, short, long string, run catalogRun) *pflag.FlagSet {
		sub := &cobra.Command{Use: use, Short: short, Long: long, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			open := readCatalog
			if opts.writes(use) {
				open = changeCatalog
			}
			catalog, err := open(cmd.Context(), app.catalogPath(opts.catalog, opts.stateDir, ""))
			if err != nil {
				return err
			}
			defer catalog.Close() // what was written is committed
			return run(cmd.Context(), app, catalog, opts)
		}}
		sub.Flags().SortFlags = false
		cmd.AddCommand(sub)
		return sub.Flags()
	}
	addFormat(add("info", "Show what a catalog covers", "Show which clusters and timelines a catalog has segments of, what is missing\nbetween them, and how large it is.", catalogInfo), &opts.format)
	addFormat(add("check", "Verify a catalog", "Have SQLite verify the file, read every segment's contents, and look whether\nsegments that follow each other go on where the one before ended.", catalogCheck), &opts.format)
	prune := add("prune", "Forget old segments", "Forget segments of which all conditions hold that are given. A rewind needs what\ncomes after the last checkpoint before the fork, and all segments of transactions\nthat were open then.", catalogPrune)
	prune.Var(&opts.before, "before", "forget segments that end at or before this `LSN`")
	prune.VarP(&opts.timeline, "timeline", "t", "only those of this timeline; `TLI` in decimal or 0x hexadecimal")
	prune.Var(&opts.olderThan, "older-than", "only those whose newest transaction ended longer ago than this `time` span, such as 720h")
	prune.BoolVarP(&opts.dryRun, "dry-run", "n", false, "say how many it would be")
	prune.BoolVar(&opts.compact, "compact", false, "give free space of the file back, which writes all of it anew")
	export := add("export", "Write what a catalog has as JSON, or a copy of it", "Write a list as JSON, a row a line: "+strings.Join(store.Lists(), ", ")+".\nThe columns are described in store/SCHEMA.md. Or write a copy of the catalog,\nas of one moment, while others go on writing.", catalogExport)
	export.StringVar(&opts.list, "list", "segments", "`name` of the list")
	export.StringVar(&opts.copy, "copy", "", "write a copy to this `file` instead")
	return cmd
}

func catalogInfo(ctx context.Context, app *app, catalog *store.Catalog, opts catalogOptions) error {
	report, err := surveyCatalog(ctx, catalog, false)
	if err != nil {
		return err
	}
	return app.show(opts.format, report)
}

func catalogCheck(ctx context.Context, app *app, catalog *store.Catalog, opts catalogOptions) error {
	report, err := surveyCatalog(ctx, catalog, true)
	if err != nil {
		return err
	}
	if err := app.show(opts.format, report); err != nil {
		return err
	}
	if report.Worst() >= reports.Damage {
		return errFindings
	}
	return nil
}

func catalogPrune(ctx context.Context, app *app, catalog *store.Catalog, opts catalogOptions) error {
	if opts.before == 0 && opts.timeline == 0 && opts.olderThan == 0 {
		return usagef("say what may go: --before, --timeline, --older-than")
	}
	cut := store.Cut{Before: pg.LSN(opts.before), Timeline: pg.TimelineID(opts.timeline)}
	if opts.olderThan != 0 {
		cut.Ended = time.Now().Add(-time.Duration(opts.olderThan))
	}
	forget, would := catalog.Prune, ""
	if opts.dryRun {
		forget, would = catalog.CountCut, "would be "
	}
	n, err := forget(ctx, cut)
	if err != nil {
		return err
	}
	fmt.Fprintf(app.stdout, "%d segments %sforgotten\n", n, would)
	if opts.compact && !opts.dryRun {
		return catalog.Compact(ctx)
	}
	return nil
}

func catalogExport(ctx context.Context, app *app, catalog *store.Catalog, opts catalogOptions) error {
	if opts.copy != "" {
		return catalog.Copy(ctx, opts.copy)
	}
	known := false
	for _, list := range store.Lists() {
		known = known || list == opts.list
	}
	if !known {
		return usagef("--list %s: want one of %s", opts.list, strings.Join(store.Lists(), ", "))
	}
	schema, err := json.Marshal("forkpoint/catalog-" + opts.list + "/1")
	if err != nil {
		return err
	}
	var line []byte
	return catalog.Rows(ctx, opts.list, func(columns []string, values []any) error {
		line = append(append(line[:0], `{"schema":`...), schema...)
		for i, column := range columns {
			name, err := json.Marshal(column)
			value, err2 := json.Marshal(values[i])
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			line = append(append(append(append(line, ','), name...), ':'), value...)
		}
		_, err := app.stdout.Write(append(line, "}\n"...))
		return err
	})
}
