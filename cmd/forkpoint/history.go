package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

type historyOptions struct {
	places []string
	format render.Format
	failOn reports.Severity
}

func (o *historyOptions) addFlags(fs *pflag.FlagSet) {
	addFormat(fs, &o.format)
	fs.Var(&o.failOn, "fail-on", "exit with status 3 at this `severity` or above: notice, warning or damage")
}

func newHistoryCommand(app *app) *cobra.Command {
	opts := historyOptions{format: render.Text, failOn: reports.Warning}
	cmd := &cobra.Command{
		Use:   "history [flags] PGDATA|FOLDER|FILE...",
		Short: "Show and check timeline history files",
		Long: `Show which timelines a data directory knows, where each left its parent, and
whether the history files agree with each other and with the data directory.

Reads NNNNNNNN.history in pg_wal of a data directory, in an archive folder, or
the files that are named. Several places are compared with each other, which
finds two promotions that took the same number. A running server does no harm.

Finding codes, for scripts:
  history-syntax       a server refuses the file; line and rule are given
  history-empty        the file has no content
  history-name         the name is not that of a history file
  history-unreadable   the file cannot be read
  history-backwards    switch points go backwards
  history-conflict     files tell different beginnings of one timeline
  history-ancestors    a file's ancestors differ from the ancestor's own file
  history-hole         a missing number hides later timelines from a standby
  history-missing      the current timeline has no history file
  past-switch-point    the data directory cannot follow a newer timeline as it is`,
		Example: `  forkpoint history /var/lib/postgresql/15/main
  forkpoint history /var/lib/postgresql/15/main /backup/archive
  forkpoint history 00000003.history --format json | jq .findings`,
		Args: wantArgs(1, 0, "a data directory, a folder or history files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.places = args
			return runHistory(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runHistory(_ context.Context, app *app, opts historyOptions) error {
	places, err := historyPlaces(opts.places)
	if err != nil {
		return err
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

// historyPlaces reads what was named. Single files count as one place for each
// folder that they lie in.
func historyPlaces(args []string) ([]reports.HistoryPlace, error) {
	var places []reports.HistoryPlace
	single := map[string]int{}
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read history: %w", err)
		case !info.IsDir():
			folder := filepath.Dir(arg)
			i, seen := single[folder]
			if !seen {
				i = len(places)
				single[folder] = i
				places = append(places, reports.HistoryPlace{Path: folder})
			}
			places[i].Files = append(places[i].Files, readHistoryFile(arg))
		default:
			place, err := historyPlace(arg)
			if err != nil {
				return nil, err
			}
			places = append(places, place)
		}
	}
	return places, nil
}

// historyPlace reads a data directory, or a folder that is none.
func historyPlace(path string) (reports.HistoryPlace, error) {
	place := reports.HistoryPlace{Path: path}
	dir, err := datadir.Open(path)
	if errors.Is(err, datadir.ErrNotDataDir) && !looksLikeDataDir(path) {
		return place, readHistoryFolder(&place, path)
	}
	if err != nil {
		return place, err
	}
	control, err := dir.Control()
	if err != nil {
		return place, err
	}
	place.Current = control.CurrentTimeline()
	place.Checkpoint, place.MinRecoveryPoint = control.Checkpoint, control.MinRecoveryPoint
	return place, readHistoryFolder(&place, filepath.Join(path, "pg_wal"))
}

// looksLikeDataDir tells a data directory with something missing from a folder
// that never was one.
func looksLikeDataDir(path string) bool {
	for _, name := range []string{"PG_VERSION", "global", "pg_wal"} {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return true
		}
	}
	return false
}

func readHistoryFolder(place *reports.HistoryPlace, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("list WAL: %w", err)
	}
	place.Segments = map[pg.TimelineID]int{}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) == ".history" {
			place.Files = append(place.Files, readHistoryFile(filepath.Join(folder, name)))
			continue
		}
		if len(name) >= 24 && pg.IsSegmentName(name[:24]) && filepath.Ext(name) != ".backup" {
			tli, _ := strconv.ParseUint(name[:8], 16, 32)
			place.Segments[pg.TimelineID(tli)]++
		}
	}
	slices.SortFunc(place.Files, func(a, b reports.HistoryFile) int {
		return strings.Compare(a.Path, b.Path)
	})
	return nil
}

func readHistoryFile(path string) reports.HistoryFile {
	content, err := os.ReadFile(path)
	return reports.HistoryFile{Path: path, Content: content, Err: err}
}
