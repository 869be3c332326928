package indexer

import (
	"context"
	"iter"
	"slices"
	"sync"

	"forkpoint/walinspect/segment"
)

// pool is a source that shares open files between workers. A segment is wanted
// twice, by the worker that reads it and by the one before for the end of its
// last record, and may have to be fetched or decompressed to be opened.
type pool struct {
	source segment.Source
	keep   int // idle files to keep open

	mu    sync.Mutex
	files map[string]*pooled
	idle  []string // names, the longest idle first
}

type pooled struct {
	opened chan struct{} // closed when the next two are set
	file   *segment.File
	err    error
	users  int
}

func newPool(source segment.Source, keep int) *pool {
	return &pool{source: source, keep: keep, files: map[string]*pooled{}}
}

func (p *pool) String() string { return p.source.String() }

func (p *pool) List(ctx context.Context) iter.Seq2[segment.Info, error] { return p.source.List(ctx) }

// Open gives a file of its own that reads from the shared one.
func (p *pool) Open(ctx context.Context, name string) (*segment.File, error) {
	p.mu.Lock()
	f, shared := p.files[name]
	if !shared {
		f = &pooled{opened: make(chan struct{})}
		p.files[name] = f
	}
	f.users++
	p.idle = slices.DeleteFunc(p.idle, func(idle string) bool { return idle == name })
	p.mu.Unlock()

	if !shared {
		f.file, f.err = p.source.Open(ctx, name)
		close(f.opened)
	}
	select {
	case <-f.opened:
	case <-ctx.Done():
		p.release(name, f)
		return nil, context.Cause(ctx)
	}
	if f.err != nil {
		p.release(name, f)
		return nil, f.err
	}
	own := *f.file
	own.Closer = &lease{p, name, f}
	return &own, nil
}

// lease gives the shared file back once.
type lease struct {
	p    *pool
	name string
	f    *pooled
}

func (l *lease) Close() error {
	if l.f != nil {
		l.p.release(l.name, l.f)
		l.f = nil
	}
	return nil
}

func (p *pool) release(name string, f *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.users--; f.users > 0 {
		return
	}
	if p.files[name] != f { // renewed meanwhile
		if f.file != nil {
			f.file.Close() // read only
		}
		return
	}
	if f.err != nil || f.file == nil {
		delete(p.files, name) // ask again next time
		return
	}
	p.idle = append(p.idle, name)
	for n := len(p.idle); n > p.keep; n-- {
		p.drop(p.idle[0])
		p.idle = p.idle[1:]
	}
}

// drop closes an idle file, unless somebody took it up again.
func (p *pool) drop(name string) {
	if f := p.files[name]; f != nil && f.users == 0 {
		f.file.Close() // read only: nothing is lost if it fails
		delete(p.files, name)
	}
}

// renew makes all files be opened anew, which may have been replaced or filled
// since, where the source gives copies. Those in use stay open for their users.
func (p *pool) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.files {
		p.drop(name)
	}
	clear(p.files)
	p.idle = nil
}

// close closes what is idle; nothing may be in use any more.
func (p *pool) close() {
	for name := range p.files {
		p.drop(name)
	}
	p.idle = nil
}
