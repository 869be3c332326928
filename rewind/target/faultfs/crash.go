package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// Clone is an independent copy of the disk, with what is not flushed.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	copies := make(map[*node]*node)
	return &Disk{mu: new(sync.Mutex), root: d.root.clone(copies), mounts: d.mounts, clock: d.clock}
}

func (n *node) clone(copies map[*node]*node) *node {
	if n == nil || copies[n] != nil {
		return copies[n]
	}
	out := &node{now: n.now, safe: n.safe} // data is never changed in place
	copies[n] = out
	entries := func(in map[string]*node) map[string]*node {
		if in == nil {
			return nil
		}
		m := make(map[string]*node, len(in))
		for name, child := range in {
			m[name] = child.clone(copies)
		}
		return m
	}
	out.now.entries, out.safe.entries = entries(n.now.entries), entries(n.safe.entries)
	for _, u := range n.undone {
		u.entries = entries(u.entries)
		out.undone = append(out.undone, u)
	}
	return out
}

// Crash is what the disk holds after the power fails now. The source of chance
// decides which unflushed changes came through. The disk itself stays as it is.
func (d *Disk) Crash(chance *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := &Disk{mu: new(sync.Mutex), mounts: d.mounts, clock: d.clock}
	after.root = d.root.crash(chance, make(map[*node]*node))
	return after
}

func (n *node) crash(chance *rand.Rand, done map[*node]*node) *node {
	if have := done[n]; have != nil {
		return have
	}
	c := n.safe
	c.entries = maps.Clone(n.safe.entries)
	keep := chance.Float64() // some files lose nearly all, some nearly nothing
	lost := make(map[string]bool)
	for _, u := range n.undone {
		if u.entries != nil {
			if chance.Float64() < keep && !u.anyOf(lost) {
				u.to(&c)
			} else {
				u.note(lost)
			}
			continue
		}
		for _, part := range u.parts() {
			if chance.Float64() < keep {
				part.to(&c)
			}
		}
	}
	out := &node{now: c, safe: c}
	done[n] = out
	for _, name := range slices.Sorted(maps.Keys(c.entries)) {
		c.entries[name] = c.entries[name].crash(chance, done)
	}
	out.safe.entries = maps.Clone(c.entries)
	return out
}

func (u change) anyOf(names map[string]bool) bool {
	for name := range u.entries {
		if names[name] {
			return true
		}
	}
	return false
}

func (u change) note(names map[string]bool) {
	for name := range u.entries {
		names[name] = true
	}
}

// parts cuts a write into what a disk writes at once.
func (u change) parts() []change {
	const sector = 512
	if u.data == nil {
		return []change{u}
	}
	var out []change
	for off, rest := u.off, u.data; len(rest) > 0; {
		n := min(sector-int(off%sector), len(rest))
		out = append(out, change{off: off, data: rest[:n]})
		off, rest = off+int64(n), rest[n:]
	}
	return out
}
