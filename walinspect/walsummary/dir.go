package walsummary

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is a folder of summary files, such as pg_wal/summaries.
type Dir struct{ path string }

// NewDir names a folder. Nothing is opened yet.
func NewDir(path string) *Dir { return &Dir{path} }

func (d *Dir) String() string { return d.path }

// List names the summaries in the folder; none where there is no folder.
func (d *Dir) List() ([]Name, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list WAL summaries: %w", err)
	}
	var names []Name
	for _, e := range entries {
		if name, is := ParseName(e.Name()); is {
			names = append(names, name)
		}
	}
	return names, nil
}

// Read reads and checks one summary.
func (d *Dir) Read(name Name) (*Summary, error) {
	path := filepath.Join(d.path, name.String())
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read WAL summary: %w", err)
	}
	s, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
