package rewind

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
)

// need is what a rewind takes of one file system at most, in bytes.
type need struct {
	dir    string // a directory on it, for messages
	free   int64
	growth int64 // of the target's files
	wal    int64 // log for replay, while it is checked
	undo   int64 // old bytes
}

func (n *need) total() int64 { return n.growth + n.wal + n.undo }

// sentLine is about how much the bundle takes to note a piece, in the plan and
// in what was sent; see sent.go.
const sentLine = 256

// room adds up what each file system must hold.
type room struct {
	byDevice map[uint64]*need
	byDir    map[string]*need
}

// checkRoom refuses where a file system has not enough free space for what
// the plan adds to it. A target that is full half-way through is of no use to
// anybody until somebody makes room.
func (r *run) checkRoom(context.Context) error {
	rm := room{map[uint64]*need{}, map[string]*need{}}
	state, err := rm.at(r.cfg.StateDir)
	if err != nil {
		return err
	}
	kept := journal.Estimate{}
	if r.resumed == nil {
		kept.PlanBytes = r.cfg.EvidenceSize
	}
	for _, a := range r.plan.Actions {
		at, err := rm.at(r.placeOf(a))
		if err != nil {
			return err
		}
		grow := r.growth(a)
		kept.Names++
		kept.NameBytes += int64(len(a.Path))
		kept.PlanBytes += sentLine + int64(len(a.Path))
		switch a.Kind {
		case plan.FetchWAL:
			if !r.restaged.uses(path.Base(a.Path)) {
				state.wal += a.Size
			}
			if at != state {
				at.growth += a.Size
			}
		case plan.CopyFile, plan.CopyForks:
			at.growth += grow
			kept.Ranges++
			kept.RangeBytes += a.TargetSize
		case plan.Blocks:
			at.growth += grow
			kept.RangeBytes += max(0, a.TargetSize-a.Size)
			if a.Blocks != nil {
				kept.Ranges += int64(a.Blocks.Len())
				kept.PlanBytes += int64(a.Blocks.Len()) * sentLine
				kept.RangeBytes += int64(a.Blocks.Len()) * int64(r.sit.target.control.BlockSize)
			}
		case plan.SetAside:
			if at != state && !r.keptBefore(a.Path) {
				kept.KeptBytes += a.TargetSize
			}
		}
	}
	segment := int64(r.sit.target.control.SegmentSize)
	archived := int64(len(r.archived)) * segment
	state.wal += archived
	wal, err := rm.at(filepath.Join(r.cfg.Target.Path(), "pg_wal"))
	if err != nil {
		return err
	}
	if wal != state {
		wal.growth += archived + int64(len(r.restaged.gone))*segment
	}
	r.chooseUndo(state, &kept)
	r.result.BundleSize = state.undo
	r.tell(Event{Kind: EventRoom, Bytes: state.undo, Total: state.free})
	for _, n := range rm.sorted() {
		if n.total() > n.free {
			return r.noRoom(n)
		}
	}
	return nil
}

// keptBefore tells whether an interrupted run has set a file aside.
func (r *run) keptBefore(name string) bool {
	return r.resumed != nil && r.resumed.kept[name] != ""
}

// growth is how much longer a file becomes. Holes that only the source has stay
// holes, and take no room where they are seen: in a stopped directory, unless an
// interrupted run may have written there.
func (r *run) growth(a plan.Action) int64 {
	grow := max(0, a.Size-a.TargetSize)
	if r.resumed != nil && grow > 0 {
		grow = max(0, a.Size-max(a.TargetSize, target.Allocated(filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(a.Path)))))
	}
	sparse, tells := r.cfg.Source.(interface {
		Stored(path string, from, to int64) int64
	})
	if !tells || r.resumed != nil || grow < smallestSparse || a.Kind == plan.FetchWAL {
		return grow
	}
	return sparse.Stored(a.Path, a.TargetSize, a.Size)
}

// smallestSparse is how much a file must grow for its holes to be looked at,
// bytes.
const smallestSparse = 16 << 20

// chooseUndo adds what the journal takes. Where the caller can do without the
// old bytes and there is no room for them, they are not kept.
func (r *run) chooseUndo(state *need, kept *journal.Estimate) {
	if r.resumed != nil {
		state.undo = max(kept.PlanBytes, kept.Bytes()-r.journal.Noted())
		return
	}
	state.undo = kept.Bytes()
	if r.cfg.Undo && state.total() > state.free && r.cfg.UndoOptional {
		r.cfg.Undo = false
		r.cfg.Log.Warn(fmt.Sprintf("no room for the old bytes in %s: the rewind cannot be undone", state.dir))
	}
	if !r.cfg.Undo {
		kept.Ranges, kept.RangeBytes = 0, 0
		state.undo = kept.Bytes()
	}
}

func (r *run) noRoom(n *need) error {
	what := "the rewind"
	if r.resumed != nil {
		what = "the rest of the rewind"
	}
	e := &PreflightError{Check: CheckSpace, Side: Target, Path: n.dir,
		Found: fmt.Sprintf("the file system of %s has %d bytes free; %s may take %d: %d that files grow, %d of WAL for replay, %d of old bytes to undo it",
			n.dir, n.free, what, n.total(), n.growth, n.wal, n.undo),
		Want: fmt.Sprintf("%d bytes more", n.total()-n.free),
		Next: "make room there, or put the state directory elsewhere with --state-dir"}
	switch {
	case r.resumed != nil && r.cfg.Undo:
		e.Next = "make room there and run the same command again, or get the old contents back, which takes no room, with " + r.undoCommand()
	case r.resumed != nil:
		e.Next = "make room there and run the same command again"
	case r.cfg.Undo && n.total()-n.undo <= n.free:
		e.Next = "make room there, put the state directory elsewhere with --state-dir, or give --no-undo and keep no old bytes"
	}
	return e
}

// placeOf is where the file of an action lies or will lie.
func (r *run) placeOf(a plan.Action) string {
	mount := target.Mount(a.Path)
	for _, link := range r.plan.Actions {
		if link.Kind != plan.MakeLink {
			break // links come first
		}
		if link.Path == mount || link.Path == a.Path {
			return link.Link
		}
	}
	return filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(path.Dir(a.Path)))
}

// at finds the file system of a directory, which need not exist yet.
func (rm *room) at(dir string) (*need, error) {
	if n, known := rm.byDir[dir]; known {
		return n, nil
	}
	there := nearest(dir)
	space, err := target.SpaceOf(there)
	if err != nil {
		return nil, fmt.Errorf("free space: %w", err)
	}
	n := rm.byDevice[space.Device]
	if n == nil {
		n = &need{dir: there, free: space.Free}
		rm.byDevice[space.Device] = n
	}
	rm.byDir[dir] = n
	return n, nil
}

func (rm *room) sorted() []*need {
	var all []*need
	for _, n := range rm.byDevice {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *need) int { return strings.Compare(a.dir, b.dir) })
	return all
}

// checkOwner refuses a target of another user, on which no server of this user
// would start.
func (r *run) checkOwner() error {
	info, err := os.Stat(r.cfg.Target.Path())
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if owner, known := ownerOf(info); known && owner != os.Geteuid() {
		return &PreflightError{Check: CheckUser, Side: Target, Path: r.cfg.Target.Path(),
			Found: fmt.Sprintf("the data directory belongs to user id %d, this process runs as %d", owner, os.Geteuid()),
			Want:  "the user that starts the server", Next: "run as that user, for example with sudo -u postgres"}
	}
	return nil
}
