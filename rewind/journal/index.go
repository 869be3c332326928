package journal

import (
	"bytes"
	"iter"
	"maps"
	"slices"
)

// index is what the log says of each name, and how far everything is. It grows
// with the number of names that were changed, not with their bytes.
type index struct {
	origins   map[string]*origin
	stage     Stage
	stageNote []byte // of the last stage
	mark      Mark
	marked    bool
	phases    []string
	kept      uint64 // highest number of a kept file
}

// origin is what a name stood for before the rewind.
type origin struct {
	was  State
	kept uint64 // where its file is to be kept; 0: it is not removed
	gone bool   // it is kept there, so what has its name is another file
}

func newIndex() index { return index{origins: make(map[string]*origin)} }

// note takes an entry in, in the order of the log.
func (x *index) note(e *Entry) {
	switch e.Kind {
	case KindOrigin:
		if x.origins[e.Path] == nil {
			x.origins[e.Path] = &origin{was: e.Was}
		}
	case KindKept:
		o := x.origins[e.Path]
		if o == nil {
			o = &origin{was: e.Was}
			x.origins[e.Path] = o
		}
		if o.was.Type == Regular && o.kept == 0 {
			o.kept = e.Number
		}
		x.kept = max(x.kept, e.Number)
	case KindStage:
		x.stage, x.stageNote = e.Stage, bytes.Clone(e.Bytes)
	case KindPhase:
		if e.Ended && !slices.Contains(x.phases, e.Phase) {
			x.phases = append(x.phases, e.Phase)
		}
	case KindMark:
		x.mark, x.marked = Mark{e.Number, e.Offset, bytes.Clone(e.Bytes)}, true
	}
}

// Origins are the names that the rewind changed, or was about to, and what
// they stood for before, sorted.
func (j *Journal) Origins() iter.Seq2[string, State] {
	return func(yield func(string, State) bool) {
		for _, name := range slices.Sorted(maps.Keys(j.index.origins)) {
			if !yield(name, j.index.origins[name].was) {
				return
			}
		}
	}
}

// KeptFiles are the names of the files that were removed and the numbers under
// which they are kept, sorted by name.
func (j *Journal) KeptFiles() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, name := range slices.Sorted(maps.Keys(j.index.origins)) {
			if n := j.index.origins[name].kept; n != 0 && !yield(name, n) {
				return
			}
		}
	}
}
