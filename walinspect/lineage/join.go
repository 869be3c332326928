package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// Joined is a server's log, and before its own segments those of an archive
// that were found to lead into it.
//
// That an archive has a segment under a name does not say who wrote it: two
// servers may have written under one timeline number. A segment of the archive
// counts where its last record goes on into the next segment, which counts
// already, for the checksum of that record is over both parts. Where no record
// crosses the border, as behind a switch to a new segment, there is only the
// next record's link back. It is a position, and servers that parted come to the
// same positions where they write records of the same lengths. Such a border is
// noted.
//
// An archive that is a chain of places is asked place by place: a copy that is
// damaged or of another server gives way to one further on that leads on.
type Joined struct {
	own, archive segment.Source
	taken        []segment.Info            // from the archive, the newest first
	names        map[string]segment.Source // where each of these lies
	// Linked is the newest border at which only a link back shows that the logs
	// are one: what begins before it need not be the server's. 0 where there is
	// none.
	Linked pg.LSN
	// Unsure is why the archive's next older segment does not count, also that it
	// cannot be read now; "" where all that was asked for do.
	Unsure string
}

var (
	_ segment.Source = (*Joined)(nil)
	_ Summer         = (*Joined)(nil)
)

// Join goes back from the end of the span, which is in a segment of the
// server's own, through the segments of the last timeline of l.Path to the
// beginning of the span. l.B is the server's log.
func Join(ctx context.Context, l Logs, archive segment.Source, span pg.Span) (*Joined, error) {
	size, tli := l.Geometry.SegmentSize, l.Path.Tip()
	j := &Joined{own: l.B, archive: archive, names: map[string]segment.Source{}}
	own := map[uint64]bool{}
	for info, err := range l.B.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", l.B, err)
		}
		if info.Name.Timeline == tli {
			own[info.Name.Number] = true
		}
	}
	if span.Empty() || !own[size.Number(span.To-1)] {
		return j, nil
	}
	before := segment.Fetched(archive)
	for n := size.Number(span.To - 1); n > size.Number(span.From); n-- {
		if own[n-1] {
			continue
		}
		if segment.Fetched(archive)-before >= Farthest {
			j.Unsure = fmt.Sprintf("a restore_command has fetched %d segments that the source has recycled, back to %s, which is as many as a comparison asks it for; copy those from %s to %s into a folder and name it with --archive, of which any number is read, or restore them into the source's pg_wal",
				Farthest, size.Name(tli, n), size.Name(tli, size.Number(span.From)), size.Name(tli, n-1))
			return j, nil
		}
		taken, err := j.take(ctx, l.Geometry, pg.SegmentName{Timeline: tli, Number: n - 1})
		if err != nil || !taken {
			return j, err
		}
	}
	return j, nil
}

// Segments is how many of the archive's count.
func (j *Joined) Segments() int { return len(j.taken) }

// take adds a segment of the archive if it leads into the next one. Where it
// does not, the archive's next place may have one that does.
func (j *Joined) take(ctx context.Context, g walinspect.Geometry, name pg.SegmentName) (bool, error) {
	file := name.Format(g.SegmentSize)
	var why []string
	for _, place := range segment.Places(j.archive) {
		f, err := place.Open(ctx, file)
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			why = append(why, err.Error())
			continue
		}
		info := segment.Info{Name: name, File: file, Path: f.Path, Size: f.Size}
		f.Close() // read only
		j.names[file] = place
		leads, err := j.leadsOn(ctx, g, name)
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case leads:
			j.taken = append(j.taken, info)
			return true, nil
		}
		delete(j.names, file)
		why = append(why, noLead(g.SegmentSize, info, err))
	}
	j.Unsure = strings.Join(why, "; ")
	if why == nil {
		j.Unsure = fmt.Sprintf("%s is not in %s", file, j.archive)
	}
	return false, nil
}

// noLead says why a segment does not count: where its file is damaged, how far
// its records can be read and what is there.
func noLead(size pg.SegmentSize, info segment.Info, err error) string {
	text := fmt.Sprintf("nothing shows that the log of %s goes on in the next segment", info.Path)
	var stopped *walinspect.StopError
	if !errors.As(err, &stopped) {
		if err != nil {
			text += ": " + err.Error()
		}
		return text
	}
	stop := stopped.Stop
	found := string(stop.Reason)
	if stop.Flaw != "" {
		found += fmt.Sprintf(" (%s)", stop.Flaw)
	}
	switch {
	case info.Size < int64(size):
		found += fmt.Sprintf(", %d bytes of a segment of %d", info.Size, size)
		if stop.Err != nil && stop.Reason == walinspect.StopUnreadable {
			found += ": " + stop.Err.Error()
		}
	case stop.Got != "":
		found += fmt.Sprintf(", want %s, got %s", stop.Want, stop.Got)
	case stop.Err != nil:
		found += ": " + stop.Err.Error()
	}
	if size.Number(stop.LSN) == info.Name.Number {
		text += fmt.Sprintf(": its records can be read up to %s, byte %d of the file", stop.LSN, size.Offset(stop.LSN))
	}
	return text + "; found " + found + ". Another copy of the segment, in a place that is named with --archive, would settle it"
}

// leadsOn tells whether the log of a segment goes on in the next one. Where its
// end cannot be read it does not, for which the error is the reason.
func (j *Joined) leadsOn(ctx context.Context, g walinspect.Geometry, name pg.SegmentName) (bool, error) {
	pages := segment.NewPages(j, g.SegmentSize, segment.OneTimeline(name.Timeline))
	defer pages.Close()
	border := g.SegmentSize.Start(name.Number + 1)
	last, err := walinspect.LastRecordBefore(ctx, pages, g, border)
	switch {
	case err != nil:
		return false, err
	case last.End > g.RecordStart(border):
		return true, nil
	}
	r := walinspect.NewReader(pages, g, last.LSN) // which checks the links
	leads := r.Next(ctx) && r.Next(ctx) && r.Record().LSN == g.RecordStart(border)
	if leads && !j.Linked.Valid() {
		j.Linked = border
	}
	return leads, nil
}

func (j *Joined) String() string { return fmt.Sprintf("%s with %s", j.own, j.archive) }

// Open gives the server's own files, and of the archive the segments that
// count.
func (j *Joined) Open(ctx context.Context, name string) (*segment.File, error) {
	if place := j.names[name]; place != nil {
		return place.Open(ctx, name)
	}
	return j.own.Open(ctx, name)
}

// List yields both.
func (j *Joined) List(ctx context.Context) iter.Seq2[segment.Info, error] {
	return func(yield func(segment.Info, error) bool) {
		for _, info := range j.taken {
			if !yield(info, nil) {
				return
			}
		}
		for info, err := range j.own.List(ctx) {
			if !yield(info, err) {
				return
			}
		}
	}
}

// Sum asks the server where it can tell.
func (j *Joined) Sum(ctx context.Context, name string) ([32]byte, error) {
	if place := j.names[name]; place != nil {
		return sumOf(ctx, place, name)
	}
	return sumOf(ctx, j.own, name)
}
