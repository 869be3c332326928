package rewind

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgcontrol"
)

// withPlan is a run that has a target and a plan.
func withPlan(t *testing.T, actions ...plan.Action) *run {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for _, name := range []string{"global", "pg_wal", "base/5"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"PG_VERSION": "15\n", "global/pg_control": "", "base/5/1259": "", "conf": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(Config{Target: target, StateDir: dir + ".forkpoint", Undo: true, Log: slog.New(slog.DiscardHandler)})
	r.plan = &plan.Plan{Actions: actions}
	r.sit.target.control = &pgcontrol.Control{BlockSize: 8192, SegmentSize: 1 << 20}
	return r
}

// TestRoom refuses what no file system has room for, and says what of it is
// for what.
func TestRoom(t *testing.T) {
	const much = 1 << 60
	tests := []struct {
		name   string
		action plan.Action
		undo   bool
		says   []string // nothing: there is room
	}{
		{"nothing", plan.Action{Kind: plan.CopyFile, Path: "conf", Size: 10}, true, nil},
		{"a file that grows", plan.Action{Kind: plan.CopyFile, Path: "conf", Size: much, TargetSize: 1 << 40}, false, []string{"that files grow", "make room there"}},
		{"a file that is as long already", plan.Action{Kind: plan.CopyFile, Path: "conf", Size: much, TargetSize: much}, false, nil},
		{"a relation that grows", plan.Action{Kind: plan.Blocks, Path: "base/5/1259", Size: much}, false, []string{"that files grow"}},
		{"old bytes of a file", plan.Action{Kind: plan.CopyFile, Path: "conf", Size: much, TargetSize: much}, true, []string{"of old bytes to undo it", "--no-undo"}},
		{"old bytes of a relation that is cut", plan.Action{Kind: plan.Blocks, Path: "base/5/1259", TargetSize: much}, true, []string{"--no-undo"}},
		{"WAL for replay", plan.Action{Kind: plan.FetchWAL, Path: "pg_wal/000000010000000000000001", Size: much}, false, []string{"of WAL for replay"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := withPlan(t, tt.action)
			r.cfg.Undo = tt.undo
			err := r.checkRoom(t.Context())
			var refused *PreflightError
			if !errors.As(err, &refused) {
				if err != nil || len(tt.says) > 0 {
					t.Fatalf("%v, want a refusal: %t", err, len(tt.says) > 0)
				}
				return
			}
			if refused.Check != CheckSpace || len(tt.says) == 0 {
				t.Fatal(err)
			}
			for _, text := range tt.says {
				if !strings.Contains(refused.Found+refused.Next, text) {
					t.Errorf("does not say %q: %s; %s", text, refused.Found, refused.Next)
				}
			}
			if _, err := os.Stat(r.cfg.StateDir); err == nil {
				t.Error("a state directory was made")
			}
		})
	}
	t.Run("segments from an archive", func(t *testing.T) {
		r := withPlan(t)
		r.sit.target.control.SegmentSize = 1 << 30
		r.archived = make([]string, 1<<30)
		var refused *PreflightError
		if err := r.checkRoom(t.Context()); !errors.As(err, &refused) || refused.Check != CheckSpace {
			t.Errorf("%v, want a refusal", err)
		}
	})
	t.Run("segments that are there", func(t *testing.T) {
		r := withPlan(t, plan.Action{Kind: plan.FetchWAL, Path: "pg_wal/000000010000000000000001", Size: much})
		r.restaged.same = map[string]bool{"000000010000000000000001": true}
		if err := r.checkRoom(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("holes of the source", func(t *testing.T) {
		for _, data := range []int64{0, 1 << 20, 1 << 30} { // the last as much as the file is long
			const size = 1 << 30
			r := withPlan(t, plan.Action{Kind: plan.CopyFile, Path: "sparse", Size: size})
			dir := withPlan(t).cfg.Target.Path()
			f, err := os.Create(filepath.Join(dir, "sparse"))
			if err == nil {
				err = f.Truncate(size)
			}
			if err == nil && data > 0 {
				_, err = f.WriteAt([]byte("data"), size/2)
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			local, err := source.OpenLocal(dir)
			if err != nil {
				t.Fatal(err)
			}
			r.cfg.Source = local
			if data == size {
				r.resumed = &resumed{}
			}
			if got := r.growth(r.plan.Actions[0]); got < min(data, 4) || got > max(data, 1<<22*min(data, 1)) {
				t.Errorf("%d bytes of data: the file grows by %d", data, got)
			}
		}
	})
	t.Run("of a rewind that was interrupted", func(t *testing.T) {
		grown := plan.Action{Kind: plan.CopyFile, Path: "conf", Size: much}
		r := withPlan(t, grown)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(os.WriteFile(filepath.Join(r.cfg.Target.Path(), "conf"), make([]byte, 1<<20), 0o600))
		must(r.openTarget())
		var err error
		r.journal, err = journal.Create(r.target.FS(), r.cfg.StateDir, journal.Header{Target: r.cfg.Target.Path(), Undo: true}, nil, journal.Options{})
		must(err)
		defer r.close()
		whole := need{}
		r.chooseUndo(&whole, &journal.Estimate{Names: 1, NameBytes: 4, Ranges: 1, RangeBytes: 1 << 20})
		edit := journal.NewEditor(r.journal, r.target)
		must(errors.Join(edit.Bar(t.Context(), "text"), edit.WriteAt("conf", 0, bytes.Repeat([]byte{1}, 1<<20)), edit.Flush()))
		r.resumed = &resumed{kept: map[string]string{}}
		rest := need{}
		r.chooseUndo(&rest, &journal.Estimate{Names: 1, NameBytes: 4, Ranges: 1, RangeBytes: 1 << 20})
		if saved := whole.undo - rest.undo; saved < 1<<20 {
			t.Errorf("old bytes: %d, and when they are noted %d", whole.undo, rest.undo)
		}
		if got := r.growth(grown); got != much-1<<20 {
			t.Errorf("the file still grows by %d", got)
		}
		var refused *PreflightError
		err = r.checkRoom(t.Context())
		if !errors.As(err, &refused) || !strings.Contains(refused.Found, "the rest of the rewind may take") ||
			!strings.Contains(refused.Next, r.undoCommand()) || strings.Contains(refused.Next, "-dir elsewhere") {
			t.Errorf("%v, next %q", err, refused.Next)
		}
	})
	t.Run("undo is optional", func(t *testing.T) {
		r := withPlan(t, plan.Action{Kind: plan.CopyFile, Path: "conf", Size: much, TargetSize: much})
		r.cfg.UndoOptional = true
		if err := r.checkRoom(t.Context()); err != nil || r.cfg.Undo {
			t.Errorf("%v, keeps old bytes: %t", err, r.cfg.Undo)
		}
	})
}
