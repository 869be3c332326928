// Package compare finds out in what the files of two clusters differ and why:
// a data directory, and another one or a live server.
//
// Both listings are joined name by name and the content is read in pieces, so
// memory depends on the differences alone. Nothing is written. A page that
// differs is held against the log, see [Evidence], and against what servers
// change without logging it, see bufpage.Mask.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// Input is what is compared.
type Input struct {
	A                      *datadir.Dir
	B                      source.Source
	BlockSize              int
	BlocksPerFile          uint32
	ChecksumsA, ChecksumsB bool
	Evidence               Evidence
	Relations              map[pg.RelFileLocator]bool // compare nothing else; nil for everything
	Progress               func(done, total int64)    // bytes; may be nil
}

// Run compares and hands every file that differs to the result. Files come in
// the order in which they are done.
func Run(ctx context.Context, in Input, into *reports.Comparison) error {
	c := &comparer{in: in, into: into, open: map[string]*openFile{}, unlogged: map[pg.RelFileLocator]bool{}, buf: make([]byte, source.PartSize)}
	if err := c.survey(ctx); err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	var failed error
	err := in.B.Fetch(ctx, c.ranges(ctx, &failed), c.take)
	if failed != nil {
		err = failed
	}
	for _, f := range c.open {
		f.close()
	}
	for i := 0; err == nil && i < len(c.unsure); i++ {
		err = c.lookAt(ctx, c.unsure[i])
	}
	if err != nil {
		return fmt.Errorf("compare files: %w", err)
	}
	into.Totals.Bytes = c.done
	return nil
}

type comparer struct {
	in          Input
	into        *reports.Comparison
	unlogged    map[pg.RelFileLocator]bool // relations with an init fork
	open        map[string]*openFile       // asked for and not delivered to the end
	unsure      []reports.FileDifference   // on one side only and unexplained so far
	buf         []byte
	done, total int64
}

// survey finds the unlogged relations, whose init forks come last in a listing,
// and how much there is to read.
func (c *comparer) survey(ctx context.Context) error {
	for pair, err := range c.pairs(ctx) {
		if err != nil {
			return err
		}
		for _, f := range []*datadir.File{pair.Target, pair.Source} {
			if f != nil && f.Rel != nil && f.Rel.Fork == pg.InitFork {
				c.unlogged[f.Rel.RelFileLocator] = true
			}
		}
		if pair.Source != nil && pair.Target != nil && !own(pair.Path) {
			c.total += pair.Source.Size
		}
	}
	return nil
}

func (c *comparer) pairs(ctx context.Context) iter.Seq2[plan.Pair, error] {
	return func(yield func(plan.Pair, error) bool) {
		for pair, err := range plan.Pairs(c.in.B.Files(ctx), c.in.A.Files(ctx)) {
			if err == nil && !c.wanted(pair) {
				continue
			}
			if !yield(pair, err) || err != nil {
				return
			}
		}
	}
}

// wanted leaves out directories and links, and what the user did not ask for.
func (c *comparer) wanted(p plan.Pair) bool {
	f := p.Source
	if f == nil {
		f = p.Target
	}
	if f.Kind != datadir.Regular {
		return false
	}
	return c.in.Relations == nil || f.Rel != nil && c.in.Relations[f.Rel.RelFileLocator]
}

// ranges asks for the files that both have, and settles all others.
func (c *comparer) ranges(ctx context.Context, failed *error) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		for p, err := range c.pairs(ctx) {
			if err != nil {
				*failed = err
				return
			}
			c.into.Totals.Files++
			if p.Source == nil || p.Target == nil || p.Source.Kind != p.Target.Kind {
				c.oneSided(p)
				continue
			}
			if own(p.Path) {
				c.ownFile(p)
				continue
			}
			f := newOpenFile(p, c.in.BlocksPerFile)
			if p.Source.Size == 0 {
				if *failed = c.finish(f); *failed != nil {
					return
				}
				continue
			}
			c.open[p.Path] = f
			if !yield(source.Range{Path: p.Path, Length: p.Source.Size}) {
				return
			}
		}
	}
}

// ownFile counts a file that is each server's own: told where its size
// differs, and not read.
func (c *comparer) ownFile(p plan.Pair) {
	if p.Source.Size == p.Target.Size {
		c.into.Totals.Equal++
		return
	}
	c.into.Add(reports.FileDifference{Path: p.Path, SizeA: p.Target.Size, SizeB: p.Source.Size, Reason: reports.ReasonLocal})
}

// oneSided explains a file that one side does not have, by its blocks if it is
// a relation's. The blocks are not read.
func (c *comparer) oneSided(p plan.Pair) {
	d := reports.FileDifference{Path: p.Path, Only: "a"}
	f := p.Target
	if p.Target != nil {
		d.SizeA = p.Target.Size
	}
	if p.Source != nil {
		d.SizeB = p.Source.Size
	}
	if f == nil {
		f, d.Only = p.Source, "b"
	}
	blocks := pg.BlockNumber(f.Size / int64(c.in.BlockSize))
	if f.Rel == nil || blocks == 0 {
		d.Reason = c.missing(f)
		if f.Rel != nil {
			d.Relation = &f.Rel.RelFork
		}
		c.into.Add(d)
		return
	}
	d.Relation, d.Blocks = &f.Rel.RelFork, map[reports.Reason]*blockmap.Set{}
	start := pg.BlockNumber(f.Rel.Segment * c.in.BlocksPerFile)
	for b := start; b < start+blocks; b++ {
		reason := reports.ReasonNotLogged
		if f.Rel.Fork != pg.FSMFork && (f.Rel.Fork == pg.InitFork || !c.unlogged[f.Rel.RelFileLocator]) {
			reason = c.in.Evidence.because(pg.BlockTag{RelFork: f.Rel.RelFork, Block: b}, c.in.BlockSize)
		}
		addBlock(d.Blocks, reason, b)
	}
	if !d.Blocks[reports.ReasonUnexplained].Empty() {
		c.unsure = append(c.unsure, d)
		return
	}
	c.into.Add(d)
}

// lookAt reads a file that one side alone has, to see whether its blocks hold
// anything: a server adds pages, and makes a visibility map, before it logs
// what goes there.
func (c *comparer) lookAt(ctx context.Context, d reports.FileDifference) error {
	read := func(ctx context.Context, path string) ([]byte, error) { return c.in.A.ReadFile(path) }
	if d.Only == "b" {
		read = c.in.B.ReadFile
	}
	content, err := read(ctx, d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		d.Blocks, d.Reason, d.Detail = nil, reports.ReasonPending, "vanished while files were compared"
		c.into.Add(d)
		return nil
	}
	if err != nil {
		return err
	}
	open := d.Blocks[reports.ReasonUnexplained]
	first, _ := pg.ParseRelPath(d.Path, c.in.A.VersionDir())
	for b := range open.Clone().All() {
		at := int(b-pg.BlockNumber(first.Segment*c.in.BlocksPerFile)) * c.in.BlockSize
		if at >= len(content) || unused(d.Relation.Fork, content[at:min(at+c.in.BlockSize, len(content))]) {
			open.RemoveSet(blockmap.NewSet(b))
			addBlock(d.Blocks, reports.ReasonNotLogged, b)
		}
	}
	if open.Empty() {
		delete(d.Blocks, reports.ReasonUnexplained)
	}
	c.into.Add(d)
	return nil
}

func addBlock(sets map[reports.Reason]*blockmap.Set, reason reports.Reason, b pg.BlockNumber) {
	set := sets[reason]
	if set == nil {
		set = &blockmap.Set{}
		sets[reason] = set
	}
	set.Add(b)
}
