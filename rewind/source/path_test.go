package source

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for _, good := range []string{"a", "base/1/1249", "pg_tblspc/16385/PG_15_202209061/5/16386_fsm", "..a", "a..", "...", "a b", "a\nb", "\xff", `a\b`, "C:"} {
		if err := CheckPath(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "/", "/etc/passwd", "..", "../x", "a/..", "a/../b", ".", "./a", "a/.", "a//b", "a/", "a\x00b", strings.Repeat("x/", 600) + "x"} {
		var unsafe *UnsafePathError
		if err := CheckPath(bad); !errors.Is(err, ErrUnsafePath) || !errors.As(err, &unsafe) || unsafe.Path != bad {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"a/b", "", "..", "/"} {
		if _, err := checkEntry("base", bad); !errors.Is(err, ErrUnsafePath) {
			t.Errorf("entry %q: %v", bad, err)
		}
	}
}

func TestCheckLink(t *testing.T) {
	tests := []struct {
		target       string
		inPlace, bad bool
	}{
		{target: "/srv/space"},
		{target: "pg_tblspc/16385", inPlace: true},
		{target: "", bad: true},
		{target: "../elsewhere", bad: true},
		{target: "pg_tblspc/16386", bad: true},
		{target: "/srv/../etc", bad: true},
		{target: "/srv//x", bad: true},
		{target: "/srv/x/", bad: true},
		{target: "/a\x00", bad: true},
	}
	for _, tt := range tests {
		inPlace, err := checkLink("pg_tblspc/16385", tt.target)
		if inPlace != tt.inPlace || (err != nil) != tt.bad {
			t.Errorf("%q: %t, %v", tt.target, inPlace, err)
		}
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{"base/1", "../x", "a//b", "/", "a/./b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckPath(name) != nil {
			return
		}
		if !filepath.IsLocal(name) || path.Clean(name) != name || !strings.HasPrefix(path.Join("/d", name), "/d/") {
			t.Errorf("%q leads elsewhere", name)
		}
	})
}
