package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// windowSize is how much of a file is read at once: what the cache of one core
// holds, so that decoding finds it there.
const windowSize = 256 << 10

// Timelines tells under which timelines' names a file may hold segment n, in
// the order to try them.
type Timelines func(n uint64) []pg.TimelineID

// Pages reads the log page by page from the segments of a source. It holds one
// segment open and one window of it in memory; it is for one goroutine.
type Pages struct {
	source    Source
	size      pg.SegmentSize
	timelines Timelines

	file   *File
	name   pg.SegmentName
	start  pg.LSN // of the window
	window []byte
	buf    []byte
}

// NewPages makes a reader of pages. Close it after use.
func NewPages(source Source, size pg.SegmentSize, timelines Timelines) *Pages {
	return &Pages{source: source, size: size, timelines: timelines}
}

// Follow closes the open segment and goes on under the names of other timelines.
func (p *Pages) Follow(timelines Timelines) {
	p.Close()
	p.timelines = timelines
}

// OneTimeline names a single timeline for every segment.
func OneTimeline(tli pg.TimelineID) Timelines {
	return func(uint64) []pg.TimelineID { return []pg.TimelineID{tli} }
}

// ReadWindow gives the window that the page at at lies in.
func (p *Pages) ReadWindow(ctx context.Context, at pg.LSN) (walinspect.Window, error) {
	if p.file == nil || p.size.Number(at) != p.name.Number {
		if err := p.open(ctx, p.size.Number(at)); err != nil {
			return walinspect.Window{}, err
		}
	}
	origin := walinspect.Origin{Segment: p.name, Path: p.file.Path}
	if at < p.start || at >= p.start+pg.LSN(len(p.window)) {
		if err := p.fill(at); err != nil {
			return walinspect.Window{Origin: origin}, err
		}
	}
	return walinspect.Window{Start: p.start, Data: p.window, Origin: origin}, nil
}

// ReadPage copies one page.
func (p *Pages) ReadPage(ctx context.Context, at pg.LSN, page []byte) (walinspect.Origin, error) {
	w, err := p.ReadWindow(ctx, at)
	if err != nil {
		return w.Origin, err
	}
	if copy(page, w.Data[at-w.Start:]) < len(page) {
		return w.Origin, io.ErrUnexpectedEOF
	}
	return w.Origin, nil
}

// fill reads the window that holds the page at at.
func (p *Pages) fill(at pg.LSN) error {
	p.window = p.window[:0]
	offset := int64(p.size.Offset(at)) &^ (windowSize - 1)
	if p.buf == nil {
		p.buf = make([]byte, windowSize)
	}
	n, err := p.file.ReadAt(p.buf, offset)
	p.start = p.size.Start(p.name.Number) + pg.LSN(offset)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read %s: %w", p.file.Path, err)
	}
	if p.start+pg.LSN(n) <= at {
		return fmt.Errorf("%s has %d bytes of a segment of %d: %w", p.file.Path, p.file.Size, p.size, io.ErrUnexpectedEOF)
	}
	p.window = p.buf[:n]
	return nil
}

// open opens segment n under the first of its timelines that has it.
func (p *Pages) open(ctx context.Context, n uint64) error {
	p.Close()
	var tried []string
	for _, tli := range p.timelines(n) {
		name := p.size.Name(tli, n)
		f, err := p.source.Open(ctx, name)
		if err == nil {
			p.file, p.name, p.window = f, pg.SegmentName{Timeline: tli, Number: n}, nil
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		tried = append(tried, name)
	}
	if tried == nil {
		return fmt.Errorf("no timeline of the path has segment %d: %w", n, fs.ErrNotExist)
	}
	return notFound(p.source, strings.Join(tried, " or "))
}

// File is the segment file that is open now, nil if none.
func (p *Pages) File() *File { return p.file }

// Close closes the open segment.
func (p *Pages) Close() {
	if p.file != nil {
		p.file.Close() // read only: nothing is lost if it fails
	}
	p.file, p.window = nil, nil
}
