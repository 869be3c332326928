package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// imageSaver saves full-page images before it passes records on.
type imageSaver struct {
	recordPrinter
	dir  string
	page []byte
}

// usualPageSize is the size of data pages where no control file tells it.
const usualPageSize = 8192

// newImageSaver makes the folder, which may be there if it is empty.
func newImageSaver(dir string, pageSize uint32, next recordPrinter) (*imageSaver, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("save images: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("save images: %w", err)
	}
	if len(entries) > 0 {
		return nil, &hintedError{fmt.Errorf("save images: %s is not empty", dir), "name a folder that does not exist yet"}
	}
	if pageSize == 0 {
		pageSize = usualPageSize
	}
	return &imageSaver{next, dir, make([]byte, pageSize)}, nil
}

func (s *imageSaver) record(rec *walinspect.Record) error {
	for i := range rec.Blocks {
		b := &rec.Blocks[i]
		if !b.HasImage() {
			continue
		}
		if err := b.Image.Restore(s.page); err != nil {
			return fmt.Errorf("record at %s, block %s: %w", rec.LSN, b.Tag, err)
		}
		if err := s.save(imageName(rec, b.Tag)); err != nil {
			return fmt.Errorf("save images: %w", err)
		}
	}
	return s.recordPrinter.record(rec)
}

// save writes the page to a new file. A record has one image of a block at
// most, so none can be there already.
func (s *imageSaver) save(name string) (err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("somebody else writes into %s: %w", s.dir, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(s.page)
	return err
}

// imageName is the name that pg_waldump gives the file from 17 on.
func imageName(rec *walinspect.Record, tag pg.BlockTag) string {
	return fmt.Sprintf("%08X-%08X-%08X.%d.%d.%d.%d_%s", uint32(rec.Timeline), rec.LSN.High(), rec.LSN.Low(),
		tag.Spc, tag.DB, tag.Rel, tag.Block, tag.Fork)
}
