package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/rewind/target"
)

// finished makes a rewind of r's target that ended before its manifest, and
// damages the old bytes in its log. It returns the bundle and what tells it.
func finished(t *testing.T, r *run) (bundle, id string) {
	t.Helper()
	return damaged(t, r, true, func(log, old []byte) int { return bytes.Index(log, old) })
}

// damaged makes a rewind of r's target, finished or not, and changes a byte of
// its log.
func damaged(t *testing.T, r *run, finish bool, where func(log, old []byte) int) (bundle, id string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := []byte("bytes that were there before")
	must(os.WriteFile(filepath.Join(r.cfg.Target.Path(), "conf"), old, 0o600))
	must(r.openTarget())
	j, err := journal.Create(r.target.FS(), r.cfg.StateDir, journal.Header{Target: r.cfg.Target.Path(), Undo: true}, []byte("{}"), journal.Options{Plain: true})
	must(err)
	edit := journal.NewEditor(j, r.target)
	must(edit.Bar(t.Context(), "text"))
	must(j.Commit()) // the damage is not to be in a batch of notes
	must(edit.WriteAt("conf", 0, bytes.Repeat([]byte{'x'}, len(old))))
	must(edit.Flush())
	if finish {
		must(edit.Finish(t.Context(), []byte("START WAL LOCATION: 0/0\n")))
	} else {
		must(edit.Chmod("conf", 0o640))
		must(edit.WriteAt("conf", 0, old[:1]))
		must(edit.Flush())
		must(errors.Join(j.Phase("copy", true), j.Commit()))
	}
	bundle, id = j.Dir(), j.Header().ID
	must(j.Close())

	name := filepath.Join(bundle, "log")
	log, err := os.ReadFile(name)
	must(err)
	at := where(log, old)
	if at < 0 {
		t.Fatal("there is nothing to damage in the log")
	}
	log[at]++
	must(os.WriteFile(name, log, 0o600))
	if _, err := journal.OpenReader(r.target.FS(), bundle); !errors.Is(err, journal.ErrCorrupt) {
		t.Fatalf("the damaged journal opens: %v", err)
	}
	return bundle, id
}

// TestOldBundleIsNoObstacle: what became of the bundle of a finished rewind
// that has no manifest does not stand in the way of the next one.
func TestOldBundleIsNoObstacle(t *testing.T) {
	t.Run("damaged", func(t *testing.T) {
		r := withPlan(t)
		defer r.close()
		bundle, _ := finished(t, r)
		if err := r.findUnfinished(t.Context()); err != nil || !Sealed(bundle) || len(r.result.Notes) > 0 {
			t.Fatalf("%v, there is a manifest: %t, notes %q", err, Sealed(bundle), r.result.Notes)
		}
	})
	t.Run("cannot be sealed", func(t *testing.T) {
		r := withPlan(t)
		defer r.close()
		bundle, id := finished(t, r)
		if err := os.Mkdir(filepath.Join(bundle, manifestFile+".new"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := r.findUnfinished(t.Context())
		if notes := strings.Join(r.result.Notes, "\n"); err != nil || !strings.Contains(notes, SealCommand(r.cfg.StateDir, id)) {
			t.Fatalf("%v, notes %q; want the command that seals it", err, notes)
		}
	})
	t.Run("told to stop", func(t *testing.T) {
		r := withPlan(t)
		defer r.close()
		finished(t, r)
		told := errors.New("told to stop")
		ctx, stop := context.WithCancelCause(t.Context())
		stop(told)
		if err := r.findUnfinished(ctx); !errors.Is(err, told) {
			t.Fatalf("%v; want %v", err, told)
		}
	})
}

// TestDamagedJournal: a batch that rots makes no finished rewind unfinished, and
// where it is in the way the words tell what was found and what to do.
func TestDamagedJournal(t *testing.T) {
	batch := func(n int) func(log, _ []byte) int {
		return func(log, _ []byte) int {
			at := -1
			for range n {
				at += 1 + bytes.Index(log[at+1:], []byte("FPJB"))
			}
			return at
		}
	}
	for _, tt := range []struct {
		name   string
		finish bool
		where  func(log, old []byte) int
		found  string
	}{
		{"finished, old bytes", true, func(log, old []byte) int { return bytes.Index(log, old) }, "batch 3 is damaged, and batch 4 follows"},
		{"finished, first header", true, batch(1), "batch 1 is damaged, and batch 2 follows"},
		{"finished, the note that it is barred", true, func(log, _ []byte) int { return batch(2)(log, nil) + 60 }, "batch 2 is damaged, and batch 3 follows"},
		{"unfinished, first header", false, batch(1), "batch 1 is damaged, and batch 2 follows"},
		{"unfinished, old bytes", false, func(log, old []byte) int { return bytes.Index(log, old) }, "batch 3 is damaged, and batch 4 follows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := withPlan(t)
			defer r.close()
			_, id := damaged(t, r, tt.finish, tt.where)
			err := r.findUnfinished(t.Context())
			next := []string{"evidence verify --state-dir " + r.cfg.StateDir + " " + id, "a copy of the bundle"}
			if !tt.finish {
				next = append(next, "a new base backup")
				var refused *PreflightError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.found) || !containsAll(refused.Next, next) {
					t.Errorf("resume: %v; want a refusal that says %q and what to do", err, tt.found)
				}
			} else if err != nil {
				t.Errorf("the next rewind: %v", err)
			}
			r.journal = nil
			var refused *PreflightError
			if err := r.undo(t.Context()); !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.found) || !containsAll(refused.Next, next) {
				t.Errorf("undo: %v; want a refusal that says %q and what to do", err, tt.found)
			}
		})
	}
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// lostSource is a live source that answers as hash does.
type lostSource struct {
	stillSource
	hash func(deliver func(source.Digest) error) error
}

