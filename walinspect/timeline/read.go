package timeline

import (
	"errors"
	"fmt"
	"io/fs"

	"forkpoint/walinspect/pg"
)

// MissingError says that no place had the history of a timeline. It matches
// fs.ErrNotExist.
type MissingError struct {
	Timeline pg.TimelineID
	Err      error // of the last place that was asked
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("no history of timeline %d: %v", e.Timeline, e.Err)
}

// Hint says what the operator can do.
func (e *MissingError) Hint() string {
	return fmt.Sprintf("restore %s into pg_wal from the archive, or rebuild it with forkpoint history repair", e.Timeline.HistoryName())
}

func (e *MissingError) Unwrap() error { return e.Err }

// ReadPath reads the history of a timeline from the first place that has it.
// A place answers with an error that matches fs.ErrNotExist where it has not.
// Timeline 1 has no history file.
func ReadPath(tli pg.TimelineID, places ...func(pg.TimelineID) ([]byte, error)) (Path, error) {
	if tli == 1 {
		return SingleTimeline(1), nil
	}
	missing := fs.ErrNotExist
	for _, read := range places {
		b, err := read(tli)
		if errors.Is(err, fs.ErrNotExist) {
			missing = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read history of timeline %d: %w", tli, err)
		}
		h, err := Parse(tli, b)
		if err != nil {
			return nil, err
		}
		return h.Path(), nil
	}
	return nil, &MissingError{tli, missing}
}
