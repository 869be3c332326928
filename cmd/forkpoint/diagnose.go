package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
)

type diagnoseOptions struct {
	ends          endsOptions
	targetServer  string
	sourceArchive string
	nodes         []string
	format        render.Format
}

func (o *diagnoseOptions) addFlags(fs *pflag.FlagSet) {
	o.ends.addFlags(fs)
	fs.StringVar(&o.targetServer, "target-server", "", "connection string (`CONNINFO`) of a target that runs")
	fs.StringVar(&o.sourceArchive, "source-archive", "", "all that there is of the source: an `archive` or a history file")
	addFormat(fs, &o.format)
}

const diagnoseHelp = `Say what happened between two nodes, whether a rewind can be done and why not,
and the next command to type. Nothing is changed.

The verdict is one of, with the exit status:
  0  nothing to do          one timeline, and the target's log is part of the source's
  0  follow as is           the target stopped before the fork; it can follow
  3  rewind                 the target has log that the source has not; all checks hold
  3  rewind after X         X must be put right first
  6  needs a person         a rewind would not be safe, or a choice must be made
  6  not the same cluster
Other failures end as usual, see below.

With node names in place of flags the answer is a matrix: who is on which branch,
who can follow whom, and what each choice of survivor would lose. A node is a data
directory, a connection string, an archive or a history file; of one that is down
nothing is known, and the others are told of all the same. --archive names where
WAL lies that the nodes have recycled.`

func newDiagnoseCommand(app *app) *cobra.Command {
	opts := diagnoseOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "diagnose [flags] -D PGDATA --source-server CONNINFO | NODE NODE...",
		Short: "Say what happened between nodes, and what to do next",
		Long:  diagnoseHelp,
		Example: `  forkpoint diagnose -D /data/old --source-server 'host=new user=rewind'
  forkpoint diagnose -D /data/old --source-pgdata /data/new --archive /backup/archive
  forkpoint diagnose -D /data/old --source-archive /backup/archive
  forkpoint diagnose /data/a 'host=b user=postgres' 'host=c user=postgres' --archive /backup/archive`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.nodes = args
			if err := opts.check(); err != nil {
				return err
			}
			return runDiagnose(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func (o *diagnoseOptions) check() error {
	sides := o.ends.target != "" || o.targetServer != "" || o.ends.sourceDir != "" || o.ends.sourceServer != "" || o.sourceArchive != ""
	switch {
	case len(o.nodes) > 0 && sides:
		return usagef("name either nodes, or a target and a source by flags")
	case len(o.nodes) == 1:
		return usagef("missing argument: want two nodes or more")
	case len(o.nodes) > 0:
		return nil
	case o.targetServer != "" && o.ends.target != "":
		return usagef("only one of --target-pgdata or --target-server can be specified")
	case o.sourceArchive != "" && (o.ends.sourceDir != "" || o.ends.sourceServer != ""):
		return usagef("--source-archive is for where there is nothing else of the source")
	case o.ends.target == "" && o.targetServer == "":
		return usagef("no target data directory specified (--target-pgdata)")
	case o.sourceArchive != "" || o.targetServer != "":
		return nil
	}
	return o.ends.check()
}

func runDiagnose(ctx context.Context, app *app, opts diagnoseOptions) error {
	if len(opts.nodes) > 0 {
		return runMatrix(ctx, app, opts)
	}
	diagnose := diagnoseEnds
	if opts.sourceArchive != "" || opts.targetServer != "" {
		diagnose = diagnoseByHistory
	}
	d, err := diagnose(ctx, app, opts)
	if err != nil {
		return err
	}
	if err := app.show(opts.format, d); err != nil {
		return err
	}
	switch d.Verdict {
	case reports.RemedyNothing, reports.RemedyFollow:
		return nil
	case reports.RemedyRewind, reports.RemedyRewindAfter:
		return errFindings
	}
	return errNeedsPerson
}

// diagnoseEnds examines two ends that a rewind could be run on, by the
// preflight of the rewind itself.
func diagnoseEnds(ctx context.Context, app *app, opts diagnoseOptions) (*reports.Diagnosis, error) {
	e, err := openEnds(ctx, app, opts.ends, false)
	var grants *source.GrantError
	if errors.As(err, &grants) {
		return lackOfGrants(opts, grants), nil
	}
	if err != nil {
		return nil, err
	}
	defer e.close()
	x, err := examine(ctx, app, opts.ends, e)
	if err != nil {
		return nil, err
	}
	g := &diagnosing{ends: e, opts: opts, exam: x, d: &reports.Diagnosis{Schema: reports.DiagnosisSchema, Facts: []string{}, Inferences: []string{}, Findings: reports.Findings{}}}
	if err := g.run(ctx); err != nil {
		return nil, err
	}
	return g.d, nil
}

// examine runs the checks of a rewind and changes nothing.
func examine(ctx context.Context, app *app, o endsOptions, e *ends) (*rewind.Examination, error) {
	rw := rewindOptions{ends: o, dryRun: true}
	cfg := rw.config(app, e.target, app.progress(false))
	cfg.Source, cfg.Archives, cfg.Known = e.source, e.archive(), e.digests()
	cfg.NewIndex = e.blocks
	return rewind.Examine(ctx, cfg)
}

// lackOfGrants is the diagnosis where the source does not let itself be read.
func lackOfGrants(opts diagnoseOptions, lack *source.GrantError) *reports.Diagnosis {
	d := &reports.Diagnosis{Schema: reports.DiagnosisSchema, Verdict: reports.RemedyPerson,
		Target: reports.DiagnosedNode{Name: opts.ends.target, Kind: "data directory"},
		Source: reports.DiagnosedNode{Name: "source server", Kind: source.Live.String()},
		Reason: fmt.Sprintf("Nothing can be said yet: role %s may not read the source. Run these as a superuser in database %s of the source, then the same command again.", lack.Role, lack.Database),
		Next:   lack.Missing, Facts: []string{lack.Error()}, Inferences: []string{}}
	d.Findings.Add(reports.Finding{Code: "grants", Severity: reports.Warning, Title: "source: " + lack.Error(), Hint: strings.Join(lack.Missing, " ")})
	return d
}

// problemOf hands a failed check to the report.
func problemOf(p *rewind.PreflightError) reports.Problem {
	reason := ""
	if p.Err != nil {
		reason = p.Err.Error()
	}
	return reports.Problem{Check: string(p.Check), Side: string(p.Side), LSN: p.LSN, Path: p.Path, Found: p.Found, Want: p.Want, Next: p.Next, Reason: reason}
}

// reachedText is a position for a sentence.
func reachedText(l pg.LSN) string {
	if !l.Valid() || l == pg.MaxLSN {
		return "an unknown position"
	}
	return l.String()
}