func (s lostSource) Hash(_ context.Context, ranges iter.Seq[source.Range], deliver func(source.Digest) error) error {
	for range ranges {
		return s.hash(deliver)
	}
	return nil
}

// TestCompareStagedBlames: an error while fetched log is compared names the side
// that it is about, and stays what it was.
func TestCompareStagedBlames(t *testing.T) {
	const name = "000000010000000000000001"
	lost := &source.TransientError{Server: "db1", Op: "read", Err: errors.New("connection reset")}
	for _, tt := range []struct {
		name  string
		hash  func(r *run, deliver func(source.Digest) error) error
		side  string
		after bool // trying again may help
	}{
		{"lost connection", func(*run, func(source.Digest) error) error { return lost }, "source: compare WAL that was fetched before: ", true},
		{"stage unreadable", func(r *run, deliver func(source.Digest) error) error {
			err := errors.Join(os.Remove(filepath.Join(r.stageDir(), name)), os.Mkdir(filepath.Join(r.stageDir(), name), 0o700))
			if err != nil {
				return err
			}
			return fmt.Errorf("hash: %w", deliver(source.Digest{Path: "pg_wal/" + name, Length: 1 << 20, Last: true}))
		}, "state directory: look through WAL that was fetched before: ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := withPlan(t, plan.Action{Kind: plan.FetchWAL, Path: "pg_wal/" + name, Size: 1 << 20})
			defer r.close()
			r.resumed = &resumed{}
			r.cfg.Source = lostSource{hash: func(deliver func(source.Digest) error) error { return tt.hash(r, deliver) }}
			if err := r.openTarget(); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(target.MakeDir(r.target.FS(), r.stageDir()), os.WriteFile(filepath.Join(r.stageDir(), name), make([]byte, 1<<20), 0o600)); err != nil {
				t.Fatal(err)
			}
			err := r.checkStaged(t.Context())
			var transient *source.TransientError
			if err == nil || !strings.HasPrefix(err.Error(), tt.side) || errors.As(err, &transient) != tt.after || errors.Is(err, source.ErrTransient) != tt.after {
				t.Fatalf("%v; want %s…, transient: %t", err, tt.side, tt.after)
			}
		})
	}
}
