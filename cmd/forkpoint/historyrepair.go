package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

type historyRepairOptions struct {
	tli     pg.TimelineID
	places  []string
	major   int
	inPlace bool
	format  render.Format
}

func newHistoryRepairCommand(app *app) *cobra.Command {
	opts := historyRepairOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "repair [flags] TIMELINE PGDATA|FOLDER [PGDATA|FOLDER...]",
		Short: "Rebuild a missing or damaged history file",
		Long: `Rebuild the history file of a timeline from the other files and from the WAL:
the END_OF_RECOVERY or CHECKPOINT_SHUTDOWN record that begins a timeline names
its parent, and its position is the switch point. Where files and WAL differ
the WAL counts.

The result is written beside the old file in the first place, as
NNNNNNNN.history.forkpoint, and checked as "history validate" does. With
--in-place it takes the file's own name, and what was there is kept as
NNNNNNNN.history.before-repair. Rows whose reason is lost say so. The folder must
belong to the user who runs this; its server may run.`,
		Example: `  forkpoint history repair 3 /data/a /backup/archive
  forkpoint history repair 3 /data/a --in-place`,
		Args: wantArgs(2, 0, "a timeline and where its files and WAL lie"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opts.tli, err = pg.ParseTimeline(args[0]); err != nil {
				return &usageError{err}
			}
			if opts.tli == 1 {
				return usagef("timeline 1 never has a history file")
			}
			opts.places = args[1:]
			return runHistoryRepair(cmd.Context(), app, opts)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&opts.inPlace, "in-place", false, "put the file under its own name; what was there is kept beside it")
	fs.IntVar(&opts.major, "major", 0, "write as this `version` does; only where no data directory is named")
	addFormat(fs, &opts.format)
	return cmd
}

func runHistoryRepair(ctx context.Context, app *app, opts historyRepairOptions) error {
	places, err := historyPlaces(opts.places)
	if err != nil {
		return err
	}
	if err := readPlaceLogs(ctx, places); err != nil {
		return err
	}
	rebuilt, err := lineage.Rebuild(opts.tli, evidenceOf(opts.tli, places))
	if errors.Is(err, lineage.ErrNoEvidence) {
		return &refusedError{err, "name more places: other nodes of the cluster, the archive, or the segment in which the timeline begins"}
	}
	if err != nil {
		return err
	}
	content := rebuilt.History.Format(majorOf(opts))
	report := reports.NewHistoryRepair(rebuilt, content)
	if err := writeRepaired(opts, content, report); err != nil {
		return err
	}
	if err := app.show(opts.format, report); err != nil {
		return err
	}
	if report.Worst() >= reports.Warning {
		return errFindings
	}
	return nil
}

// evidenceOf is all that the places tell, but for the file that is to be
// rebuilt.
func evidenceOf(tli pg.TimelineID, places []reports.HistoryPlace) lineage.Evidence {
	var e lineage.Evidence
	for _, place := range places {
		for _, f := range place.Files {
			name, ok := pg.ParseHistoryName(filepath.Base(f.Path))
			if !ok || name == tli || f.Err != nil {
				continue
			}
			if h, err := timeline.Parse(name, f.Content); err == nil && len(h.Entries) > 0 {
				e.Histories = append(e.Histories, lineage.File{History: h, Path: f.Path})
			}
		}
		if place.Log != nil {
			e.Switches = append(e.Switches, place.Log.Switches...)
		}
	}
	return e
}

// majorOf is the version in whose form the file is written.
func majorOf(opts historyRepairOptions) int {
	for _, place := range opts.places {
		if dir, err := datadir.Open(place); err == nil && opts.major == 0 {
			return dir.Major()
		}
	}
	return opts.major
}

// writeRepaired writes the file into the first place. Nothing is overwritten
// that is not kept.
func writeRepaired(opts historyRepairOptions, content []byte, report *reports.HistoryRepair) (err error) {
	folder, err := filepath.Abs(opts.places[0])
	if err != nil {
		return err
	}
	if dir, err := datadir.Open(folder); err == nil {
		if folder, err = dir.WAL(); err != nil {
			return err
		}
	}
	roots := target.NewRoots()
	defer func() { err = errors.Join(err, roots.Close()) }()
	report.Path, report.Kept, err = target.PlaceFile(roots, filepath.Join(folder, opts.tli.HistoryName()), content, opts.inPlace)
	if errors.Is(err, target.ErrKept) {
		return &hintedError{err, "compare it with the file, and put it away"}
	}
	return err
}
