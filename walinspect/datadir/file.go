package datadir

import (
	"io/fs"
	"time"

	"forkpoint/walinspect/pg"
)

// Kind is what a directory entry is.
type Kind uint8

const (
	Regular Kind = iota
	Directory
	Symlink
	Other // a socket, pipe or device; a server makes none in its data directory
)

var kindNames = [...]string{"regular file", "directory", "symbolic link", "special file"}

func (k Kind) String() string { return kindNames[k] }

// MarshalText names the kind in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func kindOf(m fs.FileMode) Kind {
	switch {
	case m.IsRegular():
		return Regular
	case m.IsDir():
		return Directory
	case m&fs.ModeSymlink != 0:
		return Symlink
	}
	return Other
}

// File is an entry of the data directory.
type File struct {
	Path    string // relative to the data directory, with slashes
	Kind    Kind
	Size    int64 // of a regular file, else 0
	Mode    fs.FileMode
	ModTime time.Time
	Link    string      // where a symbolic link points, as it is written there
	Rel     *pg.RelFile // which part of which relation a regular file holds; nil if none
}
