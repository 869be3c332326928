package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

type pushOptions struct {
	file     string
	catalog  string
	stateDir string
	strict   bool
	limit    durationFlag
}

func (o *pushOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file`, made when missing (default $FORKPOINT_CATALOG, else catalog.db in the state directory of the data directory)")
	fs.StringVar(&o.stateDir, "state-dir", "", "`folder` of the catalog (default PGDATA.forkpoint)")
	fs.BoolVar(&o.strict, "strict", false, "fail where the file cannot be indexed, so that the server keeps it and tries again")
	fs.Var(&o.limit, "time-limit", "give up after this `time`")
}

func newPushCommand(app *app) *cobra.Command {
	opts := pushOptions{limit: durationFlag(5 * time.Second)}
	cmd := &cobra.Command{
		Use:   "push [flags] FILE",
		Short: "Read one segment into the catalog, from archive_command",
		Long: `Read one segment into the catalog. Made for archive_command, beside the command
that archives: what it costs is milliseconds, and whatever goes wrong it says so
in the server's log and lets the archiving go on. A segment that was missed is
read by the next "forkpoint index". With --strict it fails instead.

History files are kept too. Other files that a server archives are passed over.`,
		Example: `  archive_command = 'forkpoint index push %p; cp %p /backup/archive/%f'
  archive_command = 'forkpoint index push --catalog /var/lib/forkpoint/main.db %p; pgbackrest --stanza=main archive-push %p'`,
		Args: wantArgs(1, 1, "one file, as %p in archive_command"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), time.Duration(opts.limit), fmt.Errorf("not done within %s", time.Duration(opts.limit)))
			defer cancel()
			err := stopped(ctx, push(ctx, app, opts))
			if err == nil || opts.strict {
				return err
			}
			app.log.Warn("not in the catalog; forkpoint index will read it later", "path", opts.file, "err", err)
			return nil
		},
	}
	opts.addFlags(cmd.Flags())
	cmd.Flags().SortFlags = false
	return cmd
}

// push indexes what the file is.
func push(ctx context.Context, app *app, opts pushOptions) error {
	path := absolute(opts.file)
	name, folder := filepath.Base(path), filepath.Dir(path)
	pgdata := filepath.Dir(folder)
	if !looksLikeDataDir(pgdata) {
		pgdata = ""
	}
	tli, isHistory := pg.ParseHistoryName(name)
	if !isHistory && !pg.IsSegmentName(segmentStem(name)) {
		app.log.Info("no segment and no history: passed over", "path", opts.file)
		return nil
	}
	file := app.catalogPath(opts.catalog, opts.stateDir, pgdata)
	if isHistory {
		return pushHistory(ctx, app, file, pgdata, tli)
	}
	geometry, err := segment.DiscoverFile(path)
	if err != nil {
		return err
	}
	segname, err := pg.ParseSegmentName(segmentStem(name), geometry.SegmentSize)
	if err != nil {
		return err
	}
	catalog, err := openCatalog(ctx, app, file, true)
	if err != nil {
		return err
	}
	defer catalog.Close() // what was saved is committed
	return pushSegment(ctx, catalog, segment.NewDir(folder, geometry.SegmentSize), geometry, segname)
}

// segmentStem is the name of a segment's file without what says how it is
// compressed.
func segmentStem(name string) string {
	for _, suffix := range codec.Suffixes() {
		if stem := name[:max(0, len(name)-len(suffix))]; stem+suffix == name {
			return stem
		}
	}
	return name
}

// pushHistory keeps a history file. Whose it is only the data directory tells.
func pushHistory(ctx context.Context, app *app, file, pgdata string, tli pg.TimelineID) error {
	if pgdata == "" {
		app.log.Info("a history file outside of a data directory: passed over", "tli", tli)
		return nil
	}
	dir, err := datadir.Open(pgdata)
	if err != nil {
		return err
	}
	control, err := dir.Control()
	if err != nil {
		return err
	}
	content, err := dir.History(tli)
	if err != nil {
		return err
	}
	catalog, err := openCatalog(ctx, app, file, true)
	if err != nil {
		return err
	}
	defer catalog.Close() // what was saved is committed
	return catalog.SaveHistory(ctx, store.HistoryFile{SystemID: control.SystemID, Timeline: tli, Content: content, Seen: time.Now().UTC()})
}

// pushSegment reads a segment, and the one before it again where the end of its
// last record was not written yet when it was read.
func pushSegment(ctx context.Context, catalog *store.Catalog, folder segment.Source, g walinspect.Geometry, name pg.SegmentName) error {
	path, err := pathOf(ctx, catalog, folder, g.SystemID, name.Timeline)
	if err != nil {
		return err
	}
	size := g.SegmentSize
	span := size.Span(name.Number)
	if name.Number > 0 {
		before := pg.SegmentName{Timeline: name.Timeline, Number: name.Number - 1}
		variants, err := catalog.Variants(ctx, blockmap.SegmentKey{SystemID: g.SystemID, SegmentSize: size, Name: before})
		if err != nil {
			return err
		}
		for _, v := range variants {
			if !v.Complete {
				span.From = size.Start(before.Number)
			}
		}
	}
	r, err := indexer.New(unlisted{folder}, g, catalog, indexer.Options{Workers: 1}).Index(ctx, path, span)
	if err != nil {
		return err
	}
	for _, gap := range r.Gaps {
		if r.Stop.EndOfWAL() && gap.From > size.Start(name.Number) {
			continue // pushed by hand before it was full
		}
		if gap.To > size.Start(name.Number) && gap.From < size.Start(name.Number+1) {
			return fmt.Errorf("segment %s: nothing is known from %s on: %s", name.Format(size), gap.From, gap.Reason)
		}
	}
	return nil
}

// pathOf is the history that leads to a timeline: from the file beside the
// segment, or from the catalog.
func pathOf(ctx context.Context, catalog *store.Catalog, folder segment.Source, systemID uint64, tli pg.TimelineID) (timeline.Path, error) {
	if tli == 1 {
		return timeline.SingleTimeline(tli), nil
	}
	known, err := catalog.Histories(ctx, systemID)
	if err != nil {
		return nil, err
	}
	content, err := segment.Histories(ctx, folder)(tli)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, h := range known {
			if h.Timeline == tli {
				content = h.Content // the newest sighting is the last
			}
		}
		if content == nil {
			return timeline.SingleTimeline(tli), nil
		}
	case err != nil:
		return nil, err
	default:
		seen := false
		for _, h := range known {
			seen = seen || h.Timeline == tli && string(h.Content) == string(content)
		}
		if !seen {
			if err := catalog.SaveHistory(ctx, store.HistoryFile{SystemID: systemID, Timeline: tli, Content: content, Seen: time.Now().UTC()}); err != nil {
				return nil, err
			}
		}
	}
	h, err := timeline.Parse(tli, content)
	if err != nil {
		return nil, err
	}
	return h.Path(), nil
}

// unlisted is a source whose files are asked for by name only: a pg_wal may
// hold thousands, and two of them matter.
type unlisted struct{ segment.Source }

func (unlisted) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}
