package segment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// Tree is an archive that spreads segments over folders named for the first 16
// digits, as Barman and pgBackRest do:
//
//	0000000100000000/000000010000000000000001                  Barman
//	0000000100000000/000000010000000000000001-<SHA-1>.gz       pgBackRest
//	0000000100000000/000000010000000000000001.partial-<SHA-1>  pgBackRest
//	00000002.history
type Tree struct {
	path string
	size pg.SegmentSize
}

// NewTree makes a source of such a folder.
func NewTree(path string, size pg.SegmentSize) *Tree { return &Tree{path, size} }

func (t *Tree) String() string { return t.path }

// Open looks for the file in the folder for its first digits, and in the root.
func (t *Tree) Open(ctx context.Context, name string) (*File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	folders := []string{t.path}
	if pg.IsSegmentName(name) {
		folders = []string{filepath.Join(t.path, name[:16]), t.path}
	}
	for _, folder := range folders {
		f, err := NewDir(folder, t.size).Open(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = t.openHashed(folder, name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	return nil, notFound(t, name)
}

// openHashed looks for a file with a checksum in its name.
func (t *Tree) openHashed(folder, name string) (*File, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var whole, partial []string
	for _, e := range entries {
		switch stem, _, isPartial := hashedStem(e.Name()); {
		case stem != name:
		case isPartial:
			partial = append(partial, e.Name())
		default:
			whole = append(whole, e.Name())
		}
	}
	found := whole
	if len(found) == 0 {
		found = partial
	}
	switch len(found) {
	case 0:
		return nil, fs.ErrNotExist
	case 1:
		f, err := openFile(filepath.Join(folder, found[0]), limitOf(name, t.size))
		if err == nil && len(whole) == 0 {
			f.Partial = true
		}
		return f, err
	}
	return nil, fmt.Errorf("%s has %d different files for %s: %s", folder, len(found), name, strings.Join(found, ", "))
}

// hashedStem is [stem] for names that may have a checksum behind the name.
func hashedStem(name string) (string, bool, bool) {
	base, format := codec.TrimSuffix(name)
	if at := len(base) - 41; at > 0 && base[at] == '-' && isLowerHex(base[at+1:]) {
		plain, partial := trimPartial(base[:at])
		return plain, format != codec.Plain, partial
	}
	return stem(name)
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// List yields the segments in the order of their folders.
func (t *Tree) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		folders, err := segmentFolders(t.path)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, folder := range append(folders, t.path) {
			found, err := listFolder(ctx, folder, t.size, hashedStem)
			if errors.Is(err, fs.ErrNotExist) {
				continue // expired while we looked
			}
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, info := range found {
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// segmentFolders are the folders in path that are named for the first digits of
// segments, in order.
func segmentFolders(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && len(e.Name()) == 16 && pg.IsSegmentName(e.Name()+"00000000") {
			folders = append(folders, filepath.Join(path, e.Name()))
		}
	}
	slices.Sort(folders)
	return folders, nil
}
