package target

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestIdentity: a directory stays the same one through writes, and is another
// one where its files were made anew, whatever their inodes.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, identityFile)
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(name, []byte("15\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	identity := func() *Identity {
		t.Helper()
		id, err := IdentityOf(dir)
		if err != nil || id == nil {
			t.Fatal(id, err)
		}
		return id
	}
	write(file)
	was := identity()
	write(filepath.Join(dir, "postgresql.conf"))
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if now := identity(); was.Replaced(now) {
		t.Errorf("%+v counts as another directory than %+v", now, was)
	}
	// The clock of a file system ticks slowly: made anew until it has gone on.
	for now, end := identity(), time.Now().Add(10*time.Second); !was.Replaced(now); now = identity() {
		if time.Now().After(end) {
			t.Fatalf("%+v counts as the same directory as %+v", now, was)
		}
		write(file + ".new") // beside the old one, so that it has another inode
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}

	at := time.Unix(100, 7)
	for _, tt := range []struct {
		name     string
		was, now *Identity
		want     bool
	}{
		{"an inode given away again", &Identity{1, at}, &Identity{1, at.Add(1)}, true},
		{"an inode that a file system made up anew", &Identity{1, at}, &Identity{2, at}, false},
		{"no time of birth, another inode", &Identity{Inode: 1}, &Identity{Inode: 2}, true},
		{"no time of birth, the same inode", &Identity{Inode: 1}, &Identity{1, at}, false},
		{"not noted", nil, &Identity{1, at}, false},
		{"not to be had", &Identity{1, at}, nil, false},
	} {
		if got := tt.was.Replaced(tt.now); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}
