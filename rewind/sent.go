package rewind

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"forkpoint/rewind/target"
)

// The bundle's file "sent" notes what came from the source, a line for each
// piece in the order in which it was written:
//
//	CRC-32C in hexadecimal, offset, length, name in quotes
//
// or "- name" for a file that was replaced or removed again afterwards. The
// last line is "end" and the number of lines before it.
const sentFile = "sent"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sent writes the file.
type sent struct {
	file  target.File
	buf   bytes.Buffer
	off   int64
	lines int
}

func newSent(fsys target.FS, bundle string) (*sent, error) {
	f, err := fsys.OpenFile(filepath.Join(bundle, sentFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &sent{file: f}, nil
}

func (s *sent) piece(name string, off int64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	s.lines++
	fmt.Fprintf(&s.buf, "%08x %d %d %q\n", crc32.Checksum(data, castagnoli), off, len(data), name)
	return s.flush(1 << 16)
}

// gone says that what was noted of a name does not count.
func (s *sent) gone(name string) error {
	s.lines++
	fmt.Fprintf(&s.buf, "- %q\n", name)
	return s.flush(1 << 16)
}

// flush writes what is more than so many bytes.
func (s *sent) flush(limit int) error {
	if s.buf.Len() < limit {
		return nil
	}
	n, err := s.file.WriteAt(s.buf.Bytes(), s.off)
	s.off += int64(n)
	s.buf.Reset()
	return err
}

// end makes the file durable.
func (s *sent) end() error {
	fmt.Fprintf(&s.buf, "end %d\n", s.lines)
	return errors.Join(s.flush(0), s.file.Sync())
}

// piece is a part of a file as the source sent it.
type piece struct {
	off, size int64
	sum       uint32
}

// readSent reads what was sent, by name, each list by offset. Of pieces that
// overlap, as those that a lost connection made the source send again, the last
// counts. known is false for a bundle of a version that did not note it.
func readSent(bundle string) (pieces map[string][]piece, known bool, err error) {
	b, err := os.ReadFile(filepath.Join(bundle, sentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	pieces = map[string][]piece{}
	lines := 0
	for line := range strings.Lines(string(b)) {
		if n, found := strings.CutPrefix(line, "end "); found {
			if want, err := strconv.Atoi(strings.TrimSpace(n)); err != nil || want != lines {
				break
			}
			for name := range pieces {
				pieces[name] = latest(pieces[name])
			}
			return pieces, true, nil
		}
		lines++
		var name string
		var p piece
		if _, err := fmt.Sscanf(line, "- %q\n", &name); err == nil {
			delete(pieces, name)
			continue
		}
		if _, err := fmt.Sscanf(line, "%x %d %d %q\n", &p.sum, &p.off, &p.size, &name); err != nil || p.size <= 0 || p.off < 0 {
			return nil, true, fmt.Errorf("%s: line %d is %q", sentFile, lines, strings.TrimSpace(line))
		}
		pieces[name] = append(pieces[name], p)
	}
	return nil, true, fmt.Errorf("%s: it ends after %d lines, without saying so", sentFile, lines)
}

// latest drops pieces that a later one overlaps and sorts the rest.
func latest(all []piece) []piece {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if d := all[a].off - all[b].off; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return a - b
	})
	var kept []int
	overlapped := func(i int) (last int, is bool) {
		if len(kept) == 0 {
			return 0, false
		}
		last = kept[len(kept)-1]
		return last, all[last].off+all[last].size > all[i].off
	}
	for _, i := range order {
		last, is := overlapped(i)
		for ; is && last < i; last, is = overlapped(i) {
			kept = kept[:len(kept)-1] // written over by i
		}
		if !is {
			kept = append(kept, i)
		}
	}
	out := make([]piece, len(kept))
	for n, i := range kept {
		out[n] = all[i]
	}
	return out
}
