package timeline

import (
	"cmp"
	"maps"
	"slices"

	"forkpoint/walinspect/pg"
)

// Branch is a timeline's beginning: the parent it left and where.
type Branch struct {
	Timeline pg.TimelineID `json:"timeline"`
	Parent   pg.TimelineID `json:"parent"`
	Begin    pg.LSN        `json:"begin"`
	Reason   string        `json:"reason,omitempty"`
}

// Branches are the beginnings of timelines that the history tells of, one for
// each row: of the timeline that the next row is about, and at last of its own.
func (h *History) Branches() []Branch {
	list := make([]Branch, len(h.Entries))
	for i, e := range h.Entries {
		child := h.Timeline
		if i+1 < len(h.Entries) {
			child = h.Entries[i+1].Timeline
		}
		list[i] = Branch{child, e.Timeline, e.End, e.Reason}
	}
	return list
}

// Story is a [Branch] and the history files that tell it.
type Story struct {
	Branch
	Told []pg.TimelineID `json:"told"` // ascending; a timeline more than once if two of its files do
}

// Conflict is a timeline of which files tell different beginnings. It means
// that two promotions took the same number, or that a file was changed.
type Conflict struct {
	Timeline pg.TimelineID `json:"timeline"`
	Stories  []Story       `json:"stories"` // two or more
}

// Tree is what a set of history files says together.
type Tree struct {
	files   map[pg.TimelineID]*History // the first of each
	stories map[pg.TimelineID][]Story  // by the timeline that begins
	known   map[pg.TimelineID]bool     // every timeline that is named
}

// NewTree gathers history files. Files of different servers may be given
// together, also several of one timeline; where they differ the first one
// counts and [Tree.Conflicts] has the rest.
func NewTree(histories ...*History) *Tree {
	t := &Tree{map[pg.TimelineID]*History{}, map[pg.TimelineID][]Story{}, map[pg.TimelineID]bool{}}
	for _, h := range histories {
		if t.files[h.Timeline] == nil {
			t.files[h.Timeline] = h
		}
		t.known[h.Timeline] = true
		for _, b := range h.Branches() {
			t.known[b.Parent] = true
			t.tell(h.Timeline, b)
		}
	}
	return t
}

// tell adds what the file of teller says about a beginning. Reasons are not
// part of the comparison: they are text for people.
func (t *Tree) tell(teller pg.TimelineID, b Branch) {
	stories := t.stories[b.Timeline]
	for i, s := range stories {
		if s.Parent == b.Parent && s.Begin == b.Begin {
			stories[i].Told = append(s.Told, teller)
			slices.Sort(stories[i].Told)
			return
		}
	}
	t.stories[b.Timeline] = append(stories, Story{b, []pg.TimelineID{teller}})
}

// Timelines lists every timeline that a file is for or names, ascending.
func (t *Tree) Timelines() []pg.TimelineID { return slices.Sorted(maps.Keys(t.known)) }

// History is the file of a timeline, nil if there was none.
func (t *Tree) History(tli pg.TimelineID) *History { return t.files[tli] }

// Path is the chain of timelines to tli: from its own file, else from the
// first file that has it as an ancestor. False if no file knows it, except for
// timeline 1, which never has a file.
func (t *Tree) Path(tli pg.TimelineID) (Path, bool) {
	if h := t.files[tli]; h != nil {
		return h.Path(), true
	}
	for _, other := range slices.Sorted(maps.Keys(t.files)) {
		for i, e := range t.files[other].Entries {
			if e.Timeline == tli {
				prefix := &History{Timeline: tli, Entries: t.files[other].Entries[:i]}
				return prefix.Path(), true
			}
		}
	}
	return SingleTimeline(tli), tli == 1
}

// Branch is where a timeline begins: what its own file says, else the first
// other. False for one without a parent or that is not known.
func (t *Tree) Branch(tli pg.TimelineID) (Branch, bool) {
	stories := t.stories[tli]
	for _, s := range stories {
		if slices.Contains(s.Told, tli) {
			return s.Branch, true
		}
	}
	if len(stories) == 0 {
		return Branch{}, false
	}
	return stories[0].Branch, true
}

// Children lists the branches that leave a timeline, in order of position.
func (t *Tree) Children(tli pg.TimelineID) []Branch {
	var list []Branch
	for child := range t.stories {
		if b, _ := t.Branch(child); b.Parent == tli {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b Branch) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.Timeline, b.Timeline))
	})
	return list
}

// Conflicts lists the timelines of which the files tell different beginnings,
// ascending.
func (t *Tree) Conflicts() []Conflict {
	var list []Conflict
	for _, tli := range slices.Sorted(maps.Keys(t.stories)) {
		if stories := t.stories[tli]; len(stories) > 1 {
			list = append(list, Conflict{tli, slices.Clone(stories)})
		}
	}
	return list
}
