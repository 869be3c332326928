package reports

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A and B are on one branch, of which B has a part; C is on another; D is down.
// What A and B would both lose counts once, and what is not known is counted as
// such.
func TestMatrixJudge(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 3, 1, 3, 0, s, 0, time.UTC) }
	pair := func(target, source int, how PairRelation) NodePair {
		return NodePair{Target: target, Source: source, Relation: how}
	}
	loses := func(target, source int, how PairRelation, bytes uint64, commits, first, last int) NodePair {
		return NodePair{Target: target, Source: source, Relation: how, LostBytes: bytes, LostCommits: commits, FirstCommit: at(first), LastCommit: at(last), Known: true}
	}
	m := &NodeMatrix{Nodes: []DiagnosedNode{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d", Error: "connection refused"}}, Pairs: []NodePair{
		loses(0, 1, PairAhead, 300, 1, 8, 8), loses(0, 2, PairDiverged, 1000, 5, 1, 8), pair(0, 3, PairUnknown),
		pair(1, 0, PairFollows), loses(1, 2, PairDiverged, 700, 4, 1, 7), pair(1, 3, PairUnknown),
		loses(2, 0, PairDiverged, 500, 2, 3, 4), loses(2, 1, PairDiverged, 500, 2, 3, 4), pair(2, 3, PairUnknown),
		pair(3, 0, PairUnknown), pair(3, 1, PairUnknown), pair(3, 2, PairUnknown),
	}}
	m.Judge()
	want := []Survivor{
		{Node: 0, Follow: 1, Rewind: 1, Commits: 2, Bytes: 500, FirstCommit: at(3), LastCommit: at(4), Unknown: 1},
		{Node: 1, Rewind: 2, Commits: 3, Bytes: 800, FirstCommit: at(3), LastCommit: at(8), Unknown: 1},
		{Node: 2, Rewind: 2, Commits: 5, Bytes: 1000, FirstCommit: at(1), LastCommit: at(8), Unknown: 1},
		{Node: 3, Unknown: 3},
	}
	if diff := cmp.Diff(want, m.Survivors); diff != "" {
		t.Errorf("survivors (-want +got):\n%s", diff)
	}
	count := map[string]int{}
	for _, f := range m.Findings {
		count[f.Code]++
	}
	if diff := cmp.Diff(map[string]int{"node-not-read": 1, "diverged": 3}, count); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Of two nodes that have all of each other's log one is counted, and a loss that
// was not read in full is a loss of an unknown size.
func TestMatrixJudgeTwins(t *testing.T) {
	m := &NodeMatrix{Nodes: make([]DiagnosedNode, 3), Pairs: []NodePair{
		{Target: 0, Source: 1, Relation: PairFollows}, {Target: 1, Source: 0, Relation: PairFollows},
		{Target: 0, Source: 2, Relation: PairDiverged, LostBytes: 10, LostCommits: 1}, {Target: 1, Source: 2, Relation: PairDiverged, LostBytes: 10, LostCommits: 1},
	}}
	m.Judge()
	if got, want := m.Survivors[2], (Survivor{Node: 2, Rewind: 2, Commits: 1, Bytes: 10, Unknown: 1}); got != want {
		t.Errorf("survivor %+v, want %+v", got, want)
	}
}
