package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
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

// indexPlace is a folder whose segments are to be indexed.
type indexPlace struct {
	pgdata   string // "" for a folder that is no data directory
	source   segment.Source
	geometry walinspect.Geometry
	cluster  reports.Cluster
	current  pg.TimelineID // of a data directory
	tree     *timeline.Tree
	files    []store.HistoryFile
	segments map[pg.TimelineID]numbers
}

// numbers are those of the segments of one timeline.
type numbers struct {
	lowest uint64
	all    map[uint64]bool
}

func openIndexPlace(ctx context.Context, path string) (*indexPlace, error) {
	p := &indexPlace{segments: map[pg.TimelineID]numbers{}}
	folder := path
	dir, err := datadir.Open(path)
	switch {
	case err == nil:
		control, err := dir.Control()
		if err != nil {
			return nil, err
		}
		folder, p.pgdata = filepath.Join(path, "pg_wal"), path
		p.geometry, p.current = geometryOf(control), control.CurrentTimeline()
		p.cluster = clusterOf(control)
	case errors.Is(err, datadir.ErrNotDataDir) && !looksLikeDataDir(path):
		if p.geometry, err = segment.Discover(ctx, folder); err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		p.cluster = reports.Cluster{SystemID: p.geometry.SystemID, SegmentSize: p.geometry.SegmentSize}
	default:
		return nil, err
	}
	if p.source, err = segment.OpenArchive(folder, p.geometry.SegmentSize); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := p.listSegments(ctx); err != nil {
		return nil, err
	}
	return p, p.readHistories(ctx)
}

func clusterOf(c *pgcontrol.Control) reports.Cluster {
	return reports.Cluster{SystemID: c.SystemID, Major: c.Major, BlockSize: c.BlockSize, SegmentSize: c.SegmentSize}
}

func (p *indexPlace) listSegments(ctx context.Context) error {
	for info, err := range p.source.List(ctx) {
		if err != nil {
			return fmt.Errorf("list WAL: %w", err)
		}
		n, seen := p.segments[info.Name.Timeline]
		if !seen {
			n = numbers{lowest: info.Name.Number, all: map[uint64]bool{}}
		}
		n.lowest = min(n.lowest, info.Name.Number)
		n.all[info.Name.Number] = true
		p.segments[info.Name.Timeline] = n
	}
	return nil
}

// readHistories reads the history files beside the segments, up to the first
// that is missing past the newest timeline. A name can be of any number, so
// after a long row of missing ones the next timeline with segments comes. A
// history that a server would refuse is an error: where its timeline begins
// cannot be known.
func (p *indexPlace) readHistories(ctx context.Context) error {
	const longRow = 4096
	timelines := slices.Sorted(maps.Keys(p.segments))
	var histories []*timeline.History
	missing := 0
	for tli := pg.TimelineID(2); tli != 0; tli++ { // 0 comes after the highest
		f, err := p.source.Open(ctx, tli.HistoryName())
		if errors.Is(err, fs.ErrNotExist) {
			later, _ := slices.BinarySearch(timelines, tli)
			if later == len(timelines) {
				break
			}
			if missing++; missing > longRow && tli < timelines[later]-1 {
				tli, missing = timelines[later]-1, 0
			}
			continue
		}
		missing = 0
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		content, err := f.Bytes()
		f.Close() // read only: nothing is lost if it fails
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		h, err := timeline.Parse(tli, content)
		if err != nil {
			return &hintedError{fmt.Errorf("%s: %w", f.Path, err), "look at it with forkpoint history " + f.Path}
		}
		histories = append(histories, h)
		p.files = append(p.files, store.HistoryFile{SystemID: p.geometry.SystemID, Timeline: tli, Content: content, Seen: time.Now().UTC()})
	}
	p.tree = timeline.NewTree(histories...)
	return nil
}

func (p *indexPlace) saveHistories(ctx context.Context, catalog *store.Catalog) error {
	for _, h := range p.files {
		if err := catalog.SaveHistory(ctx, h); err != nil {
			return fmt.Errorf("save history of timeline %d: %w", h.Timeline, err)
		}
	}
	return nil
}

// timelines lists those that have segments, in order.
func (p *indexPlace) timelines() []pg.TimelineID { return slices.Sorted(maps.Keys(p.segments)) }

// index reads what there is of one timeline, to its own end: a branch that was
// left behind is what a rewind will ask for.
func (p *indexPlace) index(ctx context.Context, ix *indexer.Indexer, tli pg.TimelineID, progress *progress) (reports.IndexedTimeline, error) {
	path, known := p.tree.Path(tli)
	if !known {
		path = timeline.SingleTimeline(tli)
	}
	progress.begin(fmt.Sprintf("indexing timeline %d", tli), 0)
	to, next := p.left(tli)
	span := pg.Span{From: p.geometry.SegmentSize.Start(p.segments[tli].lowest), To: to}
	r, err := ix.Index(ctx, path, span)
	if err != nil {
		return reports.IndexedTimeline{}, err
	}
	span.To = max(r.End, span.From)
	t := reports.IndexedTimeline{Timeline: tli, Span: span, Read: r.Read, Skipped: r.Segments - r.Read, Bytes: r.Bytes, Gaps: gapsOf(r), End: endOf(r)}
	if next != 0 && r.Stop == walinspect.StopLimit {
		t.Span.To, t.GoesOnAs = to, next
	}
	return t, nil
}

// left tells where the data directory itself left a timeline, as a server that
// was promoted has: the segment in which it did so is there again under the
// next timeline's number, with all that this one's file has. That file is
// passed over, for it would stand in the catalog beside the one of a server
// that stayed on the timeline, and nothing tells which goes on with what
// comes before.
func (p *indexPlace) left(tli pg.TimelineID) (pg.LSN, pg.TimelineID) {
	path, known := p.tree.Path(p.current)
	if !known {
		return pg.MaxLSN, 0
	}
	size := p.geometry.SegmentSize
	for i, step := range path[:len(path)-1] {
		n := size.Number(step.End)
		if next := path[i+1].Timeline; step.Timeline == tli && p.segments[next].all[n] {
			return size.Start(n), next
		}
	}
	return pg.MaxLSN, 0
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
