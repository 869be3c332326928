package reports

import "fmt"

// Document is the matrix for people.
func (m *NodeMatrix) Document() Document {
	doc := Document{Sections: []Section{{"Nodes", []Part{m.nodeTable()}}, {"Who can follow whom", []Part{m.grid()}}}}
	if losses := m.losses(); len(losses.Rows) > 0 {
		doc.Sections = append(doc.Sections, Section{"What a node would lose to follow another", []Part{losses}})
	}
	doc.Sections = append(doc.Sections, Section{"What each choice of survivor would lose", []Part{m.choices()}})
	if len(m.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(m.Findings)}})
	}
	return doc
}

func (m *NodeMatrix) nodeTable() Table {
	t := Table{Columns: []Column{{"", true}, {"node", false}, {"timeline", true}, {"reached", true}, {"state", false}}}
	for i, n := range m.Nodes {
		state := n.State
		if n.InRecovery {
			state += ", standby"
		}
		row := []any{letter(i), n.Name, nil, nil, state}
		if n.Timeline != 0 {
			row[2] = n.Timeline.String()
		}
		if n.Reached.Valid() {
			row[3] = n.Reached
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (m *NodeMatrix) grid() Table {
	t := Table{Columns: []Column{{"can this node", false}}, Note: "Read along the row. ahead: it has all that the other has, and more. parted: both went on. other log: two logs under one timeline number."}
	for i := range m.Nodes {
		t.Columns = append(t.Columns, Column{"follow " + letter(i), false})
		row := make([]any, len(m.Nodes)+1)
		row[0], row[i+1] = letter(i), "."
		for _, p := range m.Pairs {
			if p.Target == i {
				row[p.Source+1] = pairTexts[p.Relation]
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

var pairTexts = map[PairRelation]string{
	PairFollows: "yes", PairAhead: "no, ahead", PairDiverged: "no, parted", PairSameNumber: "no, other log", PairUnrelated: "never", PairUnknown: "not known",
}

// losses has a row for each node that would have to be rewound.
func (m *NodeMatrix) losses() Table {
	t := Table{Columns: []Column{{"node", false}, {"since", true}, {"log", true}, {"commits", true}, {"first", false}, {"last", false}}}
	for _, p := range m.Pairs {
		if !p.loses() {
			continue
		}
		row := []any{letter(p.Target) + " to follow " + letter(p.Source), p.Fork, Bytes(p.LostBytes), "not known", nil, nil}
		if p.Known {
			row[3] = fmt.Sprint(p.LostCommits)
		} else if p.LostCommits > 0 {
			row[3] = fmt.Sprintf("%d at least", p.LostCommits)
		}
		if p.LostCommits > 0 {
			row[4], row[5] = p.FirstCommit, p.LastCommit
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (m *NodeMatrix) choices() Table {
	t := Table{Columns: []Column{{"survivor", false}, {"follow", true}, {"rewind", true}, {"log lost", true}, {"commits", true}, {"first", false}, {"last", false}},
		Note: "follow: nodes that can follow it as they are. rewind: nodes that must be rewound. What two of these have in common counts once."}
	for i, s := range m.Survivors {
		row := []any{letter(i), Count(s.Follow), Count(s.Rewind), Bytes(s.Bytes), fmt.Sprint(s.Commits), nil, nil}
		if s.Unknown > 0 {
			row[4] = fmt.Sprintf("%d, %d not known", s.Commits, s.Unknown)
		}
		if s.Commits > 0 {
			row[5], row[6] = s.FirstCommit, s.LastCommit
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func letter(i int) string { return string(rune('A' + i%26)) }
