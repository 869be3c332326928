package journal

import (
	"fmt"
	"math"
	"sort"

	"forkpoint/rewind/target"
)

// Window is a part of a rewind of which it is known beforehand what it will
// overwrite. All of that is noted first and flushed once; the changes then go
// straight into the target, without being queued and without the target being
// read again. Its steps are [Window.Save] for each range, [Window.Commit], and
// the changes.
type Window struct {
	e     *Editor
	saved map[string][]span
}

// span is a part of a file, in bytes.
type span struct{ from, to int64 }

// Window begins a window.
func (e *Editor) Window() *Window { return &Window{e, make(map[string][]span)} }

// ToEnd as a length reaches to the end of a file, wherever that is.
const ToEnd = math.MaxInt64

// Save notes the bytes of the original file in [off, off+length), less where it
// ends before. Ranges of a file come in ascending order; what is out of order
// may be noted once more by a change.
func (w *Window) Save(name string, off, length int64) error {
	e := w.e
	o, original, err := e.subject(name)
	if err != nil {
		return err
	}
	end := o.was.Size
	if length < end-off {
		end = off + length
	}
	if !original || off >= end {
		return nil // nothing of the original lies there
	}
	if err := e.saveTail(name, off, end); err != nil {
		return e.fail(err)
	}
	list := w.saved[name]
	if n := len(list); n > 0 && list[n-1].to == off {
		list[n-1].to = end
	} else {
		w.saved[name] = append(list, span{off, end})
	}
	return nil
}

// Commit makes what was saved durable, and makes the changes that were queued
// before.
func (w *Window) Commit() error { return w.e.Flush() }

// WriteAt is [Editor.WriteAt] at once, where the old bytes were saved, and else
// the same.
func (w *Window) WriteAt(name string, off int64, data []byte) error {
	free, err := w.free(name, off, off+int64(len(data)))
	if err != nil {
		return err
	}
	if !free {
		return w.e.WriteAt(name, off, data)
	}
	if err := w.e.t.WriteAt(name, off, data); err != nil {
		return w.e.fail(fmt.Errorf("change %s: %w", name, err))
	}
	return nil
}

// Truncate is [Editor.Truncate], which need not note what was saved.
func (w *Window) Truncate(name string, size int64) error {
	free, err := w.free(name, size, math.MaxInt64)
	if err != nil {
		return err
	}
	if !free {
		return w.e.Truncate(name, size)
	}
	return w.e.add(edit{name: name, make: func(t *target.Target) error { return t.Truncate(name, size) }}, 0, math.MaxInt64)
}

// free tells whether the log says durably all that must be known to undo a
// change of [from, to). What is queued is done before.
func (w *Window) free(name string, from, to int64) (bool, error) {
	e := w.e
	if err := e.readyPart(name); err != nil {
		return false, err
	}
	o, err := e.origin(name)
	if err != nil {
		return false, e.fail(err)
	}
	if len(e.queue) > 0 || !e.j.log.clean() {
		if err := e.Flush(); err != nil {
			return false, err
		}
	}
	original, err := e.original(name, o)
	if err != nil {
		return false, e.fail(err)
	}
	to = min(to, o.was.Size)
	if !original || !e.saves(name) || from >= to {
		return true, nil
	}
	list := w.saved[name]
	after := sort.Search(len(list), func(i int) bool { return list[i].from > from })
	return after > 0 && list[after-1].from <= from && to <= list[after-1].to, nil
}
