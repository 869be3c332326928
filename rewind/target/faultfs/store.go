package faultfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Load takes a directory of real files with all that is below it, and counts
// everything as flushed.
func (d *Disk) Load(dir string) error {
	for i, c := range dir {
		if c == '/' && i > 0 {
			if _, err := d.Lstat(dir[:i]); err != nil {
				if err := d.Mkdir(dir[:i], 0o755); err != nil {
					return err
				}
			}
		}
	}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		n := newNode(info.Mode(), info.ModTime())
		switch {
		case info.Mode().IsRegular():
			if n.now.data, err = os.ReadFile(name); err != nil {
				return err
			}
		case info.Mode()&fs.ModeSymlink != 0:
			if n.now.dest, err = os.Readlink(name); err != nil {
				return err
			}
		case !info.IsDir():
			return fmt.Errorf("load %s: neither file, directory nor link", name)
		}
		return d.insert("load", name, n)
	})
	if err != nil {
		return err
	}
	d.root.walk(make(map[*node]bool), func(n *node) { n.undone, n.safe = nil, n.now.copy() })
	return nil
}

// copy is the content with a list of entries of its own.
func (c content) copy() content {
	if c.entries != nil {
		entries := make(map[string]*node, len(c.entries))
		for name, child := range c.entries {
			entries[name] = child
		}
		c.entries = entries
	}
	return c
}

// Store makes a directory of real files, with all that is below it, as the
// disk has it: contents, modes, times, and files with several names. What was
// there goes.
func (d *Disk) Store(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find("store", dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return n.store(dir, make(map[*node]string))
}

func (n *node) store(name string, names map[*node]string) error {
	if first := names[n]; first != "" {
		return os.Link(first, name)
	}
	names[n] = name
	c := &n.now
	switch {
	case c.mode&fs.ModeSymlink != 0:
		return os.Symlink(c.dest, name)
	case !c.mode.IsDir():
		if err := os.WriteFile(name, c.data, 0o600); err != nil {
			return err
		}
	default:
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
		for entry, child := range c.entries {
			if err := child.store(path.Join(name, entry), names); err != nil {
				return err
			}
		}
	}
	if err := os.Chmod(name, c.mode.Perm()); err != nil {
		return err
	}
	return os.Chtimes(name, c.mtime, c.mtime)
}
