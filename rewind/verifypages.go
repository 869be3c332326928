package rewind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"forkpoint/rewind/plan"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// auditBlocks is how much of a file is read at once, in blocks.
const auditBlocks = 128

// audit reads every page of every logged relation, and every file of which
// pieces came from the source.
type audit struct {
	run    *run
	plan   map[string]*plan.Action
	pieces map[string][]piece // nil where the rewind did not note them

	mu          sync.Mutex
	cert        *Certificate
	done, total int64
}

func (a *audit) files(ctx context.Context) error {
	unlogged, err := a.survey(ctx)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), 4)) // a disk is busy with that
	seen := map[string]bool{}
	for f, err := range a.run.cfg.Target.Files(ctx) {
		if err != nil {
			return errors.Join(fmt.Errorf("target: %w", err), group.Wait())
		}
		if f.Kind != datadir.Regular {
			continue
		}
		seen[f.Path] = true
		pages := f.Rel != nil && f.Rel.Fork == pg.MainFork
		if pages && unlogged[f.Rel.RelFileLocator] {
			pages = false
			a.count(Certificate{Skipped: f.Size / int64(a.run.sit.target.control.BlockSize)}, 0)
		}
		if pages || a.pieces[f.Path] != nil {
			group.Go(func() error { return a.file(ctx, f, pages) })
		}
	}
	err = group.Wait()
	for name := range a.pieces {
		if !seen[name] {
			a.cert.fault(Fault{Path: name, What: "it came from the source and is not there"})
		}
	}
	a.cert.sortFaults()
	return err
}

// survey finds the relations that have an init fork, and how much is to be read.
func (a *audit) survey(ctx context.Context) (unlogged map[pg.RelFileLocator]bool, err error) {
	unlogged = map[pg.RelFileLocator]bool{}
	for f, err := range a.run.cfg.Target.Files(ctx) {
		if err != nil {
			return nil, err
		}
		if f.Rel != nil && f.Rel.Fork == pg.InitFork {
			unlogged[f.Rel.RelFileLocator] = true
		}
		if f.Rel != nil && f.Rel.Fork == pg.MainFork || a.pieces[f.Path] != nil {
			a.total += f.Size
		}
	}
	return unlogged, nil
}

// count adds what was found in one file, and what was read of it.
func (a *audit) count(found Certificate, read int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.cert
	c.Pages += found.Pages
	c.Copied += found.Copied
	c.Torn += found.Torn
	c.Skipped += found.Skipped
	c.Pieces += found.Pieces
	c.Count += found.Count
	if len(c.Faults) < 10*maxFaults {
		c.Faults = append(c.Faults, found.Faults...)
	}
	a.done += read
	a.run.cfg.Progress(Progress{PhaseVerify, a.done, a.total, "bytes"})
}

// sortFaults orders the faults, so that they do not depend on who was first.
func (c *Certificate) sortFaults() {
	slices.SortStableFunc(c.Faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Block, b.Block))
	})
	c.Faults = c.Faults[:min(len(c.Faults), maxFaults)]
}

// file reads one file from beginning to end.
func (a *audit) file(ctx context.Context, f datadir.File, pages bool) error {
	file, err := os.Open(filepath.Join(a.run.cfg.Target.Path(), filepath.FromSlash(f.Path)))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("target: %w", err)
	}
	defer file.Close() // read only
	size := int(a.run.sit.target.control.BlockSize)
	look := fileAudit{
		audit: a, name: f.Path, pieces: a.pieces[f.Path], known: a.pieces != nil,
		plan: a.plan[f.Path], size: size,
	}
	if pages {
		look.first = pg.BlockNumber(f.Rel.Segment * a.run.sit.target.control.RelSegSize)
	}
	// Most files are small; one that grew since it was listed takes more rounds.
	buf := make([]byte, min(int64(auditBlocks*size), (f.Size/int64(size)+1)*int64(size)))
	for at := int64(0); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(file, buf)
		for i := 0; pages && i+size <= n; i += size {
			look.page(pg.BlockNumber((at+int64(i))/int64(size)), buf[i:i+size])
		}
		look.feed(at, buf[:n])
		at += int64(n)
		a.count(Certificate{}, int64(n))
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			look.end()
			a.count(look.found, 0)
			return nil
		}
		if err != nil {
			return fmt.Errorf("target: %s: %w", f.Path, err)
		}
	}
}

// fileAudit judges one file while it is read.
type fileAudit struct {
	*audit
	name   string
	first  pg.BlockNumber // of the fork, where the file begins
	size   int            // of a block, in bytes
	plan   *plan.Action
	pieces []piece // that are still to come or being read
	known  bool    // pieces are all that came from the source
	sum    uint32  // of what was read of the first of them
	paged  int     // pieces that end before the page at hand
	found  Certificate
}

func (l *fileAudit) fault(block pg.BlockNumber, what string, args ...any) {
	l.found.fault(Fault{Path: l.name, Block: l.first + block, What: fmt.Sprintf(what, args...)})
}

// page judges one page; block counts from the start of the file.
func (l *fileAudit) page(block pg.BlockNumber, page []byte) {
	c, whole := &l.found, l.cert
	c.Pages++
	copied := l.copied(block)
	if copied {
		c.Copied++
	}
	if bufpage.Zero(page) {
		return // never written: it has neither position nor checksum
	}
	h := bufpage.DecodeHeader(page)
	switch {
	case h.LSN > whole.Reaches:
		l.fault(block, "position %s is past %s, which replay has to reach", h.LSN, whole.Reaches)
	case !copied && h.LSN > whole.Fork:
		l.fault(block, "position %s is past the fork at %s, and it did not come from the source", h.LSN, whole.Fork)
	}
	if !whole.Checksum || bufpage.Verify(page, l.first+block) == nil {
		return
	}
	if copied {
		c.Torn++
		return
	}
	l.fault(block, "the checksum does not fit")
}

// copied tells whether a block came from the source.
func (l *fileAudit) copied(block pg.BlockNumber) bool {
	if !l.known {
		return fromSource(l.plan, block, int64(l.size))
	}
	from := int64(block) * int64(l.size)
	all := l.audit.pieces[l.name]
	for l.paged < len(all) && all[l.paged].off+all[l.paged].size <= from {
		l.paged++
	}
	return l.paged < len(all) && all[l.paged].off < from+int64(l.size)
}

// feed compares bytes with what was sent; they follow those of the last call.
func (l *fileAudit) feed(at int64, b []byte) {
	for len(l.pieces) > 0 {
		p := l.pieces[0]
		from, to := max(p.off, at), min(p.off+p.size, at+int64(len(b)))
		if from < to {
			l.sum = crc32.Update(l.sum, castagnoli, b[from-at:to-at])
		}
		if p.off+p.size > at+int64(len(b)) {
			return
		}
		l.found.Pieces++
		if l.sum != p.sum {
			l.fault(pg.BlockNumber(p.off/int64(l.size)), "%d bytes from here on are not those that the source sent", p.size)
		}
		l.pieces, l.sum = l.pieces[1:], 0
	}
}

// end is where the file ends.
func (l *fileAudit) end() {
	for _, p := range l.pieces {
		l.fault(pg.BlockNumber(p.off/int64(l.size)), "the file ends before byte %d, up to where it came from the source", p.off+p.size)
	}
}

// fromSource tells whether the plan had the block copied.
func fromSource(a *plan.Action, block pg.BlockNumber, size int64) bool {
	if a == nil {
		return false
	}
	return a.Kind != plan.Blocks || a.Blocks.Contains(block) || int64(block+1)*size > a.TargetSize
}
