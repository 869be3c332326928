package plan

import (
	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Restored is what a part of the target's log restores: the blocks of main
// forks to which its records are the first to refer since redo, by a full-page
// image that replay applies or by initialising the page. Whatever the target
// has there, replay of that record gives it its contents.
type Restored struct {
	Span   pg.Span // no longer than a segment
	Blocks map[pg.RelFork]*blockmap.Set
}

// RestoredIn is what a whole map says it restores, where nobody asks for more.
func RestoredIn(span pg.Span, m *blockmap.Map) []Restored {
	all := Restored{span, map[pg.RelFork]*blockmap.Set{}}
	for rf, e := range m.All() {
		if rf.Fork == pg.MainFork && !e.Restored.Empty() {
			all.Blocks[rf] = e.Restored
		}
	}
	return []Restored{all}
}

// Spared is a file of whose blocks some are not copied though the target's log
// touched them, and the proof that replay restores each.
type Spared struct {
	Path  string  `json:"path"`
	Proof []Proof `json:"proof"`
}

// Proof names the part of the log that has the first reference to the blocks,
// which restores them.
type Proof struct {
	From   pg.LSN        `json:"from"`
	To     pg.LSN        `json:"to"`
	Count  uint64        `json:"count"`
	Blocks *blockmap.Set `json:"blocks,omitempty"` // from the start of the file; see maxProven
}

// maxProven is how many blocks a plan names one by one in its proofs. Beyond,
// it has their counts: the text would be larger than what it saves to copy.
const maxProven = 4 << 20

// prove divides blocks of a fork, numbered from the start of the relation, by
// what restores them, and tells which of them nothing is known to restore.
func (d *decider) prove(path string, rel pg.RelFork, first pg.BlockNumber, spared *blockmap.Set) (unproven *blockmap.Set) {
	left := spared.Clone()
	var s Spared
	for _, r := range d.in.Restored {
		if left.Empty() {
			break
		}
		here := r.Blocks[rel]
		if here == nil {
			continue
		}
		proven := left.Intersect(here)
		if proven.Empty() {
			continue
		}
		left.RemoveSet(proven)
		p := Proof{From: r.Span.From, To: r.Span.To, Count: proven.Len(), Blocks: blockmap.NewSet()}
		for from, to := range proven.Ranges() {
			p.Blocks.AddRange(from-first, to-first)
		}
		s.Path, s.Proof = path, append(s.Proof, p)
	}
	if s.Path != "" {
		d.plan.Spared = append(d.plan.Spared, s)
	}
	return left
}

// boundProofs leaves the counts where there are too many blocks to name.
func (p *Plan) boundProofs() {
	if p.Totals.Why.Spared <= maxProven {
		return
	}
	for _, s := range p.Spared {
		for i := range s.Proof {
			s.Proof[i].Blocks = nil
		}
	}
}
