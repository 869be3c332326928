package walinspect

import (
	"context"
	"fmt"

	"forkpoint/walinspect/pg"
)

// LastCheckpointBefore finds the last checkpoint record that starts before
// lsn, by the back links of the records: first the record that starts at lsn,
// or the last before it where none does, then the one before that, and so on.
// Every record on the way is verified, and so is that it reaches up to the one
// that links to it. The payload is for pgcontrol.DecodeCheckpoint.
func LastCheckpointBefore(ctx context.Context, pages PageReader, g Geometry, lsn pg.LSN) (*Record, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	start := g.RecordStart(lsn)
	r := NewReader(pages, g, start)
	rec, err := r.ReadAt(ctx, start)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		if rec, err = LastRecordBefore(ctx, pages, g, start); err != nil {
			return nil, fmt.Errorf("find a checkpoint before %s: %w", lsn, err)
		}
	}
	for !rec.IsCheckpoint() || rec.LSN >= start {
		if !rec.Prev.Valid() {
			return nil, fmt.Errorf("find a checkpoint before %s: %w before %s: it is the first of the cluster", lsn, ErrNoRecord, rec.LSN)
		}
		at, overwrite := rec.LSN, rec.IsOverwrite()
		if rec, err = r.ReadAt(ctx, rec.Prev); err != nil {
			return nil, fmt.Errorf("find a checkpoint before %s: the record before %s: %w", lsn, at, err)
		}
		if next := g.RecordStart(rec.End); next != at && !overwrite {
			return nil, fmt.Errorf("find a checkpoint before %s: %w", lsn,
				&CorruptError{Flaw: FlawPrevLink, LSN: at, Want: "a link to the record that ends before it", Got: fmt.Sprintf("%s, which ends at %s", rec.LSN, rec.End)})
		}
	}
	return rec.Clone(), nil
}
