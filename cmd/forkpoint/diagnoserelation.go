package main

import (
	"context"
	"errors"
	"fmt"

	"forkpoint/reports"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// relation is how one node stands to another.
type relation struct {
	fork       timeline.ForkPoint
	comparison *lineage.Comparison // where the histories are the same and both have WAL
	archived   bool                // it was drawn with the archives
	unsure     string              // why the archives did not help
	err        error
}

// relate finds where two nodes parted: by their histories, and where those are
// the same by their logs. What the source has recycled is looked for in the
// archives.
func relate(ctx context.Context, target, src *lineageNode) (relation, error) {
	var r relation
	if target.SystemID != 0 && src.SystemID != 0 && target.SystemID != src.SystemID {
		r.err = errOtherCluster
		return r, nil
	}
	if r.fork, r.err = timeline.CommonAncestor(src.Path, target.Path); r.err != nil {
		return r, nil
	}
	if !r.fork.Same() || target.wal == nil || src.wal == nil {
		return r, nil
	}
	logs := lineage.Logs{A: target.wal, B: src.wal, Path: target.Path, Geometry: target.geometry}
	var err error
	if r.comparison, err = lineage.Compare(ctx, logs, target.Reached); err != nil {
		return r, fmt.Errorf("compare the WAL of %s and %s: %w", target.Name, src.Name, err)
	}
	archive := src.archive
	if r.comparison.Differs || r.comparison.Vouched.Valid() || archive == nil || !target.Reached.Valid() || !src.Reached.Valid() {
		return r, nil
	}
	a, err := lineage.CompareArchived(ctx, logs, archive, target.Reached, src.Reached)
	if err != nil {
		return r, fmt.Errorf("compare the WAL of %s and %s: %w", target.Name, src.Name, err)
	}
	if r.unsure = a.Unsure; a.Comparison != nil {
		r.comparison, r.archived = a.Comparison, true
	}
	return r, nil
}

var errOtherCluster = errors.New("not the same cluster")

// lsn is where the two parted; MaxLSN if they did not.
func (r relation) lsn() pg.LSN {
	if r.comparison != nil && r.comparison.Differs {
		return r.comparison.Fork
	}
	return r.fork.LSN
}

// ahead tells whether a node has log that is not part of the other's.
func (r relation) ahead(n *lineageNode) bool { return n.Reached > r.lsn() }

// judge says whether target can follow source. Where the histories are the same
// only the records tell, and where none could be compared it is not known; why
// says what is in the way.
func (r relation) judge(target, src *lineageNode) (how reports.PairRelation, why string) {
	c := r.comparison
	switch {
	case r.err != nil:
		return reports.PairUnrelated, r.err.Error()
	case !r.fork.Same() && !target.Reached.Valid():
		return reports.PairUnknown, fmt.Sprintf("how far %s has come is not known", target.Name)
	case !r.fork.Same() && r.ahead(target):
		return reports.PairDiverged, ""
	case !r.fork.Same():
		return reports.PairFollows, ""
	case c == nil:
		return reports.PairUnknown, fmt.Sprintf("both are on timeline %d by their histories, and there is no WAL of %s to compare", target.Timeline, withoutWAL(target, src))
	case c.Differs:
		return reports.PairSameNumber, ""
	case !c.Vouched.Valid() || c.Unsure != "":
		return reports.PairUnknown, r.uncompared(target, src)
	case c.A.Record && !c.B.Record && (c.B.Stop.EndOfWAL() || src.Reached <= c.Alike) && !(target.live() && target.InRecovery && c.PartOf(target.geometry, target.Reached)):
		return reports.PairAhead, ""
	case c.PartOf(target.geometry, target.Reached):
		return reports.PairFollows, ""
	}
	return reports.PairUnknown, fmt.Sprintf("the records are the same up to %s, and %s ends at %s", c.Alike, target.Name, target.Reached)
}

func withoutWAL(target, src *lineageNode) string {
	if target.wal == nil {
		return target.Name
	}
	return src.Name
}

// uncompared says why two logs of one timeline number could not be shown to be
// the same.
func (r relation) uncompared(target, src *lineageNode) string {
	c := r.comparison
	why := c.Unsure
	switch {
	case c.Segments > 0 && target.Reached.Valid() && c.From >= target.Reached:
		why = fmt.Sprintf("%s ends at %s, and has no segment before that in common with %s", target.Name, target.Reached, src.Name)
	case c.Segments > 0 && src.Reached.Valid() && c.From >= src.Reached:
		why = fmt.Sprintf("%s ends at %s, and has no segment before that in common with %s", src.Name, src.Reached, target.Name)
	case why != "":
	case c.Segments == 0:
		why = fmt.Sprintf("%s and %s have no segment of timeline %d in common", target.Name, src.Name, target.Timeline)
	case c.A.Stop == walinspect.StopMissingSegment || c.B.Stop == walinspect.StopMissingSegment || c.Alike > c.From:
		why = fmt.Sprintf("the records that %s and %s share, from %s to %s, carry no time that would show them to be of one server", target.Name, src.Name, c.From, c.Alike)
	default:
		why = fmt.Sprintf("no record of %s could be compared with one of %s", target.Name, src.Name)
	}
	if r.unsure != "" {
		why += "; " + r.unsure
	}
	return fmt.Sprintf("both are on timeline %d, and whether they have one log is not known: %s", target.Timeline, why)
}

// live tells whether a server was asked.
func (n *lineageNode) live() bool { return n.Kind == source.Live.String() }
