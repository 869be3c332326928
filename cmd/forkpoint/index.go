package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect"
)

type indexOptions struct {
	place    string
	catalog  string
	stateDir string
	jobs     int
	progress bool
	format   render.Format
	failOn   reports.Severity
	follow   bool
	every    durationFlag
	server   string // stream from it instead of reading a place
	slot     string
}

func (o *indexOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file`, made when missing (default $FORKPOINT_CATALOG, else catalog.db in the state directory of PGDATA, else forkpoint.db)")
	fs.StringVar(&o.stateDir, "state-dir", "", "`folder` of the catalog (default PGDATA.forkpoint)")
	fs.IntVarP(&o.jobs, "jobs", "j", 2, "`number` of segments to read at a time")
	fs.BoolVarP(&o.progress, "progress", "P", false, "show progress where stderr is no terminal")
	fs.BoolVarP(&o.follow, "follow", "f", false, "go on as the server writes, until a signal ends it")
	fs.Var(&o.every, "every", "with --follow, read what was written at most this often, as a `time` span")
	fs.StringVar(&o.server, "source-server", "", "with --follow, stream the log from the running server of this connection string (`CONNINFO`)")
	fs.StringVar(&o.slot, "slot", "", "with --source-server, the `name` of a physical replication slot that keeps WAL until it is indexed")
	fs.Var(&o.failOn, "fail-on", "exit with status 3 at this `severity` or above: notice, warning or damage")
	addFormat(fs, &o.format)
}

func newIndexCommand(app *app) *cobra.Command {
	opts := indexOptions{format: render.Text, failOn: reports.Damage, every: durationFlag(time.Second)}
	cmd := &cobra.Command{
		Use:   "index [flags] PGDATA|ARCHIVE\n  forkpoint index [flags] --follow --source-server CONNINFO",
		Short: "Read WAL into the catalog",
		Long: `Read the WAL of a data directory or of an archive into the catalog: what each
segment touched, its checkpoints, commits and file events. Later reports and
rewinds ask the catalog, also when the segments are gone. An archive is a folder
of segments, plain or compressed, a tar file, or what Barman, pgBackRest
(unencrypted) or WAL-G keep on disk.

A segment that is in the catalog and has not changed is not read again. Every
record is verified; a segment that is missing or damaged is a gap in the
catalog, never a guess. A running server does no harm.

Of a data directory the names of its relations are kept too.

Run it now and then on a primary, at least once per checkpoint interval, and a
later rewind does not depend on what pg_wal still holds. Or let it run beside
the server with --follow, or have archive_command call "forkpoint index push".
From another machine, --follow --source-server streams the log by the replication
protocol; the role needs REPLICATION. The catalog tells where to go on.`,
		Example: `  forkpoint index /var/lib/postgresql/15/main
  forkpoint index --follow /var/lib/postgresql/15/main
  forkpoint index --follow --source-server "host=db1 user=replicator" --slot forkpoint
  forkpoint index /backup/archive --catalog /var/lib/forkpoint/main.db -j 4`,
		Args: wantArgs(0, 1, "one data directory or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(args); err != nil {
				return err
			}
			if opts.server != "" {
				return runStream(cmd.Context(), app, opts)
			}
			if opts.follow {
				return runFollow(cmd.Context(), app, opts)
			}
			return runIndex(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	cmd.AddCommand(newPushCommand(app))
	return cmd
}

func (o *indexOptions) check(args []string) error {
	switch {
	case o.jobs < 1:
		return usagef("--jobs %d: want at least 1", o.jobs)
	case o.server != "" && (!o.follow || len(args) > 0):
		return usagef("--source-server goes with --follow, and in place of a data directory or folder")
	case o.slot != "" && o.server == "":
		return usagef("--slot goes with --source-server")
	case o.server == "" && len(args) == 0:
		return usagef("want one data directory or folder")
	case len(args) > 0:
		o.place = args[0]
	}
	return nil
}

func runIndex(ctx context.Context, app *app, opts indexOptions) error {
	place, err := openIndexPlace(ctx, opts.place)
	if err != nil {
		return err
	}
	file := app.catalogPath(opts.catalog, opts.stateDir, place.pgdata)
	catalog, err := openCatalog(ctx, app, file, true)
	if err != nil {
		return err
	}
	defer catalog.Close() // saves were committed as they were made

	progress := app.progress(opts.progress)
	defer progress.end()
	report := &reports.Indexing{Catalog: catalog.Path(), Place: opts.place, Cluster: place.cluster}
	if err := place.saveHistories(ctx, catalog); err != nil {
		return err
	}
	for _, tli := range place.timelines() {
		t, err := place.index(ctx, newIndexer(catalog, place.source, place.geometry, opts.jobs, progress), tli, progress)
		if err != nil {
			return fmt.Errorf("index timeline %d of %s: %w", tli, opts.place, err)
		}
		report.Timelines = append(report.Timelines, t)
	}
	progress.end()
	if err := learnMajor(ctx, catalog, &report.Cluster); err != nil {
		return err
	}
	report.Judge()
	if err := app.show(opts.format, report); err != nil {
		return err
	}
	if report.Worst() >= opts.failOn {
		return errFindings
	}
	return nil
}

// learnMajor fills in the version, which segments tell where there is no
// control file.
func learnMajor(ctx context.Context, catalog *store.Catalog, cluster *reports.Cluster) error {
	clusters, err := catalog.Clusters(ctx)
	for _, c := range clusters {
		if c.SystemID == cluster.SystemID && c.SegmentSize == cluster.SegmentSize {
			cluster.Major = c.Major
		}
	}
	return err
}

func gapsOf(r *indexer.Result) []reports.Gap {
	gaps := []reports.Gap{}
	for _, g := range r.Gaps {
		gaps = append(gaps, reports.Gap{Span: g.Span, Reason: g.Reason})
	}
	return gaps
}

func endOf(r *indexer.Result) reports.EndOfWAL {
	return reports.EndOfWAL{LSN: r.End, Reason: string(r.Stop), Natural: r.Stop.EndOfWAL() || r.Stop == walinspect.StopLimit, Detail: r.StopDetail}
}
