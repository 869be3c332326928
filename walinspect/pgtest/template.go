package pgtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// largestTemplate is the segment size, in megabytes, up to which clusters are
// copied from a template. Larger ones are mostly one large file, which initdb
// writes as fast as a copy.
const largestTemplate = 16

// makeCluster leaves a new cluster in dir, which does not exist yet.
func makeCluster(in Install, c config, dir string) error {
	if c.fresh || c.segMB > largestTemplate {
		return initdb(in, c, dir)
	}
	template, err := template(in, c)
	if errors.Is(err, fs.ErrPermission) {
		return initdb(in, c, dir) // the servers' place belongs to somebody else
	}
	if err != nil {
		return err
	}
	if err := copyTree(template, dir, nil); err != nil {
		return err
	}
	return Own(dir)
}

// template is the path of a cluster to copy; it is made where there is none.
// Templates stay for later runs. The name holds all that they depend on.
func template(in Install, c config) (string, error) {
	postgres, _ := in.Program("postgres")
	st, err := os.Stat(postgres)
	if err != nil {
		return "", err
	}
	built := sha256.Sum256(fmt.Appendf(nil, "2 %s %d %s", postgres, st.Size(), st.ModTime()))
	name := fmt.Sprintf("%d-%dMB-%x", in.Major, c.segMB, built[:6])
	if !c.checksums {
		name += "-nosums"
	}
	base := filepath.Join(cacheDir(), fmt.Sprintf("templates-%d", os.Getuid()))
	path := filepath.Join(base, name)
	if isDir(path) {
		return path, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	gate, err := lockFile(filepath.Join(base, "lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer gate.Close() // lets the lock go; nothing was written
	if isDir(path) {
		return path, nil
	}
	work, err := shared.acquire()
	if err != nil {
		return "", err
	}
	made := filepath.Join(work, "data")
	unfinished := path + ".new"
	err = errors.Join(initdb(in, c, made), os.RemoveAll(unfinished))
	if err == nil {
		err = copyTree(made, unfinished, nil)
	}
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	return path, errors.Join(err, shared.release(work))
}

// initdb makes a cluster whose databases all have the extension amcheck, so
// that a standby can be checked too.
func initdb(in Install, c config, dir string) error {
	args := []string{"-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N",
		"--wal-segsize=" + strconv.Itoa(c.segMB)}
	switch {
	case c.checksums:
		args = append(args, "--data-checksums")
	case in.Major >= 18:
		args = append(args, "--no-data-checksums")
	}
	program, _ := in.Program("initdb")
	if out, err := RunAs(exec.Command(program, args...)).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb of PostgreSQL %d: %w\n%s", in.Major, err, out)
	}
	for _, db := range []string{"template1", "postgres"} {
		if err := singleUser(in, dir, db, "CREATE EXTENSION amcheck"); err != nil {
			return err
		}
	}
	return nil
}

// singleUser runs a statement without a server. An error in the statement does
// not show in the exit status, only in the output.
func singleUser(in Install, dir, db, sql string) error {
	program, _ := in.Program("postgres")
	cmd := RunAs(exec.Command(program, "--single", "-F", "-D", dir, "-c", "exit_on_error=on", db))
	cmd.Stdin = strings.NewReader(sql + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("ERROR:")) {
		return fmt.Errorf("%s: %w\n%s", sql, err, out)
	}
	return nil
}

// copyTree copies a directory to a new place: files, directories and symbolic
// links as they are. Files that vanish meanwhile are left out, as in any copy
// of a running server. skip tells by relative path what not to copy; a skipped
// directory is left out with all it holds.
func copyTree(from, to string, skip func(rel string) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path) // both begin with from
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case skip != nil && rel != "." && skip(rel):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		err = copyEntry(path, filepath.Join(to, rel), d)
		if errors.Is(err, fs.ErrNotExist) && rel != "." {
			return nil
		}
		return err
	})
}

func copyEntry(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		return os.MkdirAll(to, info.Mode().Perm())
	case d.Type()&fs.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, to)
	case d.Type().IsRegular():
		return copyFile(from, to, info.Mode().Perm())
	}
	return nil // sockets and the like
}

func copyFile(from, to string, mode fs.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = out.ReadFrom(in)
	return err
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
