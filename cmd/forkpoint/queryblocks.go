package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

func newBlocksCommand(app *app) *cobra.Command {
	opts := queryOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "blocks [flags] RELATION",
		Short: "Show which parts of the log touched a relation, and who",
		Long: `Show the segments of the log that touched a relation: blocks, rows, and when.
Where the segment's file is still there, also the transactions that did it.

The relation is named as tablespace/database/relation, or by name with --pgdata.
The answer comes from the catalog of "forkpoint index".`,
		Example: `  forkpoint blocks 1663/5/16384
  forkpoint blocks public.orders --pgdata /data/old`,
		Args: wantArgs(1, 1, "a relation"),
		RunE: func(cmd *cobra.Command, args []string) error { return runBlocks(cmd.Context(), app, opts, args[0]) },
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runBlocks(ctx context.Context, app *app, opts queryOptions, relation string) error {
	q, err := openQuery(ctx, app, opts)
	if err != nil {
		return err
	}
	defer q.close()
	choice, err := q.relation(relation)
	if err != nil {
		return err
	}
	h := &reports.BlockHistory{Schema: reports.BlocksSchema, Relation: relation, Segments: []reports.BlockSegment{}}
	err = q.touched(ctx, choice, func(t store.TouchedSegment) error {
		s := t.Segment
		out := reports.BlockSegment{Segment: s.Name.Format(s.SegmentSize), Timeline: s.Name.Timeline, From: s.First, To: s.End, First: t.First, Last: t.Last,
			RelFork: t.Fork, Blocks: t.Entry.Touched, Activity: reports.Activity(t.Activity)}
		if t.Entry.IsCut() {
			out.CutTo = &t.Entry.Limit
		}
		xids := map[pg.XID]bool{}
		out.Read, err = q.records(ctx, s, func(rec *walinspect.Record) error {
			for i := range rec.Blocks {
				if rec.Blocks[i].Tag.RelFork == t.Fork && rec.XID != 0 {
					xids[rec.XID] = true
				}
			}
			return nil
		})
		out.XIDs = slices.Sorted(maps.Keys(xids))
		h.Segments = append(h.Segments, out)
		return err
	})
	if err != nil {
		return err
	}
	return app.show(opts.format, h)
}

// touched goes through the segments that touched any storage of a relation. The
// rows are read first: the catalog has one connection.
func (q *query) touched(ctx context.Context, choice *relationChoice, each func(store.TouchedSegment) error) error {
	var list []store.TouchedSegment
	for _, rel := range slices.SortedFunc(maps.Keys(choice.storage), pg.RelFileLocator.Compare) {
		err := q.catalog.Touched(ctx, q.cluster, rel, func(t store.TouchedSegment) error {
			if q.timeline == 0 || t.Segment.Name.Timeline == q.timeline {
				list = append(list, t)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, t := range list {
		if err := each(t); err != nil {
			return err
		}
	}
	return nil
}

func newBlameCommand(app *app) *cobra.Command {
	opts := queryOptions{format: render.Text}
	var fork forkFlag
	cmd := &cobra.Command{
		Use:   "blame [flags] RELATION BLOCK",
		Short: "Show the records that changed one block of a relation",
		Long: `Show the history of one block: every record that refers to it, in the order of
the log, on all branches that the catalog knows.

The catalog tells which segments to look into; they are decoded where they were
indexed from, in pg_wal of --pgdata, or in an archive. Segments that are not
there any more are named.`,
		Example: `  forkpoint blame 1663/5/16384 7
  forkpoint blame public.orders 7 --pgdata /data/old --archive /backup/archive`,
		Args: wantArgs(2, 2, "a relation and a block"),
		RunE: func(cmd *cobra.Command, args []string) error {
			block, err := strconv.ParseUint(args[1], 10, 32)
			if err != nil || pg.BlockNumber(block) == pg.InvalidBlock {
				return usagef("block %q: want a number from 0 on", args[1])
			}
			return runBlame(cmd.Context(), app, opts, args[0], fork.ForkNumber, pg.BlockNumber(block))
		},
	}
	opts.addFlags(cmd.Flags())
	cmd.Flags().VarP(&fork, "fork", "F", "of this fork; `main`, fsm, vm or init")
	return cmd
}

func runBlame(ctx context.Context, app *app, opts queryOptions, relation string, fork pg.ForkNumber, block pg.BlockNumber) error {
	q, err := openQuery(ctx, app, opts)
	if err != nil {
		return err
	}
	defer q.close()
	choice, err := q.relation(relation)
	if err != nil {
		return err
	}
	h := &reports.RecordHistory{Schema: reports.RecordsSchema, Records: []reports.BlockRecord{}, Unread: []string{},
		About: fmt.Sprintf("Records of block %d of %s, fork %s.", block, relation, fork)}
	err = q.touched(ctx, choice, func(t store.TouchedSegment) error {
		if t.Fork.Fork != fork || !t.Entry.IsTouched(block) {
			return nil
		}
		read, err := q.records(ctx, t.Segment, func(rec *walinspect.Record) error {
			for i := range rec.Blocks {
				if b := &rec.Blocks[i]; b.Tag.RelFork == t.Fork && b.Tag.Block == block {
					h.Add(q.record(rec, b.HasImage()))
				}
			}
			return nil
		})
		if !read {
			h.Unread = append(h.Unread, t.Segment.Name.Format(t.Segment.SegmentSize))
		}
		return err
	})
	if err != nil {
		return err
	}
	return app.show(opts.format, h)
}

// record describes a record with all blocks that it refers to.
func (q *query) record(rec *walinspect.Record, image bool) reports.BlockRecord {
	out := reports.BlockRecord{LSN: rec.LSN, Timeline: rec.Timeline, XID: rec.XID, Rmgr: rec.Rmgr.String(), Op: rmgr.OpName(rec), Image: image,
		Text: rmgr.Describe(rec)}
	for i := range rec.Blocks {
		tag := rec.Blocks[i].Tag
		out.Blocks = append(out.Blocks, fmt.Sprintf("%s block %d", q.label(tag.RelFork), tag.Block))
	}
	return out
}

func newXactCommand(app *app) *cobra.Command {
	opts := queryOptions{format: render.Text}
	cmd := &cobra.Command{
		Use:   "xact [flags] XID",
		Short: "Show all that a transaction touched, and how it ended",
		Long: `Show how a transaction ended and every record of it and of its subtransactions,
with the blocks that they touched. Segments are decoded where they still are.`,
		Example: `  forkpoint xact 733
  forkpoint xact 733 --pgdata /data/old --format json | jq '.records[].blocks'`,
		Args: wantArgs(1, 1, "a transaction's identifier"),
		RunE: func(cmd *cobra.Command, args []string) error {
			xid, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil || pg.XID(xid) < pg.FirstNormalXID {
				return usagef("transaction %q: want a number from %d on", args[0], pg.FirstNormalXID)
			}
			return runXact(cmd.Context(), app, opts, pg.XID(xid))
		},
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runXact(ctx context.Context, app *app, opts queryOptions, xid pg.XID) error {
	q, err := openQuery(ctx, app, opts)
	if err != nil {
		return err
	}
	defer q.close()
	h := &reports.RecordHistory{Schema: reports.RecordsSchema, Records: []reports.BlockRecord{}, Unread: []string{},
		About: fmt.Sprintf("Records of transaction %d.", xid)}
	family := map[pg.XID]bool{xid: true}
	var segments []*blockmap.Segment
	err = q.catalog.SegmentsOf(ctx, q.cluster, xid, func(s *blockmap.Segment) error {
		if q.timeline != 0 && s.Name.Timeline != q.timeline {
			return nil
		}
		kept := false
		for _, x := range s.Xacts {
			if x.XID != xid {
				continue
			}
			kept = true
			h.Outcome = &reports.Outcome{Kind: x.Kind, LSN: x.LSN, Time: x.Time, Subxacts: x.Subxacts(), GID: x.GID()}
			for _, sub := range x.Subxacts() {
				family[sub] = true
			}
		}
		for _, x := range s.XIDs {
			if x.XID == xid || x.Top == xid || family[x.XID] {
				kept = true
				h.Total += x.Records
			}
		}
		if kept {
			segments = append(segments, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range segments {
		read, err := q.records(ctx, s, func(rec *walinspect.Record) error {
			if family[rec.XID] || rec.HasTopXID && rec.TopXID == xid {
				image := slices.ContainsFunc(rec.Blocks, func(b walinspect.BlockRef) bool { return b.HasImage() })
				h.Add(q.record(rec, image))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !read {
			h.Unread = append(h.Unread, s.Name.Format(s.SegmentSize))
		}
	}
	return app.show(opts.format, h)
}
