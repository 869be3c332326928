package target

import (
	"container/list"
	"errors"
	"io/fs"
	"os"
)

// handles is a bounded set of open files, the least recently used at the back.
type handles struct {
	limit int
	order *list.List // of *handle
	byAbs map[string]*list.Element
}

type handle struct {
	abs      string
	file     File
	readOnly bool
	dirty    bool // written since it was last flushed
	written  int  // bytes since the kernel was last asked to write them out
}

func newHandles(limit int) handles {
	if limit <= 0 {
		limit = 256
	}
	return handles{limit: limit, order: list.New(), byAbs: make(map[string]*list.Element)}
}

// get is the open handle of a file, nil if there is none.
func (h *handles) get(abs string) *handle {
	e, open := h.byAbs[abs]
	if !open {
		return nil
	}
	h.order.MoveToFront(e)
	return e.Value.(*handle)
}

func (h *handles) add(n *handle) { h.byAbs[n.abs] = h.order.PushFront(n) }

// oldest takes up to n handles that were not used for longest out of the set.
func (h *handles) oldest(n int) []*handle {
	var out []*handle
	for e := h.order.Back(); e != nil && len(out) < n; e = h.order.Back() {
		out = append(out, h.order.Remove(e).(*handle))
		delete(h.byAbs, out[len(out)-1].abs)
	}
	return out
}

// drop closes the handle of a file whose name goes away or changes meaning.
func (h *handles) drop(abs string) error {
	e, open := h.byAbs[abs]
	if !open {
		return nil
	}
	delete(h.byAbs, abs)
	return h.order.Remove(e).(*handle).file.Close()
}

func (h *handles) closeAll() error {
	var errs []error
	for _, n := range h.oldest(h.order.Len()) {
		errs = append(errs, n.file.Close())
	}
	return errors.Join(errs...)
}

// file is the open file at abs. A file that the owner may only read is opened
// for reading; writing to it fails later, in its own words.
func (t *Target) file(abs string, write bool) (*handle, error) {
	if n := t.files.get(abs); n != nil {
		if !write || !n.readOnly {
			return n, nil
		}
		if err := t.files.drop(abs); err != nil {
			return nil, err
		}
	}
	if err := t.makeRoom(); err != nil {
		return nil, err
	}
	f, err := t.fs.OpenFile(abs, os.O_RDWR, 0)
	readOnly := !write && errors.Is(err, fs.ErrPermission)
	if readOnly {
		f, err = t.fs.OpenFile(abs, os.O_RDONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	n := &handle{abs: abs, file: f, readOnly: readOnly}
	t.files.add(n)
	return n, nil
}

// makeRoom closes a quarter of the files when the bound is reached. Those that
// were written are flushed first, together: an error of the disk belongs to the
// descriptor that wrote, and might not be told to one opened later.
func (t *Target) makeRoom() error {
	if t.files.order.Len() < t.files.limit {
		return nil
	}
	return t.retire(t.files.oldest(max(t.files.limit/4, 1)))
}

// retire flushes and closes handles.
func (t *Target) retire(old []*handle) error {
	err := t.flush(old)
	for _, n := range old {
		err = errors.Join(err, n.file.Close())
	}
	return err
}
