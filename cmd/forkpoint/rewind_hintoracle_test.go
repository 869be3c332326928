//go:build torture

package main

import (
	"fmt"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestHintTrapsAreTraps: each trap catches pg_rewind itself, so that a rewind
// that passes has avoided it.
func TestHintTrapsAreTraps(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_rewind") {
		for _, trap := range hintTraps {
			t.Run(fmt.Sprintf("pg%d %s", major, trap.name), func(t *testing.T) {
				t.Parallel()
				h := spring(t, major, func(p *pgtest.Server) func() { return trap.before(t, p) })
				if out, err := h.target.PgRewind(h.args()...); err != nil {
					t.Fatal(err, out)
				}
				if got, want := h.rows(trap); got == want {
					t.Errorf("pg_rewind %d was not caught: both have %s", major, got)
				}
			})
		}
	}
}
