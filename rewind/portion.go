package rewind

import (
	"iter"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// A portion is what is copied between two flushes of the journal: large enough
// that they cost little, small enough that what is known of it fits in memory.
const (
	portionBytes = 256 << 20
	portionFiles = 4096
)

type portion struct{ parts []part }

// part is what a portion holds of one file.
type part struct {
	action       *plan.Action
	ranges       []source.Range
	begins, ends bool // the first, the last part of the file
}

// ranges lists what is fetched for a portion, without files that are known to
// be gone.
func (p portion) ranges(gone map[string]bool) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		for _, part := range p.parts {
			if gone[part.action.Path] {
				continue
			}
			for _, rg := range part.ranges {
				if !yield(rg) {
					return
				}
			}
		}
	}
}

// portions cuts what the actions fetch into portions, in order.
func portions(copies []plan.Action, ranges func(*plan.Action) iter.Seq[source.Range]) iter.Seq[portion] {
	return func(yield func(portion) bool) {
		var p portion
		var bytes int64
		flush := func() bool {
			full := p
			p, bytes = portion{}, 0
			return yield(full)
		}
		for i := range copies {
			now := part{action: &copies[i], begins: true}
			for rg := range ranges(&copies[i]) {
				for rg.Length > portionBytes-bytes {
					first := rg
					first.Length, first.ToEnd = portionBytes-bytes, false
					rg.Offset, rg.Length = rg.Offset+first.Length, rg.Length-first.Length
					now.ranges = append(now.ranges, first)
					p.parts = append(p.parts, now)
					if !flush() {
						return
					}
					now = part{action: &copies[i]}
				}
				now.ranges = append(now.ranges, rg)
				bytes += rg.Length
			}
			now.ends = true
			p.parts = append(p.parts, now)
			if (bytes >= portionBytes || len(p.parts) >= portionFiles) && !flush() {
				return
			}
		}
		if len(p.parts) > 0 {
			flush()
		}
	}
}
