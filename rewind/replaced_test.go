package rewind

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
)

// TestReplaced: only a directory that is another one for sure makes an
// unfinished journal one of the past. Whatever may be the target, moved or
// tampered with, is not taken for new.
func TestReplaced(t *testing.T) {
	bar := func(t *testing.T, dir string) {
		tg, err := target.Open(dir, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer tg.Close()
		if err := tg.Bar("text"); err != nil {
			t.Fatal(err)
		}
	}
	control := sha256.Sum256(nil)
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		change  func(s *journal.Summary)
		want    bool
	}{
		{"another directory", nil, nil, true},
		{"another directory, while the first was being undone", nil, func(s *journal.Summary) { s.Stage = journal.Undoing }, true},
		{"another directory, as the first was put back", nil, func(s *journal.Summary) { s.Stage, s.Note = journal.Restored, nil }, true},
		{"a target that was moved", bar, nil, false},
		{"a target that was moved and lost its label", nil, func(s *journal.Summary) { s.Note = control[:] }, false},
		{"a journal that does not know its target", nil, func(s *journal.Summary) { s.Header.Identity = nil }, false},
		{"a rewind that is done but for a note", nil, func(s *journal.Summary) { s.Stage = journal.Ready }, false},
		{"another directory, before the first was barred for sure", nil, func(s *journal.Summary) { s.Stage, s.Note = journal.Opened, nil }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := withPlan(t)
			dir := r.cfg.Target.Path()
			id, err := target.IdentityOf(dir)
			if err != nil {
				t.Fatal(err)
			}
			s := &journal.Summary{Dir: dir + ".forkpoint/rewind-1", Stage: journal.Barred, Note: []byte("another digest")}
			s.Header.Identity = id
			if tt.change != nil {
				tt.change(s)
			}
			if got, err := r.replaced(s); got || err != nil {
				t.Fatalf("the very directory counts as another one: %v", err)
			}
			if s.Header.Identity != nil { // clocks of file systems tick slowly
				s.Header.Identity.Born = s.Header.Identity.Born.Add(-time.Second)
			}
			// As a copy does: the same contents in new files.
			version := filepath.Join(dir, "PG_VERSION")
			if err := os.WriteFile(version+".new", []byte("15\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(version+".new", version); err != nil {
				t.Fatal(err)
			}
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			if got, err := r.replaced(s); got != tt.want || err != nil {
				t.Errorf("counts as another directory: %t, %v; want %t", got, err, tt.want)
			}
		})
	}
}
