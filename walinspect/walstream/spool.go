package walstream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/walinspect/pg"
)

// Spool makes segment files of a stream in a folder of its own. What has not
// come yet is zeros, as in a segment that a server has not filled yet.
type Spool struct {
	dir  string
	size pg.SegmentSize
	file *os.File
	name pg.SegmentName
}

// NewSpool makes a folder in the system's temporary folder.
func NewSpool(size pg.SegmentSize) (*Spool, error) {
	dir, err := os.MkdirTemp("", "forkpoint-stream-*")
	if err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	return &Spool{dir: dir, size: size}, nil
}

// Dir is the folder.
func (s *Spool) Dir() string { return s.dir }

// Write puts a piece of the log of a timeline in its place.
func (s *Spool) Write(tli pg.TimelineID, at pg.LSN, data []byte) error {
	for len(data) > 0 {
		name := pg.SegmentName{Timeline: tli, Number: s.size.Number(at)}
		if err := s.open(name); err != nil {
			return err
		}
		offset := int64(s.size.Offset(at))
		n := min(int64(len(data)), int64(s.size)-offset)
		if _, err := s.file.WriteAt(data[:n], offset); err != nil {
			return fmt.Errorf("spool segment %s: %w", name.Format(s.size), err)
		}
		at, data = at+pg.LSN(n), data[n:]
	}
	return nil
}

func (s *Spool) open(name pg.SegmentName) error {
	if s.file != nil && s.name == name {
		return nil
	}
	s.closeFile()
	f, err := os.OpenFile(filepath.Join(s.dir, name.Format(s.size)), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Truncate(int64(s.size))
	}
	if err != nil {
		return fmt.Errorf("spool segment %s: %w", name.Format(s.size), err)
	}
	s.file, s.name = f, name
	return nil
}

// WriteHistory puts a history file beside the segments.
func (s *Spool) WriteHistory(tli pg.TimelineID, content []byte) error {
	if err := os.WriteFile(filepath.Join(s.dir, tli.HistoryName()), content, 0o600); err != nil {
		return fmt.Errorf("spool history: %w", err)
	}
	return nil
}

// Forget removes a segment that is not needed any more, if it is there.
func (s *Spool) Forget(name pg.SegmentName) error {
	err := os.Remove(filepath.Join(s.dir, name.Format(s.size)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove spooled segment: %w", err)
	}
	return nil
}

func (s *Spool) closeFile() {
	if s.file != nil {
		s.file.Close() // what is lost with a crash is asked for again
	}
	s.file = nil
}

// Remove removes the folder.
func (s *Spool) Remove() error {
	s.closeFile()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove spool: %w", err)
	}
	return nil
}
