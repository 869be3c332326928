package target

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// TempPrefix begins the name of every temporary file that is made in the data
// directory. Base backups, pg_rewind and pg_checksums pass over names that
// begin with pgsql_tmp, and servers do not clear them in these places.
const TempPrefix = "pgsql_tmp_forkpoint."

// StateDirName is the state directory inside the data directory, where the one
// beside it cannot be made. Nothing in it belongs to the target.
const StateDirName = "pgsql_tmp_forkpoint"

// resolve turns a name into the absolute path of a file in one of the trees,
// declaring the tree if it is met for the first time.
func (t *Target) resolve(name string) (string, error) {
	if !validName(name) {
		return "", fmt.Errorf("%q: %w", name, ErrOutside)
	}
	mount, rest := splitMount(name)
	if mount == "" || rest == "" {
		return t.dir + "/" + name, nil
	}
	dir, known := t.links[mount]
	if !known {
		var err error
		if dir, err = t.declare(mount); err != nil {
			return "", err
		}
	}
	return dir + "/" + rest, nil
}

// validName holds for a relative path in its only spelling that names
// something a rewind may change.
func validName(name string) bool {
	return name != "." && filepath.IsLocal(name) && path.Clean(name) == name &&
		!strings.ContainsRune(name, 0) &&
		name != LockFile && name != StateDirName && !strings.HasPrefix(name, StateDirName+"/")
}

// splitMount parts a name at the place where another tree may be mounted by a
// symbolic link: pg_wal and the entries of pg_tblspc.
func splitMount(name string) (mount, rest string) {
	if rest, ok := strings.CutPrefix(name, "pg_wal/"); ok {
		return "pg_wal", rest
	}
	if name == "pg_wal" {
		return "pg_wal", ""
	}
	under, ok := strings.CutPrefix(name, "pg_tblspc/")
	if !ok {
		return "", ""
	}
	oid, rest, _ := strings.Cut(under, "/")
	if strings.Trim(oid, "0123456789") != "" {
		return "", ""
	}
	return "pg_tblspc/" + oid, rest
}

// declare finds the directory of a mount: what the link points to, or the
// directory itself when it is none.
func (t *Target) declare(mount string) (string, error) {
	dir := t.dir + "/" + mount
	dest, err := t.destination(mount)
	if err != nil {
		return "", err
	}
	if dest != "" {
		dir = dest
		if err := t.fs.Declare(dir); err != nil {
			return "", fmt.Errorf("%s: %w", mount, err)
		}
	}
	t.links[mount] = dir
	return dir, nil
}

// destination is the absolute path that the link at a mount points to; "" if
// it is a directory.
func (t *Target) destination(mount string) (string, error) {
	at := t.dir + "/" + mount
	info, err := t.fs.Lstat(at)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return "", nil
	}
	dest, err := t.fs.Readlink(at)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(dest) {
		dest = filepath.Join(filepath.Dir(at), dest)
	}
	return filepath.Clean(dest), nil
}

// unmount forgets where a mount leads, because the link itself changes.
func (t *Target) unmount(name string) {
	if mount, rest := splitMount(name); mount != "" && rest == "" {
		delete(t.links, mount)
	}
}

// Trees lists the directories outside the data directory that belong to it:
// what pg_wal and the tablespaces are linked to, by the name of the link.
func (t *Target) Trees() (map[string]string, error) {
	mounts := []string{"pg_wal"}
	names, err := t.fs.ReadDir(t.dir + "/pg_tblspc")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, n := range names {
		if mount, _ := splitMount("pg_tblspc/" + n); mount != "" {
			mounts = append(mounts, mount)
		}
	}
	trees := make(map[string]string)
	for _, m := range mounts {
		dest, err := t.destination(m)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if dest != "" {
			trees[m] = dest
		}
	}
	return trees, nil
}

// tempName is the temporary file beside path, the same on every try.
func tempName(abs string) string {
	return filepath.Join(filepath.Dir(abs), TempPrefix+filepath.Base(abs))
}

// Mount is the name of the link through which a name leads into another tree,
// if it is one; "" for names in the data directory itself.
func Mount(name string) string {
	mount, rest := splitMount(name)
	if rest == "" {
		return ""
	}
	return mount
}

// Mountable tells whether a symbolic link of this name leads to a tree of its
// own: pg_wal and the entries of pg_tblspc.
func Mountable(name string) bool {
	mount, rest := splitMount(name)
	return mount != "" && rest == ""
}
