package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap/indexer"
	"forkpoint/rewind"
	"forkpoint/rewind/journal"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/segment"
)

// faultWorld is a directory with a target ("data"), its state directory
// ("data.forkpoint") and a stopped source ("source"), in which whole rewinds
// are run over file systems that fail on purpose. It is used by a process of
// the servers' OS user, see [faultProgram].
type faultWorld struct {
	base          string
	seed          uint64
	start         *faultfs.Disk
	before, after map[string]string // of the target, see snapshot; after without times
}

// fixedTime is what every run takes for the present, so that all write the same.
var fixedTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// faultProgram is the process: BASE MODE FIRST STEP SEED. It fails the
// operations FIRST, FIRST + STEP, … of a rewind until none fails.
func faultProgram() {
	var first, step int
	w := &faultWorld{base: os.Args[1]}
	var mode string
	if _, err := fmt.Sscan(strings.Join(os.Args[2:], " "), &mode, &first, &step, &w.seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	modes := map[string]faultfs.Mode{"error": faultfs.Fail, "short": faultfs.Short, "kill": faultfs.Kill, "full": faultfs.Full}
	if err := w.run(context.Background(), modes[mode], first, step); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (w *faultWorld) data() string  { return w.base + "/data" }
func (w *faultWorld) state() string { return w.base + "/data.forkpoint" }

// withConninfo lets a stopped source write recovery settings too.
type withConninfo struct{ *source.Local }

func (withConninfo) RecoveryConninfo() string { return "host=/nowhere user=rewind" }

func (w *faultWorld) config(fsys target.FS) (rewind.Config, error) {
	dir, err := datadir.Open(w.data())
	if err != nil {
		return rewind.Config{}, err
	}
	from, err := source.OpenLocal(w.base + "/source")
	if err != nil {
		return rewind.Config{}, err
	}
	control, err := from.Dir().Control() // the target's may be the one of the source by now
	if err != nil {
		return rewind.Config{}, err
	}
	return rewind.Config{
		Target: dir, Source: withConninfo{from}, StateDir: w.state(), FS: fsys,
		NewIndex: func(wal segment.Source, _ bool) rewind.BlockIndex {
			return &blockIndex{indexer.New(wal, geometryOf(control), nil, indexer.Options{Workers: 1})}
		},
		WriteRecoveryConf: true, Undo: true, Sync: true, AllowUnclean: true,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return fixedTime },
	}, nil
}

func (w *faultWorld) rewind(ctx context.Context, fsys target.FS) error {
	cfg, err := w.config(fsys)
	if err == nil {
		_, err = rewind.Run(ctx, cfg)
	}
	return err
}

func (w *faultWorld) undo(ctx context.Context, fsys target.FS) error {
	cfg, err := w.config(fsys)
	if err == nil {
		_, err = rewind.Undo(ctx, cfg)
	}
	return err
}

// on runs something over the real files as the disk has them.
func (w *faultWorld) on(disk *faultfs.Disk, run func(fsys target.FS) error) error {
	for _, dir := range []string{w.data(), w.state()} {
		if err := disk.Store(dir); err != nil {
			return err
		}
	}
	roots := target.NewRoots()
	return errors.Join(run(roots), roots.Close())
}

// run fails operation after operation.
func (w *faultWorld) run(ctx context.Context, mode faultfs.Mode, first, step int) error {
	w.start = faultfs.NewDisk()
	if err := errors.Join(w.start.Load(w.data()), w.start.Load(w.state())); err != nil {
		return err
	}
	var err error
	if w.before, err = snapshot(w.data(), true); err != nil {
		return err
	}
	err = w.on(w.start, func(fsys target.FS) error { return w.rewind(ctx, fsys) })
	if err == nil {
		w.after, err = snapshot(w.data(), false)
	}
	if err != nil {
		return fmt.Errorf("undisturbed rewind: %w", err)
	}
	if err := errors.Join(w.checkProven(), w.sealed(ctx), w.checkStopped(ctx)); err != nil {
		return err
	}
	tried := 0
	for n := first; ; n += step {
		disk := w.start.Clone()
		var faulty *faultfs.Faulty
		var failed error
		err := w.on(disk, func(fsys target.FS) error {
			faulty = faultfs.New(faultfs.NewMirror(fsys, disk), n, mode)
			failed = w.rewind(ctx, faulty)
			return nil
		})
		if err != nil {
			return err
		}
		if faulty.Hit() == "" {
			fmt.Printf("%d of %d operations failed\n", tried, faulty.Count())
			return errors.Join(failed, w.on(w.start, func(target.FS) error { return nil }))
		}
		tried++
		if failed != nil && !errors.Is(failed, faultfs.ErrFault) {
			return fmt.Errorf("operation %d, %s: the error hides its cause: %w", n, faulty.Hit(), failed)
		}
		chance := rand.New(rand.NewPCG(w.seed, uint64(n)))
		states := []*faultfs.Disk{disk}
		if mode == faultfs.Kill {
			states = append(states, disk.Crash(chance))
		}
		for i, state := range states {
			if err := w.recover(ctx, state, chance); err != nil {
				return fmt.Errorf("operation %d, %s, power lost %v: %w", n, faulty.Hit(), i > 0, err)
			}
		}
	}
}

// checkProven compares the undisturbed rewind with the one that a real server
// came up on. That one was made by the command, at another time and without
// recovery settings.
func (w *faultWorld) checkProven() error {
	proven, err := snapshot(w.base+"/proven", false)
	if err != nil {
		return err
	}
	for name, what := range w.after {
		switch name {
		case "/backup_label", "/global/pg_control", "/postgresql.auto.conf", "/standby.signal":
			continue
		}
		if proven[name] != what {
			return fmt.Errorf("%s: the command left %q, the rewind in this process %q", name, proven[name], what)
		}
	}
	return nil
}

// checkStopped tells a run to stop once the target is done. It ends well, without
// the manifest of the evidence, which the same command writes; so does an undo
// after which the power fails.
func (w *faultWorld) checkStopped(ctx context.Context) error {
	told := errors.New("told to stop")
	return w.on(w.start, func(fsys target.FS) error {
		cfg, err := w.config(fsys)
		if err != nil {
			return err
		}
		stopping, stop := context.WithCancelCause(ctx)
		cfg.Event = func(e rewind.Event) {
			if e.Kind == rewind.EventDone {
				stop(told)
			}
		}
		result, err := rewind.Run(stopping, cfg)
		if err != nil {
			return fmt.Errorf("stopped when the target was done: %w", err)
		}
		if notes := strings.Join(result.Notes, "\n"); rewind.Sealed(result.Journal) || !strings.Contains(notes, told.Error()) {
			return fmt.Errorf("stopped when the target was done: the notes are %q, and there is a manifest: %t", notes, rewind.Sealed(result.Journal))
		}
		for _, step := range []func(context.Context, target.FS) error{w.rewind, w.undo} {
			if err := errors.Join(step(ctx, fsys), w.sealed(ctx)); err != nil {
				return fmt.Errorf("after a run that was stopped when the target was done: %w", err)
			}
		}
		return w.same(w.before, true)
	})
}

// recover undoes and resumes from a state, at once and after being killed once more.
func (w *faultWorld) recover(ctx context.Context, state *faultfs.Disk, chance *rand.Rand) error {
	undo := func(fsys target.FS) error { return w.undo(ctx, fsys) }
	again := func(fsys target.FS) error { return w.rewind(ctx, fsys) }
	if err := w.on(state, undo); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	if err := errors.Join(w.same(w.before, true), w.sealed(ctx)); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	if err := w.on(state, again); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if err := errors.Join(w.same(w.after, false), w.sealed(ctx)); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	// Killed again at any operation, or finished, and then the power fails.
	step, how := undo, "undo"
	if chance.IntN(2) == 0 {
		step, how = again, "resume"
	}
	disk := state.Clone()
	var faulty *faultfs.Faulty
	var ended error
	err := w.on(disk, func(fsys target.FS) error {
		faulty = faultfs.New(faultfs.NewMirror(fsys, disk), chance.IntN(2500), faultfs.Kill)
		ended = step(faulty)
		return nil
	})
	if err != nil {
		return err
	}
	disk = disk.Crash(chance)
	last, want, times := undo, w.before, true
	switch {
	case faulty.Hit() == "" && ended != nil:
		return fmt.Errorf("%s: %w", how, ended)
	case faulty.Hit() == "":
		last = func(target.FS) error { return nil } // what was finished must have lasted
		if how == "resume" {
			want, times = w.after, false
		}
	case how == "resume" && chance.IntN(2) == 0:
		last, want, times = again, w.after, false
	}
	if err := w.on(disk, last); err != nil {
		return fmt.Errorf("%s killed at %q, power lost: %w", how, faulty.Hit(), err)
	}
	if err := w.same(want, times); err != nil {
		return fmt.Errorf("%s killed at %q, power lost: %w", how, faulty.Hit(), err)
	}
	return nil
}

// sealed wants every bundle of a rewind that was finished, or undone, to be as
// its manifest says.
func (w *faultWorld) sealed(ctx context.Context) error {
	roots := target.NewRoots()
	defer roots.Close() // read only
	list, err := journal.List(roots, w.state())
	for _, s := range list {
		if s.Stage == journal.Abandoned {
			continue // of a directory that another one took the place of, to all appearance
		}
		wrong, _, bad := rewind.CheckManifest(ctx, s.Dir, func(int64, int64) {})
		if len(wrong) > 0 || s.Unfinished() {
			bad = errors.Join(bad, fmt.Errorf("%q", wrong))
		}
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("bundle %s, which is %s: %w", s.Header.ID, s.Stage, bad))
		}
	}
	return err
}

func (w *faultWorld) same(want map[string]string, times bool) error {
	got, err := snapshot(w.data(), times)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-want +got)\n%s", diff)
	}
	return nil
}

// snapshot describes every name below a directory but the lock file: what it
// is, its permissions, and of files the content, with times where wanted.
func snapshot(dir string, times bool) (map[string]string, error) {
	names := map[string]string{}
	return names, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == target.LockFile {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			h := sha256.New()
			_, err = io.Copy(h, f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			what += fmt.Sprintf(" %d %x", info.Size(), h.Sum(nil))
			if times {
				what += " " + info.ModTime().UTC().String()
			}
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " " + link
		}
		names[strings.TrimPrefix(path, dir)] = what
		return nil
	})
}
