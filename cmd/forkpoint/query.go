package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"forkpoint/blockmap"
	"forkpoint/blockmap/relname"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// queryOptions are what the queries on a catalog have in common.
type queryOptions struct {
	catalog  string
	pgdata   string
	archives []string
	timeline timelineFlag
	format   render.Format
}

func (o *queryOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file` of forkpoint index (default $FORKPOINT_CATALOG, else that of the data directory, else forkpoint.db)")
	fs.StringVarP(&o.pgdata, "pgdata", "D", "", "data `directory` that knows the names of relations; its pg_wal is looked at as well")
	fs.StringArrayVar(&o.archives, "archive", nil, "where segments lie that are not where they were indexed: a `folder`, a tar file, or what Barman, pgBackRest or WAL-G keep; may be repeated")
	fs.VarP(&o.timeline, "timeline", "t", "only segments of this timeline; `TLI` in decimal or 0x hexadecimal")
	addPageFormat(fs, &o.format)
}

// query is an open catalog with what is needed to ask it.
type query struct {
	catalog  *store.Catalog
	cluster  store.Cluster
	names    *relname.Names // of a data directory, or kept in the catalog; nil without
	timeline pg.TimelineID
	places   []segment.Source
	tars     map[string]*segment.Tar // opened, for segments were indexed from them
}

func openQuery(ctx context.Context, app *app, o queryOptions) (*query, error) {
	catalog, err := readCatalog(ctx, app.catalogPath(o.catalog, "", o.pgdata))
	if err != nil {
		return nil, err
	}
	q := &query{catalog: catalog, timeline: pg.TimelineID(o.timeline)}
	if err := q.open(ctx, app, o); err != nil {
		q.close()
		return nil, err
	}
	return q, nil
}

func (q *query) open(ctx context.Context, app *app, o queryOptions) (err error) {
	if q.cluster, err = onlyCluster(ctx, q.catalog); err != nil {
		return err
	}
	if o.pgdata != "" {
		dir, err := datadir.Open(o.pgdata)
		if err != nil {
			return notDataDir("--pgdata", err)
		}
		if q.names, err = relname.Offline(ctx, dir); err != nil {
			app.goOn(ctx, "relations are shown by number", err)
			q.names = nil
		}
		q.places = append(q.places, segment.NewDir(filepath.Join(dir.Path(), "pg_wal"), q.cluster.SegmentSize))
	}
	if q.names == nil {
		if q.names, err = keptNames(ctx, q.catalog, q.cluster.SystemID); err != nil {
			return err
		}
	}
	for _, path := range o.archives {
		archive, err := segment.OpenArchive(path, q.cluster.SegmentSize)
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		q.places = append(q.places, archive)
	}
	return nil
}

func (q *query) close() { // only read
	q.catalog.Close()
	for _, t := range q.tars {
		if t != nil {
			t.Close()
		}
	}
}

// origin is where a segment was indexed from; nil if that is not there.
func (q *query) origin(s *blockmap.Segment) segment.Source {
	if _, err := os.Stat(s.Path); err == nil {
		return segment.NewTree(filepath.Dir(s.Path), s.SegmentSize) // the name may have a checksum
	}
	file, member := segment.TarMember(s.Path)
	if member == "" {
		return nil
	}
	t, known := q.tars[file]
	if !known {
		t, _ = segment.NewTar(file, s.SegmentSize) // it is not needed where another place has the segment
		if q.tars == nil {
			q.tars = map[string]*segment.Tar{}
		}
		q.tars[file] = t
	}
	if t == nil {
		return nil
	}
	return t
}

// relation finds the storages of a relation that was named.
func (q *query) relation(text string) (*relationChoice, error) {
	var choice relationChoice
	if err := choice.Set(text); err != nil {
		return nil, &usageError{fmt.Errorf("relation %q: %w", text, err)}
	}
	if !choice.byName() {
		return &choice, nil
	}
	if q.names == nil {
		return nil, usagef("relation %s: the catalog keeps no names; name a data directory with --pgdata", text)
	}
	return &choice, choice.resolve(q.names)
}

// label is what a relation fork is called.
func (q *query) label(rf pg.RelFork) string {
	s := rf.String()
	if q.names == nil {
		return s
	}
	name, found := q.names.Lookup(rf.RelFileLocator)
	if !found {
		return s
	}
	s = fullName(name.QualifiedName)
	if rf.Fork != pg.MainFork {
		s += " (" + rf.Fork.String() + ")"
	}
	return s
}

// records decodes the records that begin in a segment, from the file that it
// was indexed from or from one of the other places. It is false where none has
// the segment as the catalog knows it.
func (q *query) records(ctx context.Context, s *blockmap.Segment, each func(*walinspect.Record) error) (bool, error) {
	if s.Records == 0 {
		return true, nil
	}
	size := s.SegmentSize
	places := q.places
	if origin := q.origin(s); origin != nil {
		places = append([]segment.Source{origin}, places...)
	}
	if len(places) == 0 {
		return false, nil
	}
	pages := segment.NewPages(segment.NewChain(places...), size, func(uint64) []pg.TimelineID { return []pg.TimelineID{s.Name.Timeline} })
	defer pages.Close()
	g := walinspect.Geometry{SystemID: s.SystemID, SegmentSize: size, PageSize: 8192, BlockSize: usualBlockSize}
	reader := walinspect.NewReader(pages, g, s.First)
	reader.SetLimit(size.Span(s.Name.Number).To)
	seen := int64(0)
	for reader.Next(ctx) {
		seen++
		if err := each(reader.Record()); err != nil {
			return true, err
		}
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return seen > 0, nil
}
