package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// LineageSchema names the JSON form of [LineageTree].
const LineageSchema = "forkpoint/lineage/1"

// LineageTree shows all timelines of several places as one tree.
type LineageTree struct {
	Schema   string      `json:"schema"`
	Roots    []*TreeNode `json:"roots"`
	Places   []TreePlace `json:"places"`
	Findings Findings    `json:"findings"` // those of the history check
	size     pg.SegmentSize
}

// TreePlace is a node or archive and the timeline it is on.
type TreePlace struct {
	Path    string        `json:"path"`
	Current pg.TimelineID `json:"current_timeline,omitempty"`
	Reached pg.LSN        `json:"reached,omitzero"`
}

// TreeNode is one timeline.
type TreeNode struct {
	Timeline pg.TimelineID `json:"timeline"`
	Begin    pg.LSN        `json:"begin,omitzero"` // where it left its parent
	Reason   string        `json:"reason,omitempty"`
	File     bool          `json:"history_file"` // it has one, or needs none
	Nodes    []string      `json:"nodes,omitempty"`
	Held     []HeldRange   `json:"held,omitempty"`
	Missing  []SegmentRun  `json:"missing_segments,omitempty"` // in no place
	Children []*TreeNode   `json:"children,omitempty"`
}

// SegmentRun is a run of segments of one timeline.
type SegmentRun struct {
	First string `json:"first"`
	Last  string `json:"last"`
	Count uint64 `json:"count"`
}

func newSegmentRun(size pg.SegmentSize, tli pg.TimelineID, first, last uint64) SegmentRun {
	return SegmentRun{size.Name(tli, first), size.Name(tli, last), last - first + 1}
}

// String is the first name, and of the last one what differs.
func (r SegmentRun) String() string {
	const counted = 16 // digits before those that count up
	switch {
	case r.Count == 1:
		return r.First
	case r.First[:counted] == r.Last[:counted]:
		return r.First + "…" + r.Last[counted:]
	}
	return r.First + "…" + r.Last
}

// HeldRange is a run of segments that a place has.
type HeldRange struct {
	Path string `json:"path"`
	SegmentRun
}

// Lineage draws the tree of all timelines that the places know.
func Lineage(places ...HistoryPlace) *LineageTree {
	check := CheckHistory(places...)
	t := &LineageTree{Schema: LineageSchema, Roots: []*TreeNode{}, Findings: check.Findings}
	var histories []*timeline.History
	for _, place := range places {
		t.Places = append(t.Places, TreePlace{place.Path, place.Current, place.reached()})
		if place.Log != nil {
			t.size = place.Log.SegmentSize
		}
		for _, f := range place.Files {
			if tli, ok := pg.ParseHistoryName(historyName(f.Path)); ok && f.Err == nil && len(f.Content) > 0 {
				if h, err := timeline.Parse(tli, f.Content); err == nil {
					histories = append(histories, h)
				}
			}
		}
	}
	tree := timeline.NewTree(histories...)
	known := map[pg.TimelineID]bool{}
	for _, facts := range check.Timelines {
		known[facts.Timeline] = true
	}
	for _, tli := range slices.Sorted(maps.Keys(known)) {
		if _, child := tree.Branch(tli); !child {
			t.Roots = append(t.Roots, t.node(tree, tli, places))
		}
	}
	return t
}

func (t *LineageTree) node(tree *timeline.Tree, tli pg.TimelineID, places []HistoryPlace) *TreeNode {
	n := &TreeNode{Timeline: tli, File: tli == 1 || tree.History(tli) != nil}
	if b, found := tree.Branch(tli); found {
		n.Begin, n.Reason = b.Begin, b.Reason
	}
	for _, place := range places {
		if place.Current == tli {
			n.Nodes = append(n.Nodes, place.Path)
		}
	}
	n.Held = heldRanges(tli, places)
	children := tree.Children(tli)
	n.Missing = t.missing(n, children, places)
	for _, b := range children {
		n.Children = append(n.Children, t.node(tree, b.Timeline, places))
	}
	return n
}

func heldRanges(tli pg.TimelineID, places []HistoryPlace) []HeldRange {
	var list []HeldRange
	for _, place := range places {
		if place.Log == nil {
			continue
		}
		size := place.Log.SegmentSize
		held := place.Log.Held[tli]
		for i := 0; i < len(held); {
			j := i
			for j+1 < len(held) && held[j+1] == held[j]+1 {
				j++
			}
			list = append(list, HeldRange{place.Path, newSegmentRun(size, tli, held[i], held[j])})
			i = j + 1
		}
	}
	return list
}

