package faultfs

import (
	"io/fs"
	"slices"
	"time"
)

// node is a file, a directory or a link.
type node struct {
	now    content
	safe   content // as of the last flush
	undone []change
}

type content struct {
	mode    fs.FileMode
	mtime   time.Time
	data    []byte           // of a file
	dest    string           // of a link
	entries map[string]*node // of a directory
}

// change is one unflushed change. Those of a directory name the entries they set.
type change struct {
	entries map[string]*node // nil node: the entry goes
	off     int64
	data    []byte
	apply   func(c *content) // instead of data
}

func newNode(mode fs.FileMode, at time.Time) *node {
	c := content{mode: mode, mtime: at}
	n := &node{now: c, safe: c}
	if mode.IsDir() {
		n.now.entries, n.safe.entries = make(map[string]*node), make(map[string]*node)
	}
	return n
}

// set changes a file now and notes that it is not flushed.
func (n *node) set(c change) {
	c.to(&n.now)
	n.undone = append(n.undone, c)
}

func (c change) to(into *content) {
	switch {
	case c.entries != nil:
		for name, child := range c.entries {
			if into.entries[name] = child; child == nil {
				delete(into.entries, name)
			}
		}
	case c.apply != nil:
		c.apply(into)
	default:
		into.data = slices.Clone(into.data)
		if grow := int(c.off) + len(c.data) - len(into.data); grow > 0 {
			into.data = append(into.data, make([]byte, grow)...)
		}
		copy(into.data[c.off:], c.data)
	}
}

// flush makes everything of a node safe that was not given up.
func (n *node) flush() {
	for _, u := range n.undone {
		u.to(&n.safe)
	}
	n.undone = nil
}

// giveUp is a flush that failed: what was written since the last one can be
// read until the power fails, but no later flush brings it to disk.
func (n *node) giveUp() {
	n.undone = slices.DeleteFunc(n.undone, func(u change) bool { return u.data != nil })
}

// Flush makes everything on the disk safe, as a long calm does.
func (d *Disk) Flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.walk(make(map[*node]bool), (*node).flush)
}

func (n *node) walk(seen map[*node]bool, do func(*node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	do(n)
	for _, child := range n.now.entries {
		child.walk(seen, do)
	}
}
