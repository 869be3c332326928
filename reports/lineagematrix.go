package reports

import (
	"fmt"
	"strings"
	"time"

	"forkpoint/walinspect/pg"
)

// MatrixSchema names the JSON form of [NodeMatrix].
const MatrixSchema = "forkpoint/matrix/1"

// PairRelation is how one node stands to another.
type PairRelation string

const (
	PairFollows    PairRelation = "follows"     // it can follow as it is
	PairAhead      PairRelation = "ahead"       // one timeline, and it has more
	PairDiverged   PairRelation = "diverged"    // it has log past the fork
	PairSameNumber PairRelation = "same-number" // one timeline number, two logs
	PairUnrelated  PairRelation = "unrelated"
	PairUnknown    PairRelation = "unknown" // nothing could be compared, see Why
)

// NodeMatrix is each of several nodes against each other.
type NodeMatrix struct {
	Schema    string          `json:"schema"`
	Nodes     []DiagnosedNode `json:"nodes"`
	Pairs     []NodePair      `json:"pairs"`
	Survivors []Survivor      `json:"survivors"` // in the order of the nodes
	Findings  Findings        `json:"findings"`
}

// NodePair is what it would mean for Target to follow Source; both are indexes
// of nodes.
type NodePair struct {
	Target      int           `json:"target"`
	Source      int           `json:"source"`
	Relation    PairRelation  `json:"relation"`
	Fork        pg.LSN        `json:"fork,omitzero"`
	Timeline    pg.TimelineID `json:"timeline,omitempty"`
	LostBytes   uint64        `json:"lost_bytes"`
	LostCommits int           `json:"lost_commits"`
	FirstCommit time.Time     `json:"first_commit,omitzero"`
	LastCommit  time.Time     `json:"last_commit,omitzero"`
	Known       bool          `json:"wal_read"` // commits were counted in all of the target's log past the fork
	Why         string        `json:"why,omitempty"`
}

// Survivor is what the choice of one node would lose of the others. What two of
// them have in common counts once, where it is known that they have.
type Survivor struct {
	Node        int       `json:"node"`
	Follow      int       `json:"can_follow"` // nodes that can follow as they are
	Rewind      int       `json:"must_be_rewound"`
	Commits     int       `json:"lost_commits"`
	Bytes       uint64    `json:"lost_bytes"`
	FirstCommit time.Time `json:"first_commit,omitzero"` // of those that are lost
	LastCommit  time.Time `json:"last_commit,omitzero"`
	Other       int       `json:"unrelated"`
	Unknown     int       `json:"unknown"` // nodes of which nothing is known, or not what they would lose
}

// Judge sums the pairs up for each choice.
func (m *NodeMatrix) Judge() {
	m.Survivors = make([]Survivor, len(m.Nodes))
	for i := range m.Nodes {
		m.Survivors[i].Node = i
	}
	for _, p := range m.Pairs {
		s := &m.Survivors[p.Source]
		switch p.Relation {
		case PairFollows:
			s.Follow++
		case PairUnrelated:
			s.Other++
		case PairUnknown:
			s.Unknown++
		default:
			s.Rewind++
			m.lose(s, p)
		}
	}
	m.find()
	m.Findings.sort()
}

// lose adds what a node would lose, unless another one that loses it too has it
// all.
func (m *NodeMatrix) lose(s *Survivor, p NodePair) {
	for _, other := range m.Pairs {
		if other.Source != p.Source || other.Target == p.Target || !other.loses() || !m.within(p.Target, other.Target) {
			continue
		}
		if !m.within(other.Target, p.Target) || other.Target < p.Target {
			return
		}
	}
	if !p.Known {
		s.Unknown++
	}
	s.Commits += p.LostCommits
	s.Bytes += p.LostBytes
	if p.LostCommits > 0 && (s.FirstCommit.IsZero() || p.FirstCommit.Before(s.FirstCommit)) {
		s.FirstCommit = p.FirstCommit
	}
	if p.LastCommit.After(s.LastCommit) {
		s.LastCommit = p.LastCommit
	}
}

func (p NodePair) loses() bool {
	return p.Relation == PairAhead || p.Relation == PairDiverged || p.Relation == PairSameNumber
}

// within tells whether the log of node a is known to be part of node b's.
func (m *NodeMatrix) within(a, b int) bool {
	for _, p := range m.Pairs {
		if p.Target == a && p.Source == b {
			return p.Relation == PairFollows
		}
	}
	return false
}

// find makes the findings: of nodes that were not reached, of pairs that hold for
// both ways, and for each node whom it cannot follow.
func (m *NodeMatrix) find() {
	for i, n := range m.Nodes {
		if n.Error != "" {
			m.Findings.Add(Finding{Code: "node-not-read", Severity: Warning, Title: fmt.Sprintf("nothing is known of %s  %s", letter(i), n.Name), Detail: sentence(n.Error) + ".",
				Hint: "run again once it can be reached, or name its data directory or an archive that it wrote in its place"})
		}
	}
	for _, p := range m.Pairs {
		a, b := m.Nodes[p.Target], m.Nodes[p.Source]
		if p.Target > p.Source || a.Error != "" || b.Error != "" {
			continue // both ways are one matter
		}
		switch p.Relation {
		case PairSameNumber:
			m.Findings.Add(Finding{Code: "same-timeline-other-log", Severity: Damage, LSN: p.Fork, Title: fmt.Sprintf("two logs under one timeline number: %s and %s", a.Name, b.Name),
				Detail: fmt.Sprintf("Both wrote their own log from %s on. pg_rewind would say that nothing is to be done.", p.Fork), Hint: "keep their archives apart"})
		case PairUnrelated:
			m.Findings.Add(Finding{Code: "unrelated-nodes", Severity: Damage, Title: fmt.Sprintf("%s and %s have nothing in common", a.Name, b.Name), Detail: sentence(p.Why) + "."})
		}
	}
	for i, n := range m.Nodes {
		var diverged []string
		var first NodePair
		for _, p := range m.Pairs {
			switch {
			case p.Target != i || n.Error != "" || m.Nodes[p.Source].Error != "":
			case p.Relation == PairDiverged:
				if diverged == nil {
					first = p
				}
				diverged = append(diverged, m.Nodes[p.Source].Name)
			case p.Relation == PairUnknown:
				m.Findings.Add(Finding{Code: "not-compared", Severity: Warning, Title: fmt.Sprintf("it is not known whether %s can follow %s", n.Name, m.Nodes[p.Source].Name), Detail: sentence(p.Why) + ".",
					Hint: "name an archive that has the missing segments with --archive"})
			}
		}
		if diverged != nil {
			m.Findings.Add(Finding{Code: "diverged", Severity: Warning, LSN: first.Fork, Timeline: first.Timeline, Title: fmt.Sprintf("%s cannot follow %s as it is", n.Name, strings.Join(diverged, ", ")),
				Hint: "forkpoint diagnose with these two says what a rewind needs"})
		}
	}
}

// Worst is the gravest finding.
func (m *NodeMatrix) Worst() Severity { return m.Findings.Worst() }