// missing lists the segments of a timeline that no place has, between where it
// begins, or the first that is held, and the last that is held or from which a
// child went on. They are runs, for a stray file can have any number.
func (t *LineageTree) missing(n *TreeNode, children []timeline.Branch, places []HistoryPlace) []SegmentRun {
	if t.size == 0 {
		return nil
	}
	held := map[uint64]bool{}
	gather := func(tli pg.TimelineID, only int64) {
		for _, place := range places {
			if place.Log == nil {
				continue
			}
			for _, number := range place.Log.Held[tli] {
				if only < 0 || uint64(only) == number {
					held[number] = true
				}
			}
		}
	}
	gather(n.Timeline, -1)
	numbers := slices.Sorted(maps.Keys(held))
	if !n.Begin.Valid() && len(numbers) == 0 {
		return nil
	}
	first, last := t.size.Number(n.Begin), uint64(0)
	if len(numbers) > 0 {
		last = numbers[len(numbers)-1]
		if !n.Begin.Valid() {
			first = numbers[0]
		}
	}
	for _, b := range children {
		if b.Begin.Valid() {
			at := t.size.Number(b.Begin - 1)
			last = max(last, at)
			gather(b.Timeline, int64(at)) // the child's segment begins with a copy
		}
	}
	var runs []SegmentRun
	for _, number := range append(slices.Sorted(maps.Keys(held)), last+1) {
		if first < number {
			runs = append(runs, newSegmentRun(t.size, n.Timeline, first, number-1))
		}
		first = max(first, number+1)
	}
	return runs
}

// Worst is the gravest finding.
func (t *LineageTree) Worst() Severity { return t.Findings.Worst() }

// Document is the tree for people.
func (t *LineageTree) Document() Document {
	table := Table{Columns: []Column{{"timeline", false}, {"begins at", true}, {"nodes on it", false}, {"segments held", false}, {"missing", false}, {"reason", false}},
		Empty: "No timelines are known."}
	t.walk(func(n *TreeNode, prefix string) {
		row := []any{prefix + n.Timeline.String(), nil, t.letters(n.Nodes), t.heldText(n.Held), missingText(n.Missing), n.Reason}
		if n.Begin.Valid() {
			row[1] = n.Begin
		}
		if !n.File {
			row[0] = row[0].(string) + " (no history file)"
		}
		table.Rows = append(table.Rows, row)
	})
	doc := Document{Sections: []Section{{Parts: []Part{Text(t.summary())}}, {"Timelines", []Part{table}}}}
	if len(t.Findings) > 0 {
		doc.Sections = append(doc.Sections, Section{"Findings", []Part{FindingList(t.Findings)}})
	}
	return doc
}

// walk visits the timelines depth first, with what draws the branches before
// each.
func (t *LineageTree) walk(visit func(n *TreeNode, prefix string)) {
	var down func(n *TreeNode, head, margin string)
	down = func(n *TreeNode, head, margin string) {
		visit(n, head)
		for i, child := range n.Children {
			if i == len(n.Children)-1 {
				down(child, margin+"└─ ", margin+"   ")
			} else {
				down(child, margin+"├─ ", margin+"│  ")
			}
		}
	}
	for _, root := range t.Roots {
		down(root, "", "")
	}
}

func (t *LineageTree) summary() string {
	timelines, leaves := 0, 0
	t.walk(func(n *TreeNode, _ string) {
		timelines++
		if len(n.Children) == 0 {
			leaves++
		}
	})
	s := fmt.Sprintf("%s, %s.", count(timelines, "timeline", "timelines"), count(leaves, "branch", "branches"))
	for i, p := range t.Places {
		s += fmt.Sprintf("\n%s  %s", letter(i), p.Path)
		if p.Current != 0 {
			s += fmt.Sprintf(", on timeline %d, has reached %s", p.Current, p.Reached)
		}
	}
	return s
}

// letters name places shortly; the summary has the legend.
func (t *LineageTree) letters(paths []string) string {
	var list []string
	for i, p := range t.Places {
		if slices.Contains(paths, p.Path) {
			list = append(list, letter(i))
		}
	}
	return strings.Join(list, ", ")
}

func (t *LineageTree) heldText(held []HeldRange) string {
	if len(held) == 0 {
		return "none"
	}
	var parts []string
	for _, h := range held {
		parts = append(parts, t.letters([]string{h.Path})+": "+h.String())
	}
	return shortList(parts)
}

func missingText(runs []SegmentRun) string {
	var parts []string
	for _, r := range runs {
		parts = append(parts, r.String())
	}
	return shortList(parts)
}
