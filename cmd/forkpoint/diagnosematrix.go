package main

import (
	"context"
	"fmt"
	"os"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// runMatrix sets any number of nodes against each other.
func runMatrix(ctx context.Context, app *app, opts diagnoseOptions) error {
	opener := &nodeOpener{app: app, opts: opts.ends}
	defer opener.close()
	nodes, err := opener.openAll(ctx, opts.nodes)
	defer func() {
		for _, n := range nodes {
			n.close()
		}
	}()
	if err != nil {
		return err
	}
	m := &reports.NodeMatrix{Schema: reports.MatrixSchema, Findings: reports.Findings{}}
	for _, n := range nodes {
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
	if err := turnRound(ctx, m, nodes); err != nil {
		return err
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

// openAll opens all nodes. One that is down or cannot be read does not keep from
// telling about the others, where there are two of them at least.
func (o *nodeOpener) openAll(ctx context.Context, names []string) ([]*lineageNode, error) {
	var nodes []*lineageNode
	var first error
	opened := 0
	for _, name := range names {
		n, err := o.open(ctx, name)
		switch _, missing := os.Stat(name); {
		case ctx.Err() != nil:
			return nodes, context.Cause(ctx)
		case err == nil:
			opened++
		case missing != nil && !isConninfo(name), statusOf(err) == statusUsage:
			return nodes, err
		default:
			if isConninfo(name) && missing != nil {
				name = source.Name(name) // without a password
			}
			n = &lineageNode{DiagnosedNode: reports.DiagnosedNode{Name: name, State: "not read", Error: err.Error()}, close: func() {}}
			if first == nil {
				first = fmt.Errorf("%s: %w", name, err)
			}
		}
		nodes = append(nodes, n)
	}
	if opened < 2 {
		return nodes, first
	}
	return nodes, nil
}

// pairOf says whether target can follow source, and what it would lose.
func pairOf(ctx context.Context, target, src *lineageNode) (reports.NodePair, error) {
	for _, n := range []*lineageNode{target, src} {
		if n.Error != "" {
			return reports.NodePair{Relation: reports.PairUnknown, Why: fmt.Sprintf("nothing is known of %s", n.Name)}, nil
		}
	}
	r, err := relate(ctx, target, src)
	if err != nil {
		return reports.NodePair{}, err
	}
	p := reports.NodePair{Fork: r.fork.LSN, Timeline: r.fork.Timeline}
	p.Relation, p.Why = r.judge(target, src)
	switch p.Relation {
	case reports.PairUnrelated:
		p.Fork = 0
		return p, nil
	case reports.PairFollows, reports.PairUnknown:
		if r.fork.Same() {
			p.Fork = 0
		}
		return p, nil
	case reports.PairSameNumber:
		p.Fork, p.Timeline = r.comparison.Fork, r.comparison.Tli
	case reports.PairAhead:
		p.Fork = r.comparison.Alike
	}
	return p, countLost(ctx, target, &p)
}

// turnRound fills in what an archive has shown of one node for the other: a node
// whose log is known to have all of another's is ahead of it.
func turnRound(ctx context.Context, m *reports.NodeMatrix, nodes []*lineageNode) error {
	follows := map[[2]int]bool{}
	for _, p := range m.Pairs {
		follows[[2]int{p.Target, p.Source}] = p.Relation == reports.PairFollows && p.Fork == 0
	}
	for i := range m.Pairs {
		p := &m.Pairs[i]
		target, src := nodes[p.Target], nodes[p.Source]
		if p.Relation != reports.PairUnknown || !follows[[2]int{p.Source, p.Target}] || target.Reached <= src.Reached || !src.Reached.Valid() {
			continue
		}
		p.Relation, p.Fork, p.Why = reports.PairAhead, src.Reached, ""
		if err := countLost(ctx, target, p); err != nil {
			return err
		}
	}
	return nil
}

// countLost reads what the target has past the fork. Two logs under one number
// are in no archive that could be told apart by its names.
func countLost(ctx context.Context, target *lineageNode, p *reports.NodePair) error {
	if target.Reached > p.Fork {
		p.LostBytes = uint64(target.Reached - p.Fork)
	}
	if target.wal == nil {
		return nil
	}
	wal := target.wal
	if p.Relation != reports.PairSameNumber {
		wal = segment.NewChain(target.wal, target.archive)
	}
	lost, err := indexer.New(wal, target.geometry, nil, indexer.Options{Workers: 1}).Touched(ctx, target.Path, pg.Span{From: p.Fork, To: pg.MaxLSN})
	if err != nil {
		return fmt.Errorf("%s: read WAL since %s: %w", target.Name, p.Fork, err)
	}
	p.Known = lost.End > p.Fork
	for _, gap := range lost.Gaps {
		if gap.From < target.Reached {
			p.Known, p.Why = false, fmt.Sprintf("what %s wrote at %s and after is not at hand: %s", target.Name, gap.From, gap.Reason)
			break
		}
	}
	if p.Known {
		p.LostBytes = uint64(lost.End - p.Fork)
	}
	for _, x := range lost.Xacts {
		if !x.Kind.Commits() {
			continue
		}
		if p.LostCommits == 0 || x.Time.Before(p.FirstCommit) {
			p.FirstCommit = x.Time
		}
		p.LostCommits++
		if x.Time.After(p.LastCommit) {
			p.LastCommit = x.Time
		}
	}
	return nil
}
