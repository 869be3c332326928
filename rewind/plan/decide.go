package plan

import (
	"cmp"
	"fmt"
	"iter"
	"path"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// Input is what was gathered before a plan can be made.
type Input struct {
	Pairs iter.Seq2[Pair, error]

	Fork       timeline.ForkPoint
	Checkpoint Checkpoint
	Label      Checkpoint
	TargetEnd  pg.LSN
	SourcePath timeline.Path
	SourceEnd  pg.LSN // at the time of the survey; segments past it are recycled ones

	Before *blockmap.Map // touched in [redo, fork)
	After  *blockmap.Map // touched in [fork, target's end]
	// Restored divides what Before restores by parts of the log. A block that
	// none of them has is copied.
	Restored []Restored
	Hinted   *blockmap.Map // may carry hints that no log tells of
	Rule     Rule

	BlockSize      int64
	BlocksPerFile  uint32 // blocks in one relation segment
	WALSegmentSize pg.SegmentSize
	Keep           []string // globs of files that stay as the target has them
	TablespaceMap  map[string]string

	// KeepForkSegment leaves the target's segment in which the fork lies in
	// pg_wal, as pg_rewind does where the source has none of that name. It holds
	// log of the abandoned branch, but no server reads it while the segment of
	// the newer timeline is there.
	KeepForkSegment bool

	// DropUnknownWAL removes what only the target has in pg_wal and is neither
	// a segment nor a history file, as pg_rewind does. Such files harm nobody.
	DropUnknownWAL bool

	// Summed leaves files of both sides that are no relation's out of the
	// actions: they are only counted, for there can be a million.
	Summed bool
}

// TypeError is a path that is one kind of file at the source and another at
// the target.
type TypeError struct {
	Path           string
	Source, Target datadir.Kind
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s is a %s at the source and a %s at the target", e.Path, e.Source, e.Target)
}

// Hint says what the operator can do.
func (e *TypeError) Hint() string {
	return "move one of them away, or make the target's like the source's, and run again"
}

// Decide makes the plan. It fails where the listings fail, where a path is of
// different types on the two sides, and where the source has a name that no
// data directory can have.
func Decide(in Input) (*Plan, error) {
	d := decider{in: in, plan: Plan{
		Schema: Schema, Fork: in.Fork, Checkpoint: in.Checkpoint, Label: in.Label,
		TargetEnd: in.TargetEnd, Rule: in.Rule,
	}, unlogged: map[pg.RelFileLocator]bool{}}
	for pair, err := range in.Pairs {
		if err != nil {
			return nil, err
		}
		if pair.Source != nil && pair.Source.Kind == datadir.Regular {
			d.plan.Totals.SourceSize += pair.Source.Size
		}
		if err := d.decide(pair); err != nil {
			return nil, err
		}
	}
	d.finish()
	return &d.plan, nil
}

type decider struct {
	in       Input
	plan     Plan
	unlogged map[pg.RelFileLocator]bool // relations with an init fork at the source
}

// decide looks at one path. The first rule that fits wins.
func (d *decider) decide(p Pair) error {
	s, t := p.Source, p.Target
	switch {
	case slices.Contains(reservedNames, p.Path), ignored(s), ignored(t):
		return nil
	case excluded(p.Path):
		d.dropExcluded(t)
		return nil
	case temporary(p.Path):
		if s == nil {
			d.remove(t, ReasonTargetOnly)
		}
		return nil
	case keeps(d.in.Keep, p.Path):
		if t != nil {
			d.plan.Kept = append(d.plan.Kept, p.Path)
		}
		return nil
	}
	if s != nil && t != nil && s.Kind != t.Kind {
		return &TypeError{Path: p.Path, Source: s.Kind, Target: t.Kind}
	}
	if name, mark, ok := walFile(p.Path); ok && regular(s) && regular(t) {
		d.decideWAL(p, name, mark)
		return nil
	}
	switch {
	case s == nil:
		d.remove(t, ReasonTargetOnly)
	case t == nil:
		d.create(s)
	case s.Kind != datadir.Regular, path.Base(p.Path) == "PG_VERSION":
	case s.Rel != nil && s.Rel.Fork == pg.MainFork:
		d.decideRelation(s, t)
	case p.Same:
		if s.Rel != nil {
			d.noteFork(s)
		}
		d.plan.Totals.SameFiles++
		d.plan.Totals.Same += s.Size
	case s.Rel != nil:
		d.noteFork(s)
		d.add(Action{Kind: CopyForks, Path: p.Path, Size: s.Size, TargetSize: t.Size, Reason: ReasonSideFork})
	default:
		a := Action{Kind: CopyFile, Path: p.Path, Size: s.Size, TargetSize: t.Size, Reason: ReasonNotRelation}
		if d.in.Summed {
			d.plan.Totals.count(a, d.in.BlockSize)
			return nil
		}
		d.add(a)
	}
	return nil
}

// Compares tells whether the plan depends on whether the two files hold the
// same: those that are copied whole where they do not. They have the same size.
func (in *Input) Compares(p Pair) bool {
	s, t := p.Source, p.Target
	if s == nil || t == nil || s.Kind != datadir.Regular || t.Kind != datadir.Regular || s.Size != t.Size || s.Size == 0 ||
		s.Rel != nil && s.Rel.Fork == pg.MainFork || path.Base(p.Path) == "PG_VERSION" {
		return false
	}
	if _, _, isWAL := walFile(p.Path); isWAL {
		return false
	}
	return !slices.Contains(reservedNames, p.Path) && !ignored(s) && !ignored(t) &&
		!excluded(p.Path) && !temporary(p.Path) && !keeps(in.Keep, p.Path)
}

func regular(f *datadir.File) bool { return f == nil || f.Kind == datadir.Regular }

// dropExcluded removes what a rewind does not keep. A replication slot is
// named, for whoever reads from it must know.
func (d *decider) dropExcluded(t *datadir.File) {
	if t == nil {
		return
	}
	if dir, slot := path.Split(t.Path); dir == "pg_replslot/" && t.Kind == datadir.Directory {
		d.plan.LostSlots = append(d.plan.LostSlots, slot)
	}
	d.remove(t, ReasonExcluded)
}

func (d *decider) remove(t *datadir.File, why Reason) {
	kind := SetAside
	if t.Kind == datadir.Directory {
		kind = RemoveDir
	}
	d.add(Action{Kind: kind, Path: t.Path, TargetSize: t.Size, Reason: why})
}

func (d *decider) create(s *datadir.File) {
	a := Action{Path: s.Path, Reason: ReasonSourceOnly}
	switch s.Kind {
	case datadir.Directory:
		a.Kind = MakeDir
	case datadir.Symlink:
		a.Kind, a.Link = MakeLink, s.Link
		if to, mapped := d.in.TablespaceMap[s.Link]; mapped {
			a.Link = to
		}
	default:
		a.Kind, a.Size = CopyFile, s.Size
		if s.Rel != nil && s.Rel.Fork != pg.MainFork {
			d.noteFork(s)
			a.Kind = CopyForks
		}
	}
	d.add(a)
}

// noteFork remembers relations that are reset at the end of recovery: of
// those, only the init fork matters.
func (d *decider) noteFork(s *datadir.File) {
	if s.Rel.Fork == pg.InitFork {
		d.unlogged[s.Rel.RelFileLocator] = true
	}
}

func (d *decider) add(a Action) { d.plan.Actions = append(d.plan.Actions, a) }

// finish drops what unlogged relations do not need, puts the actions in
// execution order and sums them up.
func (d *decider) finish() {
	p := &d.plan
	d.keepNewestWAL()
	if len(d.unlogged) > 0 {
		p.Actions = slices.DeleteFunc(p.Actions, func(a Action) bool {
			rel, ok := pg.ParseRelPath(a.Path, versionDirOf(a.Path))
			return ok && rel.Fork != pg.InitFork && d.unlogged[rel.RelFileLocator] &&
				(a.Kind == CopyFile || a.Kind == CopyForks || a.Kind == Blocks)
		})
	}
	slices.SortFunc(p.Actions, func(a, b Action) int {
		order := ComparePaths(a.Path, b.Path)
		if a.Kind == RemoveDir {
			order = -order // what a directory holds goes before it
		}
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), order)
	})
	for _, a := range p.Actions {
		p.Totals.count(a, d.in.BlockSize)
	}
	p.Totals.Classic = d.classicBlocks()
	p.boundProofs()
}

// versionDirOf takes the directory that a tablespace path names for itself,
// so that paths of this plan parse whatever the server's version is.
func versionDirOf(p string) string {
	for i := 0; i < 2; i++ {
		_, rest, found := cutSlash(p)
		if !found {
			return ""
		}
		p = rest
	}
	first, _, _ := cutSlash(p)
	return first
}

func cutSlash(p string) (first, rest string, found bool) {
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i+1:], true
		}
	}
	return p, "", false
}
