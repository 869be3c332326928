package rewind

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"forkpoint/rewind/plan"
)

// sums reads files that will be set aside, while others are copied, so that the
// manifest of the evidence bundle need not: a log of gigabytes takes seconds.
// It is for one goroutine at a time beside the one that it starts.
type sums struct {
	stop  context.CancelFunc
	ended chan struct{}
	known map[fileID]string // complete once ended is closed
}

// fileID tells a file from others, under whatever name, as long as nobody
// writes to it.
type fileID struct {
	device, inode uint64
	size          int64
	changed       time.Time
}

func fileIDOf(info fs.FileInfo) (id fileID, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return id, false
	}
	return fileID{uint64(st.Dev), uint64(st.Ino), info.Size(), info.ModTime()}, true
}

// startSums begins to sum up what the plan sets aside and the bundle will hold.
func (r *run) startSums(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	s := &sums{stop: stop, ended: make(chan struct{}), known: make(map[fileID]string)}
	r.sums = s
	dir := r.cfg.Target.Path()
	go func() {
		defer close(s.ended)
		for _, a := range r.plan.Actions {
			if a.Kind != plan.SetAside || ctx.Err() != nil {
				continue
			}
			// What cannot be read now is left to the manifest.
			name := filepath.Join(dir, filepath.FromSlash(a.Path))
			info, err := os.Lstat(name)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			id, ok := fileIDOf(info)
			if sum, err := sumFile(ctx, name, func(int) {}); ok && err == nil {
				s.known[id] = sum
			}
		}
	}()
}

// of is the sum of a file, read now if it is not known. read is told how many
// bytes are done.
func (s *sums) of(ctx context.Context, name string, read func(n int)) (string, error) {
	if s != nil {
		<-s.ended // at once where ctx is done, which it goes by too
		if info, err := os.Lstat(name); err == nil {
			if id, ok := fileIDOf(info); ok && s.known[id] != "" {
				read(int(info.Size()))
				return s.known[id], nil
			}
		}
	}
	return sumFile(ctx, name, read)
}

// end waits until nothing is read any more.
func (s *sums) end() {
	if s != nil {
		s.stop()
		<-s.ended
	}
}
