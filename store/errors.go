package store

import (
	"errors"
	"fmt"
)

// ErrNotCatalog is matched when a file is something else.
var ErrNotCatalog = errors.New("not a forkpoint catalog")

// ErrNotStored is matched when the catalog does not have what was asked for.
var ErrNotStored = errors.New("not in the catalog")

// DamagedError is a catalog that does not hold what was written to it.
type DamagedError struct{ Segment string }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("segment %s: what is stored is not what was written; the file is damaged", e.Segment)
}

// Hint says what the operator can do.
func (e *DamagedError) Hint() string {
	return "look at the disk; move the file away and run forkpoint index again, or name another catalog with --catalog"
}

// VersionError is a catalog whose schema this program cannot use.
type VersionError struct {
	Path    string
	Version int // of the file
	Known   int // newest that the program knows
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("catalog %s: schema version %d, want %d", e.Path, e.Version, e.Known)
}

// Hint says what the operator can do.
func (e *VersionError) Hint() string {
	if e.Version > e.Known {
		return "a newer forkpoint wrote this catalog; use that version, or start a new catalog with --catalog"
	}
	return "the catalog is of an older forkpoint; any command that writes to it brings it up to date"
}
