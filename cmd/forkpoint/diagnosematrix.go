package main

import (
	"context"
	"fmt"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/walinspect/pg"
)

// runMatrix sets any number of nodes against each other.
func runMatrix(ctx context.Context, app *app, opts diagnoseOptions) error {
	var nodes []*lineageNode
	defer func() {
		for _, n := range nodes {
			n.close()
		}
	}()
	m := &reports.NodeMatrix{Schema: reports.MatrixSchema, Findings: reports.Findings{}}
	for _, name := range opts.nodes {
		n, err := openNode(ctx, app, name, opts.ends)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		nodes = append(nodes, n)
		m.Nodes = append(m.Nodes, n.DiagnosedNode)
	}
	for i, target := range nodes {
		for j, src := range nodes {
			if i == j {
				continue
			}
			pair, err := pairOf(ctx, target, src)
			if err != nil {
				return err
			}
			pair.Target, pair.Source = i, j
			m.Pairs = append(m.Pairs, pair)
		}
	}
	m.Judge()
	if err := app.show(opts.format, m); err != nil {
		return err
	}
	if m.Worst() >= reports.Warning {
		return errFindings
	}
	return nil
}

// pairOf says whether target can follow source, and what it would lose.
func pairOf(ctx context.Context, target, src *lineageNode) (reports.NodePair, error) {
	r, err := relate(ctx, target, src)
	if err != nil {
		return reports.NodePair{}, err
	}
	p := reports.NodePair{Fork: r.fork.LSN, Timeline: r.fork.Timeline}
	switch {
	case r.err != nil:
		p.Relation, p.Why = reports.PairUnrelated, r.err.Error()
		return p, nil
	case r.comparison != nil && r.comparison.Differs:
		p.Relation, p.Fork = reports.PairSameNumber, r.comparison.Fork
	case r.fork.Same() && target.Reached > src.Reached && src.Reached.Valid():
		p.Relation, p.Fork = reports.PairAhead, src.Reached
	case r.fork.Same():
		p.Relation, p.Fork = reports.PairFollows, 0
		return p, nil
	case !r.ahead(target):
		p.Relation = reports.PairFollows
		return p, nil
	default:
		p.Relation = reports.PairDiverged
	}
	if target.Reached > p.Fork {
		p.LostBytes = uint64(target.Reached - p.Fork)
	}
	if target.wal == nil {
		return p, nil
	}
	lost, err := indexer.New(target.wal, target.geometry, nil, indexer.Options{Workers: 1}).Touched(ctx, target.Path, pg.Span{From: p.Fork, To: pg.MaxLSN})
	if err != nil {
		return p, fmt.Errorf("%s: read WAL since %s: %w", target.Name, p.Fork, err)
	}
	p.Known = lost.End > p.Fork
	if p.Known {
		p.LostBytes = uint64(lost.End - p.Fork)
	}
	for _, x := range lost.Xacts {
		if !x.Kind.Commits() {
			continue
		}
		if p.LostCommits == 0 {
			p.FirstCommit = x.Time
		}
		p.LostCommits++
		p.LastCommit = x.Time
	}
	return p, nil
}
