package walinspect

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"forkpoint/walinspect/pg"
)

// Origin says which file bytes of the log came from.
type Origin struct {
	Segment pg.SegmentName // Timeline 0 where it is not known
	Path    string         // empty for a stream
}

// PageReader is where a [Reader] gets the log from.
type PageReader interface {
	// ReadPage fills page with the page that starts at at, and says where it
	// came from. An error that matches fs.ErrNotExist means that the segment
	// is not there, one that matches io.ErrUnexpectedEOF that its file is too
	// short to have this page.
	ReadPage(ctx context.Context, at pg.LSN, page []byte) (Origin, error)
}

// Window is a stretch of the log in memory, from one file. It begins with a
// page and holds whole pages.
type Window struct {
	Start pg.LSN
	Data  []byte
	Origin
}

// WindowReader is a [PageReader] that can hand out its memory instead of
// copying pages one by one.
type WindowReader interface {
	PageReader
	// ReadWindow returns a window with the page that starts at at. Its bytes
	// are valid until the next call of either method. Errors are as for
	// ReadPage.
	ReadWindow(ctx context.Context, at pg.LSN) (Window, error)
}

// BytesPages is one whole segment in memory, in file order.
type BytesPages struct {
	window Window
	size   pg.SegmentSize
}

// NewBytesPages makes a reader of one segment from its bytes, which it keeps
// and never changes. path is only for messages. Where data is shorter than the
// segment, the missing pages are reported as a file too short.
func NewBytesPages(name pg.SegmentName, size pg.SegmentSize, path string, data []byte) *BytesPages {
	data = data[:min(len(data), int(size))]
	return &BytesPages{
		window: Window{Start: size.Start(name.Number), Data: data, Origin: Origin{name, path}},
		size:   size,
	}
}

// ReadWindow hands out the whole segment.
func (p *BytesPages) ReadWindow(_ context.Context, at pg.LSN) (Window, error) {
	w := p.window
	if n := p.size.Number(at); n != w.Segment.Number {
		return Window{}, fmt.Errorf("segment %s: %w", p.size.Name(w.Segment.Timeline, n), fs.ErrNotExist)
	}
	if uint64(at-w.Start) >= uint64(len(w.Data)) {
		return Window{Origin: w.Origin}, fmt.Errorf("%d bytes of a segment of %d: %w", len(w.Data), p.size, io.ErrUnexpectedEOF)
	}
	return w, nil
}

// ReadPage copies one page.
func (p *BytesPages) ReadPage(ctx context.Context, at pg.LSN, page []byte) (Origin, error) {
	w, err := p.ReadWindow(ctx, at)
	if err != nil {
		return w.Origin, err
	}
	if copy(page, w.Data[at-w.Start:]) < len(page) {
		return w.Origin, io.ErrUnexpectedEOF
	}
	return w.Origin, nil
}
