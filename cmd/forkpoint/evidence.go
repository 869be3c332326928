package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/segment"
)

type evidenceOptions struct {
	target   string
	stateDir string
	output   string
	force    bool
	progress bool
	format   render.Format
}

func newEvidenceCommand(app *app) *cobra.Command {
	opts := evidenceOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "evidence",
		Short: "Look after what rewinds have set aside",
		Long: `Look after the evidence bundles that rewinds leave beside a data directory: the
old bytes and files, which undo needs, the log of the abandoned branch, both
control files, the histories, the report, the plan, and what the catalog had.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVarP(&opts.target, "target-pgdata", "D", "", "data `directory` that was rewound")
	cmd.PersistentFlags().StringVar(&opts.stateDir, "state-dir", "", "`folder` of the bundles (default PGDATA.forkpoint)")
	cmd.PersistentFlags().Var(&opts.format, "format", "output `format`: text or json")
	add := func(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, id string) error) *cobra.Command {
		sub := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) > 0 {
				id = args[0]
			}
			return run(cmd.Context(), id)
		}}
		cmd.AddCommand(sub)
		return sub
	}
	add("list", "List the bundles of a data directory", noArgs,
		func(ctx context.Context, _ string) error { return listEvidence(app, opts) })
	add("show [ID]", "Show what a bundle holds", wantArgs(0, 1, "at most one bundle"),
		func(ctx context.Context, id string) error { return showEvidence(app, opts, id) })
	cmd.PersistentFlags().BoolVarP(&opts.progress, "progress", "P", false, "show progress where stderr is no terminal")
	add("verify [ID]", "Compare a bundle with its manifest and read its journal", wantArgs(0, 1, "at most one bundle"),
		func(ctx context.Context, id string) error { return verifyEvidence(ctx, app, opts, id) })
	add("seal [ID]", "Write the manifest of a bundle whose rewind was stopped before it could", wantArgs(0, 1, "at most one bundle"),
		func(ctx context.Context, id string) error { return sealEvidence(ctx, app, opts, id) })
	pack := add("pack [ID]", "Write a bundle into one compressed archive", wantArgs(0, 1, "at most one bundle"),
		func(ctx context.Context, id string) error { return packEvidence(ctx, app, opts, id) })
	pack.Flags().StringVarP(&opts.output, "output", "o", "", "archive `file` to write (default ID.tar.zst)")
	drop := add("drop ID", "Remove a bundle; the rewind cannot be undone afterwards", wantArgs(1, 1, "one bundle"),
		func(ctx context.Context, id string) error { return dropEvidence(app, opts, id) })
	drop.Flags().BoolVar(&opts.force, "force", false, "also a bundle whose rewind is not finished")
	return cmd
}

// bundles lists the bundles of the data directory, the oldest first.
func (o *evidenceOptions) bundles() ([]journal.Summary, error) {
	if o.target == "" && o.stateDir == "" {
		return nil, usagef("no target data directory specified (--target-pgdata)")
	}
	state := o.stateDir
	if state == "" {
		state = stateDir("", absolute(o.target))
	}
	roots := target.NewRoots()
	defer roots.Close() // read only
	list, err := journal.List(roots, absolute(state))
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return list, nil
}

// find gives the bundle with that name, or the newest.
func (o *evidenceOptions) find(id string) (*journal.Summary, error) {
	list, err := o.bundles()
	if err != nil {
		return nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if id == "" || list[i].Header.ID == id || filepath.Base(list[i].Dir) == id {
			return &list[i], nil
		}
	}
	if id == "" {
		return nil, fmt.Errorf("there is no evidence bundle of %s", o.target)
	}
	return nil, &hintedError{fmt.Errorf("there is no evidence bundle %s", id), "see forkpoint evidence list"}
}

func listEvidence(app *app, opts evidenceOptions) error {
	list, err := opts.bundles()
	if err != nil {
		return err
	}
	report := &evidenceList{Schema: "forkpoint/evidence-list/1", Bundles: []evidenceBundle{}}
	for i := range list {
		report.Bundles = append(report.Bundles, bundleOf(&list[i]))
	}
	return app.show(opts.format, report)
}

func showEvidence(app *app, opts evidenceOptions, id string) error {
	s, err := opts.find(id)
	if err != nil {
		return err
	}
	report := &evidenceShow{Schema: "forkpoint/evidence/1", Bundle: bundleOf(s)}
	roots := target.NewRoots()
	defer roots.Close() // read only
	if err := roots.Declare(filepath.Dir(s.Dir)); err != nil {
		return err
	}
	j, err := journal.OpenReader(roots, s.Dir)
	if err != nil {
		return err
	}
	defer j.Close() // read only
	for name, was := range j.Origins() {
		report.Changed = append(report.Changed, evidenceFile{Path: name, Was: was.Type.String(), Size: was.Size})
	}
	for name, number := range j.KeptFiles() {
		report.Kept = append(report.Kept, evidenceFile{Path: name, At: j.KeptFile(number)})
	}
	return app.show(opts.format, report)
}

// verifyEvidence compares the sums and reads every batch of the journal.
func verifyEvidence(ctx context.Context, app *app, opts evidenceOptions, id string) error {
	s, err := opts.find(id)
	if err != nil {
		return err
	}
	report := &evidenceVerify{Schema: "forkpoint/evidence-verify/1", Bundle: bundleOf(s)}
	progress := app.progress(opts.progress)
	defer progress.end()
	progress.begin("reading the evidence", 0)
	report.Wrong, report.Files, err = rewind.CheckManifest(ctx, s.Dir, progress.bytes)
	progress.end()
	if os.IsNotExist(err) {
		report.noManifest(s)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", s.Dir, err)
	}
	roots := target.NewRoots()
	defer roots.Close() // read only
	if err := roots.Declare(filepath.Dir(s.Dir)); err != nil {
		return err
	}
	j, err := journal.OpenReader(roots, s.Dir)
	if err != nil {
		report.Wrong = append(report.Wrong, err.Error())
	} else {
		for _, err := range j.Entries(ctx) {
			if err != nil {
				report.Wrong = append(report.Wrong, err.Error())
			}
		}
		j.Close() // read only
	}
	if ctx.Err() != nil { // which is not what is wrong with the journal
		return fmt.Errorf("verify %s: %w", s.Dir, context.Cause(ctx))
	}
	if err := app.show(opts.format, report); err != nil {
		return err
	}
	if len(report.Wrong) > 0 {
		return errFindings
	}
	return nil
}

// noManifest says why a bundle has no manifest and how it comes to one.
func (r *evidenceVerify) noManifest(s *journal.Summary) {
	if s.Unfinished() {
		r.Wrong, r.Next = append(r.Wrong, "there is no manifest: the rewind is not finished"), finishHint(s)
		return
	}
	r.Wrong = append(r.Wrong, fmt.Sprintf("there is no manifest: the run that left the rewind %s was stopped before", s.Stage))
	r.Next = rewind.SealCommand(filepath.Dir(s.Dir), s.Header.ID) + " writes it"
}

// sealEvidence writes the manifest that a run did not come to write. One that
// is there is left alone: it guards the bundle against changes.
func sealEvidence(ctx context.Context, app *app, opts evidenceOptions, id string) error {
	s, err := opts.find(id)
	if err != nil {
		return err
	}
	if s.Unfinished() {
		return &refusedError{fmt.Errorf("the rewind %s is not finished: more comes into its bundle, and then the manifest", s.Header.ID), finishHint(s)}
	}
	if rewind.Sealed(s.Dir) {
		return &refusedError{fmt.Errorf("the bundle %s has a manifest", s.Header.ID), "compare them with forkpoint evidence verify"}
	}
	progress := app.progress(opts.progress)
	defer progress.end()
	progress.begin("reading the evidence", 0)
	if err := rewind.Seal(ctx, s.Dir, progress.bytes); err != nil {
		return fmt.Errorf("seal %s: %w", s.Dir, err)
	}
	progress.end()
	fmt.Fprintf(app.stderr, "wrote the manifest of %s\n", s.Dir)
	return nil
}

// finishHint is how an unfinished rewind is finished or taken back.
func finishHint(s *journal.Summary) string {
	at := " -D " + segment.ShellWord(s.Header.Target) + " --state-dir " + segment.ShellWord(filepath.Dir(s.Dir))
	return "finish it with forkpoint rewind --resume" + at + " and its source, or take it back with forkpoint rewind --undo" + at
}

func dropEvidence(app *app, opts evidenceOptions, id string) error {
	s, err := opts.find(id)
	if err != nil {
		return err
	}
	if s.Unfinished() && !opts.force {
		return &refusedError{fmt.Errorf("the rewind %s is not finished: without the bundle its target is lost", s.Header.ID),
			finishHint(s)}
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		return fmt.Errorf("remove %s: %w", s.Dir, err)
	}
	fmt.Fprintf(app.stderr, "removed %s\n", s.Dir)
	return nil
}

// Worst is nothing: a list has no findings.
func (r *evidenceList) Worst() reports.Severity { return reports.None }
