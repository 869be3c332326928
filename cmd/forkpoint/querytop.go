package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// topFlag is what the log is sorted by.
type topFlag string

func (f *topFlag) Set(s string) error {
	if !slices.Contains([]string{"relation", "transaction", "record", "time"}, s) {
		return errors.New("want relation, transaction, record or time")
	}
	*f = topFlag(s)
	return nil
}

func (f *topFlag) Type() string   { return "KEY" }
func (f *topFlag) String() string { return string(*f) }

func newTopCommand(app *app) *cobra.Command {
	opts := queryOptions{format: render.Text}
	by, limit := topFlag("relation"), 20
	cmd := &cobra.Command{
		Use:   "top [flags]",
		Short: "Show what writes the log: relations, transactions, kinds of records, minutes",
		Long: `Show what most of the log in the catalog is about. A record with blocks of
several relations counts for each; the time is that of the last commit or abort
in a segment.`,
		Example: `  forkpoint top --pgdata /data/old
  forkpoint top --by transaction --timeline 2
  forkpoint top --by record --limit 5 --format json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit %d: want a positive number", limit)
			}
			return runTop(cmd.Context(), app, opts, string(by), limit)
		},
	}
	cmd.Flags().Var(&by, "by", "sort by `KEY`: relation, transaction, record or time")
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "show this `number` of rows")
	opts.addFlags(cmd.Flags())
	return cmd
}

func runTop(ctx context.Context, app *app, opts queryOptions, by string, limit int) error {
	q, err := openQuery(ctx, app, opts)
	if err != nil {
		return err
	}
	defer q.close()
	top := &reports.Top{Schema: reports.TopSchema, By: by, Rows: []reports.TopItem{}}
	ask, what := q.catalog.TopRelations, func(v store.Volume) string { return q.label(v.Fork) }
	switch by {
	case "transaction":
		if top.Rows, err = q.topTransactions(ctx, limit); err != nil {
			return err
		}
		return app.show(opts.format, top)
	case "record":
		ask, what = q.catalog.TopRecords, func(v store.Volume) string {
			rec := &walinspect.Record{Rmgr: v.Rmgr, Info: v.Op, Layout: &walinspect.Layout{Major: q.cluster.Major}}
			return v.Rmgr.String() + " " + rmgr.OpName(rec)
		}
	case "time":
		ask, what = q.catalog.TopMinutes, func(v store.Volume) string {
			return fmt.Sprintf("%s, timeline %d", v.From.UTC().Format("2006-01-02 15:04 MST"), v.Timeline)
		}
	}
	list, err := ask(ctx, q.cluster, q.timeline, limit)
	if err != nil {
		return err
	}
	for _, v := range list {
		top.Rows = append(top.Rows, reports.TopItem{What: what(v), Records: v.Records, WALBytes: v.WALBytes, ImageBytes: v.ImageSize})
	}
	return app.show(opts.format, top)
}

// topTransactions sums up the packed lists of all segments. A number that two
// branches gave out counts for both.
func (q *query) topTransactions(ctx context.Context, limit int) ([]reports.TopItem, error) {
	type key struct {
		tli pg.TimelineID
		xid pg.XID
	}
	type sum struct{ records, bytes int64 }
	sums := map[key]sum{}
	err := q.catalog.Transactions(ctx, q.cluster, func(tli pg.TimelineID, xids []blockmap.XIDActivity) error {
		for _, x := range xids {
			if x.XID == 0 || q.timeline != 0 && tli != q.timeline {
				continue
			}
			k := key{tli, cmp.Or(x.Top, x.XID)}
			s := sums[k]
			sums[k] = sum{s.records + x.Records, s.bytes + x.Bytes}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys := make([]key, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(sums[b].bytes, sums[a].bytes), cmp.Compare(a.tli, b.tli), cmp.Compare(a.xid, b.xid))
	})
	rows := []reports.TopItem{}
	for _, k := range keys[:min(limit, len(keys))] {
		rows = append(rows, reports.TopItem{What: fmt.Sprintf("%d, timeline %d", k.xid, k.tli), Records: sums[k].records, WALBytes: sums[k].bytes})
	}
	return rows, nil
}
