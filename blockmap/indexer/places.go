package indexer

import "forkpoint/walinspect/pg"

// places maps transaction identifiers to places in a list, counted from 1; 0
// means that there is none. Servers give identifiers out in order, so nearly
// all of a segment lie close together, and an array serves them.
type places struct {
	base pg.XID // of near; set by the first identifier
	near []int32
	far  map[pg.XID]int32
}

const (
	placesBelow = 1 << 12 // identifiers before the first one seen that have room in near
	placesMax   = 1 << 18
)

func (p *places) of(x pg.XID) int32 {
	if n := uint32(x - p.base); n < uint32(len(p.near)) {
		return p.near[n]
	}
	return p.far[x]
}

func (p *places) set(x pg.XID, place int32) {
	if len(p.near) == 0 {
		p.base = x - min(x, placesBelow)
	}
	n := uint32(x - p.base)
	if n >= placesMax {
		if p.far == nil {
			p.far = map[pg.XID]int32{}
		}
		p.far[x] = place
		return
	}
	if n >= uint32(len(p.near)) {
		p.near = append(p.near, make([]int32, int(n)+1-len(p.near))...)
	}
	p.near[n] = place
}
