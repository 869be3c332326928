package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkpoint/reports/render"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

type inspectOptions struct {
	places     []string
	start, end lsnFlag
	timeline   timelineFlag
	filter     recordFilter
	period     period
	limit      int64
	stats      statsFlag
	blocks     bool
	savePages  string
	restore    restoreOptions
	namesFrom  string
	check      bool
	format     render.Format
}

func (o *inspectOptions) addFlags(fs *pflag.FlagSet) {
	fs.VarP(&o.start, "start", "s", "first `LSN` to look at; between two records, the next one counts")
	fs.VarP(&o.end, "end", "e", "stop before records that begin at or after this `LSN`")
	fs.VarP(&o.timeline, "timeline", "t", "follow the history that leads to this timeline; `TLI` in decimal or 0x hexadecimal")
	o.filter.addFlags(fs)
	o.period.addFlags(fs)
	fs.Int64VarP(&o.limit, "limit", "n", 0, "stop after this `number` of matching records")
	fs.VarP(&o.stats, "stats", "z", "count instead of printing, by `KIND`: rmgr, record, relation, database, transaction or minute")
	fs.Lookup("stats").NoOptDefVal = "rmgr"
	fs.BoolVarP(&o.blocks, "bkp-details", "b", false, "print each block reference on a line of its own")
	fs.StringVar(&o.savePages, "save-fullpage", "", "save the full-page images of matching records in this `folder`, a page in a file")
	o.restore.addFlags(fs)
	fs.StringVar(&o.namesFrom, "names-from", "", "data directory or catalog to take relation names from (default the data directory that is read)")
	fs.BoolVar(&o.check, "check", false, "verify every record and page, past damage too, and print what is valid")
	addFormat(fs, &o.format)
}

func newInspectCommand(app *app) *cobra.Command {
	opts := inspectOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "inspect [flags] PGDATA|ARCHIVE|SEGMENT...",
		Short: "Print WAL records, and how the WAL ends",
		Long: `Print records of the write-ahead log in the form of pg_waldump, of any version
from 13 to 19, and at the end why there are no more.

Of a data directory all WAL that is there is read, along the history of its
current timeline. Of an archive, everything on its newest timeline: a folder of
segments, compressed (.gz .lz4 .zst .xz .bz2) and .partial ones as well, a tar
file, or what Barman, pgBackRest or WAL-G keep on disk. Several places are
searched in order. Of one segment its records are read, of two all from the
first to the second.

Every page and record is verified on the way: magic, addresses, back links,
checksums. Reading never goes on past damage, except with --check, which tells
what is valid before and after it.

How a log ends (the code is the same in JSON):
` + stopHelp(),
		Example: `  forkpoint inspect /var/lib/postgresql/15/main --limit 20
  forkpoint inspect /var/lib/postgresql/15/main --start 0/3000028 --rmgr Heap,Transaction
  forkpoint inspect /backup/archive --timeline 3 --relation 1663/5/16384 --block 7
  forkpoint inspect 000000030000000000000005 --stats=record
  forkpoint inspect /var/lib/postgresql/15/main --check
  forkpoint inspect /backup/archive --format json | jq 'select(.xid == 733)'`,
		Args: wantArgs(1, 0, "a data directory, an archive, or one or two WAL segments"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.places = args
			if err := opts.validate(); err != nil {
				return err
			}
			return runInspect(cmd.Context(), app, opts)
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func (o *inspectOptions) validate() error {
	switch {
	case o.end != 0 && o.end <= o.start:
		return usagef("--end %s is not after --start %s", pg.LSN(o.end), pg.LSN(o.start))
	case o.limit < 0:
		return usagef("--limit %d: want a positive number", o.limit)
	case o.format != render.Text && o.format != render.JSON && o.stats == "" && !o.check:
		return usagef("--format %s: records are printed as text or json", o.format)
	case o.check && (o.stats != "" || o.limit > 0 || o.filter.active() || o.period.active() || o.savePages != ""):
		return usagef("--check looks at every record: it cannot be combined with filters, --limit, --stats or --save-fullpage")
	case o.kindApart() != "":
		return usagef("--stats takes what to count by behind an equals sign: --stats=%s", o.kindApart())
	case o.filter.block >= 0 && !o.filter.relation.set:
		return usagef("--block goes with --relation")
	case o.filter.block > math.MaxUint32-1:
		return usagef("--block %d: no relation has as many blocks", o.filter.block)
	case o.period.empty():
		return usagef("--until %s is not after --since %s", &o.period.until, &o.period.since)
	}
	return nil
}

// kindApart is what --stats is to count by where that stands among the places,
// else "".
func (o *inspectOptions) kindApart() string {
	if o.stats == "" || len(o.places) < 2 {
		return ""
	}
	for _, place := range o.places {
		if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) && new(statsFlag).Set(place) == nil {
			return place
		}
	}
	return ""
}

func runInspect(ctx context.Context, app *app, opts inspectOptions) error {
	wal, err := openWAL(ctx, opts.places, pg.TimelineID(opts.timeline), opts.restore.named(app))
	if err != nil {
		return err
	}
	defer wal.close()
	names, err := inspectNames(ctx, app, wal, &opts)
	if err != nil {
		return err
	}
	span := wal.span
	if opts.start != 0 {
		span.From = pg.LSN(opts.start)
	}
	if opts.end != 0 {
		span.To = pg.LSN(opts.end)
	}
	if span.Empty() {
		return usagef("nothing lies between %s and %s", span.From, span.To)
	}
	if opts.check {
		return runCheck(ctx, app, wal, span, opts.format)
	}
	out, err := newRecordPrinter(app, wal, opts, names)
	if err != nil {
		return err
	}
	stop, err := readRecords(ctx, app, wal, span, opts, out)
	if err != nil {
		return err
	}
	if err := out.finish(stop); err != nil {
		return err
	}
	if stop.Reason == walinspect.StopMissingSegment && opts.end == 0 {
		return wal.missing(ctx, stop)
	}
	return stop.Err
}

// readRecords hands the records of the span that pass the filter to out, and
// tells why reading ended.
func readRecords(ctx context.Context, app *app, wal *openedWAL, span pg.Span, opts inspectOptions, out recordPrinter) (walinspect.Stop, error) {
	first, err := wal.firstRecord(ctx, span.From)
	if stopped := (*walinspect.StopError)(nil); errors.As(err, &stopped) {
		return stopped.Stop, nil
	}
	if err != nil {
		return walinspect.Stop{}, err
	}
	if opts.start != 0 && first != span.From {
		fmt.Fprintf(app.stderr, "forkpoint: no record starts at %s; the first after it is at %s\n", span.From, first)
	}
	reader := walinspect.NewReader(wal.pages, wal.geometry, first)
	reader.SetLimit(span.To)
	var printed int64
	for reader.Next(ctx) {
		rec := reader.Record()
		if opts.period.active() {
			switch opts.period.place(rec) {
			case earlier:
				continue
			case later:
				return walinspect.Stop{Reason: walinspect.StopLimit, LSN: rec.LSN, Timeline: rec.Timeline}, nil
			}
		}
		if !opts.filter.match(rec) {
			continue
		}
		if err := out.record(rec); err != nil {
			return walinspect.Stop{}, err
		}
		if printed++; printed == opts.limit {
			return walinspect.Stop{Reason: walinspect.StopLimit, LSN: rec.End, Timeline: rec.Timeline}, nil
		}
	}
	stop := reader.Stop()
	return stop, nil
}
