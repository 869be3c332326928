package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/segment"
)

type verifyOptions struct {
	target   string
	stateDir string
	progress bool
	format   render.Format
}

func newVerifyCommand(app *app) *cobra.Command {
	opts := verifyOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "verify [flags] -D PGDATA",
		Short: "Check a rewound data directory before its server starts",
		Long: `Check a data directory after a rewind and before its server starts. The first
steps of recovery are taken: backup label, checkpoint, history, and every record
up to where the server becomes consistent. Then every page of every table and
index is read: one that did not come from the source must be older than the
fork, none may be newer than what replay reaches, and the checksums must fit.
Every piece that came from the source must be as it was sent.

Nothing is changed. The result, with --format json, is a certificate that can be
kept.`,
		Example: `  forkpoint verify -D /data/old
  forkpoint verify -D /data/old --format json >certificate.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.target == "" {
				return usagef("no target data directory specified (--target-pgdata)")
			}
			return runVerify(cmd.Context(), app, opts)
		},
	}
	cmd.Flags().StringVarP(&opts.target, "target-pgdata", "D", "", "data `directory` that was rewound")
	cmd.Flags().StringVar(&opts.stateDir, "state-dir", "", "`folder` of journal and evidence (default PGDATA.forkpoint)")
	cmd.Flags().BoolVarP(&opts.progress, "progress", "P", false, "show progress where stderr is no terminal")
	cmd.Flags().Var(&opts.format, "format", "output `format`: text or json")
	return cmd
}

// verifyTarget reads everything from the files; what a catalog knows of them
// does not count.
func verifyTarget(ctx context.Context, app *app, target, state string, progress *progress) (*rewind.Certificate, error) {
	dir, err := datadir.Open(target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	control, err := dir.Control()
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return rewind.Verify(ctx, rewind.Config{
		Target: dir, StateDir: stateDir(state, dir.Path()),
		NewIndex: func(wal segment.Source, _ bool) rewind.BlockIndex {
			return &blockIndex{indexer.New(wal, geometryOf(control), nil, indexer.Options{Log: app.log})}
		},
		Progress: (&phaseProgress{out: progress}).show,
	})
}

func runVerify(ctx context.Context, app *app, opts verifyOptions) error {
	progress := app.progress(opts.progress)
	defer progress.end()
	certificate, err := verifyTarget(ctx, app, opts.target, opts.stateDir, progress)
	if err != nil {
		return err
	}
	progress.end()
	if err := app.show(opts.format, &verifyReport{certificate}); err != nil {
		return err
	}
	if certificate.Count > 0 {
		return errFindings
	}
	return nil
}

// verifyReport shows a certificate.
type verifyReport struct{ *rewind.Certificate }

// Worst is damage where a fault was found.
func (r *verifyReport) Worst() reports.Severity {
	if r.Count > 0 {
		return reports.Damage
	}
	return reports.None
}

// Document is the certificate for people.
func (r *verifyReport) Document() reports.Document {
	summary := "The server can be started: replay is proven, and every page is one that the rewind may have left."
	if r.Count > 0 {
		summary = fmt.Sprintf("Do not start the server: %d faults were found.", r.Count)
	}
	facts := reports.Facts{
		{Name: "target", Value: r.Target, Note: "rewind " + r.Rewind},
		{Name: "replay", Value: r.Redo, Note: fmt.Sprintf("to %s at least", r.Reaches)},
		{Name: "pages read", Value: reports.Count(r.Pages), Note: fmt.Sprintf("%d of them from the source", r.Copied)},
		{Name: "pieces as the source sent them", Value: reports.Count(r.Pieces)},
		{Name: "pages torn in the copy", Value: reports.Count(r.Torn), Note: "replay restores them"},
		{Name: "pages of unlogged tables", Value: reports.Count(r.Skipped), Note: "the server resets them"},
		{Name: "checked at", Value: r.Time.Format(time.DateTime) + " UTC"},
	}
	sections := []reports.Section{{Parts: []reports.Part{reports.Text(summary), facts}}}
	if len(r.Faults) > 0 {
		t := reports.Table{Columns: []reports.Column{{Title: "file"}, {Title: "block", Right: true}, {Title: "fault"}}}
		for _, f := range r.Faults {
			t.Rows = append(t.Rows, []any{f.Path, fmt.Sprint(f.Block), f.What})
		}
		sections = append(sections, reports.Section{Title: "Faults", Parts: []reports.Part{t}})
	}
	return reports.Document{Sections: sections}
}
