package reports

import (
	"fmt"
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
	Known       bool          `json:"wal_read"` // commits were counted in the target's log
	Why         string        `json:"why,omitempty"`
}

// Survivor is what the choice of one node would lose of the others. Where two
// of them hold the same commits these count for both.
type Survivor struct {
	Node    int    `json:"node"`
	Follow  int    `json:"can_follow"` // nodes that can follow as they are
	Rewind  int    `json:"must_be_rewound"`
	Commits int    `json:"lost_commits"`
	Bytes   uint64 `json:"lost_bytes"`
	Other   int    `json:"unrelated"`
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
		default:
			s.Rewind++
			s.Commits += p.LostCommits
			s.Bytes += p.LostBytes
		}
		if p.Target > p.Source {
			continue // both ways are one matter
		}
		a, b := m.Nodes[p.Target].Name, m.Nodes[p.Source].Name
		switch p.Relation {
		case PairSameNumber:
			m.Findings.Add(Finding{Code: "same-timeline-other-log", Severity: Damage, LSN: p.Fork, Title: fmt.Sprintf("two logs under one timeline number: %s and %s", a, b),
				Detail: fmt.Sprintf("Both wrote their own log from %s on. pg_rewind would say that nothing is to be done.", p.Fork), Hint: "keep their archives apart"})
		case PairUnrelated:
			m.Findings.Add(Finding{Code: "unrelated-nodes", Severity: Damage, Title: fmt.Sprintf("%s and %s have nothing in common", a, b), Detail: p.Why})
		}
	}
	for _, p := range m.Pairs {
		if p.Relation == PairDiverged {
			m.Findings.Add(Finding{Code: "diverged", Severity: Warning, LSN: p.Fork, Timeline: p.Timeline, Title: fmt.Sprintf("%s cannot follow %s as it is", m.Nodes[p.Target].Name, m.Nodes[p.Source].Name),
				Hint: "forkpoint diagnose with these two says what a rewind needs"})
		}
	}
	m.Findings.sort()
}

// Worst is the gravest finding.
func (m *NodeMatrix) Worst() Severity { return m.Findings.Worst() }

// Document is the matrix for people.
func (m *NodeMatrix) Document() Document {
	nodes := Table{Columns: []Column{{"", true}, {"node", false}, {"timeline", true}, {"reached", true}, {"state", false}}}
	for i, n := range m.Nodes {
		state := n.State
		if n.InRecovery {
			state += ", standby"
		}
		row := []any{letter(i), n.Name, n.Timeline.String(), nil, state}
		if n.Reached.Valid() {
			row[3] = n.Reached
		}
		nodes.Rows = append(nodes.Rows, row)
	}
	grid := Table{Columns: []Column{{"can this node", false}}, Note: "Read along the row: a number is the bytes that the node of the row has and would lose."}
	for i := range m.Nodes {
		grid.Columns = append(grid.Columns, Column{"follow " + letter(i), false})
		row := make([]any, len(m.Nodes)+1)
		row[0], row[i+1] = letter(i), "."
		for _, p := range m.Pairs {
			if p.Target == i {
				row[p.Source+1] = pairText(p)
			}
		}
		grid.Rows = append(grid.Rows, row)
	}
	choices := Table{Columns: []Column{{"survivor", false}, {"can follow it", true}, {"must be rewound", true}, {"commits lost", true}, {"log lost", true}, {"last lost commit", false}}}
	for i, s := range m.Survivors {
		var last time.Time
		for _, p := range m.Pairs {
			if p.Source == i && p.LastCommit.After(last) {
				last = p.LastCommit
			}
		}
		row := []any{letter(i) + "  " + m.Nodes[i].Name, Count(s.Follow), Count(s.Rewind), Count(s.Commits), Bytes(s.Bytes), nil}
		if !last.IsZero() {
			row[5] = last
		}
		choices.Rows = append(choices.Rows, row)
	}
	doc := Document{Sections: []Section{{"Nodes", []Part{nodes}}, {"Who can follow whom", []Part{grid}}, {"What each choice of survivor would lose", []Part{choices}}}}
	if len(m.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(m.Findings)}})
	}
	return doc
}

func letter(i int) string { return string(rune('A' + i%26)) }

func pairText(p NodePair) string {
	switch p.Relation {
	case PairFollows:
		return "yes"
	case PairUnrelated:
		return "never"
	case PairSameNumber:
		return fmt.Sprintf("same number, other log from %s; %d B, %s", p.Fork, p.LostBytes, count(p.LostCommits, "commit", "commits"))
	case PairAhead:
		return fmt.Sprintf("ahead by %d B, %s", p.LostBytes, count(p.LostCommits, "commit", "commits"))
	}
	return fmt.Sprintf("parted at %s; %d B, %s", p.Fork, p.LostBytes, count(p.LostCommits, "commit", "commits"))
}
