package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// watcher tells of changes in a folder. A nil one, and one that could not be
// made, never does.
type watcher struct {
	changed chan struct{} // holds one
	file    *os.File
	ended   chan struct{}
}

// watchFolder asks the kernel to tell when files of a folder are made, renamed
// or written to. The watcher is of use with the error too.
func watchFolder(path string) (*watcher, error) {
	w := &watcher{changed: make(chan struct{}, 1), ended: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		close(w.ended)
		return w, os.NewSyscallError("inotify_init1", err)
	}
	w.file = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE); err != nil {
		w.file.Close() // nothing was written
		w.file = nil
		close(w.ended)
		return w, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	go w.read(w.file)
	return w, nil
}

// read turns events into one notice, however many they are, until the file is
// closed.
func (w *watcher) read(events *os.File) {
	defer close(w.ended)
	buf := make([]byte, 64<<10)
	for {
		if _, err := events.Read(buf); err != nil {
			return
		}
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) close() {
	if w.file != nil {
		w.file.Close() // nothing was written
	}
	<-w.ended
}
