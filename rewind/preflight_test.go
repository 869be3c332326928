package rewind

import (
	"context"
	"errors"
	"testing"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/pgcontrol"
)

// stillSource is a source of which only the kind is asked.
type stillSource struct{ source.Source }

func (stillSource) Kind() source.Kind { return source.Live }

// TestCheckSides compares control files.
func TestCheckSides(t *testing.T) {
	good := func() *pgcontrol.Control {
		return &pgcontrol.Control{SystemID: 1, Major: 18, CatalogVersion: 202506291, State: pgcontrol.ShutDown,
			SegmentSize: 16 << 20, BlockSize: 8192, RelSegSize: 131072, WALBlockSize: 8192, DataChecksums: 1}
	}
	both := func(change func(c *pgcontrol.Control)) func(t, s *pgcontrol.Control) {
		return func(t, s *pgcontrol.Control) { change(t); change(s) }
	}
	tests := []struct {
		name   string
		change func(t, s *pgcontrol.Control)
		want   Check
	}{
		{"alike", func(_, _ *pgcontrol.Control) {}, ""},
		{"another system", func(t, _ *pgcontrol.Control) { t.SystemID = 2 }, CheckSystem},
		{"another version of another system", func(t, _ *pgcontrol.Control) { t.SystemID, t.Major = 2, 17 }, CheckSystem},
		{"another version", func(t, _ *pgcontrol.Control) { t.Major = 17 }, CheckVersion},
		{"another catalog", func(t, _ *pgcontrol.Control) { t.CatalogVersion++ }, CheckVersion},
		{"another size of segments", func(t, _ *pgcontrol.Control) { t.SegmentSize = 1 << 20 }, CheckGeometry},
		{"another size of blocks", func(_, s *pgcontrol.Control) { s.BlockSize = 32768 }, CheckGeometry},
		{"another size of files", func(_, s *pgcontrol.Control) { s.RelSegSize = 1 }, CheckGeometry},
		{"another size of WAL blocks", func(_, s *pgcontrol.Control) { s.WALBlockSize = 16384 }, CheckGeometry},
		{"checksums on the source alone", func(t, _ *pgcontrol.Control) { t.DataChecksums, t.WALLogHints = 0, true }, CheckChecksums},
		{"checksums on the target alone", func(_, s *pgcontrol.Control) { s.DataChecksums = 0 }, CheckChecksums},
		{"checksums in a state to come", both(func(c *pgcontrol.Control) { c.DataChecksums = 2 }), CheckChecksums},
		{"hints that are not logged", both(func(c *pgcontrol.Control) { c.DataChecksums = 0 }), CheckHints},
		{"hints logged instead of checksums", both(func(c *pgcontrol.Control) { c.DataChecksums, c.WALLogHints = 0, true }), ""},
		{"a crash", func(t, _ *pgcontrol.Control) { t.State = pgcontrol.InProduction }, CheckState},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun(Config{Source: stillSource{}})
			r.sit.target.control, r.sit.source.control = good(), good()
			tt.change(r.sit.target.control, r.sit.source.control)
			err := r.checkSides(context.Background())
			var refused *PreflightError
			if errors.As(err, &refused); err != nil && refused == nil || refused == nil && tt.want != "" || refused != nil && refused.Check != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
