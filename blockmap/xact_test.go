package blockmap

import (
	"testing"

	"forkpoint/walinspect/pg"
)

// TestRestOfPlainXact takes no memory for a transaction of which there is nothing
// more to say, as for nearly all.
func TestRestOfPlainXact(t *testing.T) {
	xacts := make([]Xact, 1)
	for _, tt := range []struct {
		origin uint16
		allocs float64
	}{{0, 0}, {3, 1}} {
		took := testing.AllocsPerRun(100, func() {
			rest := XactRest{Origin: tt.origin, OriginLSN: pg.LSN(tt.origin)}
			xacts[0].Rest = rest.OrNil()
		})
		if said := xacts[0].Rest != nil; took != tt.allocs || said != (tt.origin != 0) {
			t.Errorf("origin %d: %v allocations, kept %v; want %v", tt.origin, took, said, tt.allocs)
		}
	}
}
