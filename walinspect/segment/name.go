package segment

import (
	"fmt"
	"strings"

	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// trimPartial takes the mark of an incomplete file off a name, whether it
// stands before the suffix of a compression or after it, as pg_receivewal
// writes it. The suffix of the compression stays.
func trimPartial(name string) (string, bool) {
	if base, found := strings.CutSuffix(name, ".partial"); found {
		return base, true
	}
	base, format := codec.TrimSuffix(name)
	if stem, found := strings.CutSuffix(base, ".partial"); found && format != codec.Plain {
		return stem + name[len(base):], true
	}
	return name, false
}

func isPartial(name string) bool {
	_, partial := trimPartial(name)
	return partial
}

// stem is the name that a file has in pg_wal, and what was added to it.
func stem(name string) (stem string, compressed, partial bool) {
	name, partial = trimPartial(name)
	stem, format := codec.TrimSuffix(name)
	return stem, format != codec.Plain, partial
}

// foreignSuffixes are compressions that WAL-G can be told to use and that are
// not read here.
var foreignSuffixes = []string{".br", ".lzma", ".lzo"}

func foreignError(path string) error {
	return fmt.Errorf("%s is compressed in a way that is not supported; give a restore_command for it", path)
}

// isForeign tells whether a segment is compressed so.
func isForeign(file string) bool {
	for _, suffix := range foreignSuffixes {
		if name, found := strings.CutSuffix(file, suffix); found && pg.IsSegmentName(name) {
			return true
		}
	}
	return false
}

// spellings are the names under which a folder can hold a file, best first: as
// it is, compressed, and last as one put aside incomplete. The server never
// reads those last ones, but what they hold is valid log.
func spellings(name string) []string {
	suffixes := codec.Suffixes()
	all := []string{name}
	for _, s := range suffixes {
		all = append(all, name+s)
	}
	if !pg.IsSegmentName(name) {
		return all
	}
	all = append(all, name+".partial")
	for _, s := range suffixes {
		all = append(all, name+s+".partial", name+".partial"+s)
	}
	return all
}
