package source

import (
	"fmt"
	"iter"
	"math"
)

// span is a part of a file that is wanted. If toEnd is set, end is where the
// file is expected to end, and reading goes on until it does.
type span struct {
	offset, end int64
	toEnd       bool
	holes       bool // may be told as such
}

// fileTask is the wanted spans of one file, in order.
type fileTask struct {
	path  string
	spans []span
}

// Files are handed out in groups, so that many small ones share a round trip.
const (
	groupBytes = 16 << 20
	groupParts = 512
)

// groups collects ranges into groups of files. Ranges of the same file that
// follow each other are one task; with join, those that touch or overlap become
// one span. A group is complete when it is large enough; the ranges of one
// file are never divided.
func groups(ranges iter.Seq[Range], join bool) iter.Seq2[[]fileTask, error] {
	return func(yield func([]fileTask, error) bool) {
		var group []fileTask
		var bytes int64
		parts := 0
		for r := range ranges {
			if err := checkRange(r); err != nil {
				yield(nil, err)
				return
			}
			if n := len(group); n == 0 || group[n-1].path != r.Path {
				if bytes >= groupBytes || parts >= groupParts {
					if !yield(group, nil) {
						return
					}
					group, bytes, parts = nil, 0, 0
				}
				group = append(group, fileTask{path: r.Path})
			}
			group[len(group)-1].add(r, join)
			bytes += r.Length
			parts += 1 + int(min(r.Length/PartSize, groupParts))
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
}

func checkRange(r Range) error {
	if r.Offset < 0 || r.Length < 0 || r.Offset > math.MaxInt64-PartSize-r.Length {
		return fmt.Errorf("range of %s: offset %d and length %d are out of bounds", r.Path, r.Offset, r.Length)
	}
	return CheckPath(r.Path)
}

// add appends a range. One without bytes is dropped, unless it asks for
// whatever there is.
func (t *fileTask) add(r Range, join bool) {
	s := span{r.Offset, r.Offset + r.Length, r.ToEnd, r.Holes}
	if s.offset == s.end && !s.toEnd {
		return
	}
	if n := len(t.spans); n > 0 && join {
		last := &t.spans[n-1]
		if last.offset <= s.offset && (last.toEnd || s.offset <= last.end) {
			last.end = max(last.end, s.end)
			last.toEnd = last.toEnd || s.toEnd
			last.holes = last.holes && s.holes
			return
		}
	}
	t.spans = append(t.spans, s)
}

// part is one read of at most PartSize bytes. final is set on the last one of
// a span, as far as can be foreseen.
type part struct {
	task, span     int
	offset, length int64
	final          bool
}

// cursor is how far the parts of a group have been handed on.
type cursor struct {
	group      []fileTask
	task, span int
	offset     int64 // of the next part within the span, counted from the span's offset
}

// skipEmpty moves on to a file that has spans left; false at the end.
func (c *cursor) skipEmpty() bool {
	for c.task < len(c.group) && c.span >= len(c.group[c.task].spans) {
		c.nextTask()
	}
	return c.task < len(c.group)
}

// next gives the next part and moves past it; false at the end of the group.
func (c *cursor) next() (part, bool) {
	if !c.skipEmpty() {
		return part{}, false
	}
	s := c.group[c.task].spans[c.span]
	p := part{task: c.task, span: c.span, offset: s.offset + c.offset, length: PartSize}
	switch left := s.end - p.offset; {
	case s.toEnd:
		p.final = left < PartSize
	case left <= PartSize:
		p.length, p.final = left, true
	}
	c.offset += p.length
	if p.final {
		c.nextSpan()
	}
	return p, true
}

func (c *cursor) nextSpan() { c.span, c.offset = c.span+1, 0 }

func (c *cursor) nextTask() { c.task, c.span, c.offset = c.task+1, 0, 0 }

// outcome is what became of a part.
type outcome struct {
	got     int64 // bytes that there were
	missing bool
}

// settle moves c, which is at p, past it and tells what the part means. goesOn
// is set where a file is longer than was foreseen: the parts planned after p
// then come too early.
func (c *cursor) settle(p part, o outcome) (short, last, goesOn bool) {
	t := c.group[p.task]
	c.task, c.span, c.offset = p.task, p.span, p.offset-t.spans[p.span].offset+p.length
	short = !o.missing && o.got < p.length
	switch {
	case o.missing:
		c.nextTask()
		return false, true, false
	case short, p.final && !t.spans[p.span].toEnd:
		c.nextSpan()
	case p.final:
		// Plan for twice as much, so that a file that was thought to be small
		// takes few round trips.
		s := &t.spans[p.span]
		s.end = s.offset + 2*c.offset
		goesOn = true
	}
	return short, c.span >= len(t.spans), goesOn
}

// passed tells whether p lies before c: it belongs to what turned out to be
// missing, or to a span that ended early.
func (c *cursor) passed(p part) bool {
	switch {
	case p.task != c.task:
		return p.task < c.task
	case p.span != c.span:
		return p.span < c.span
	}
	return p.offset < c.group[p.task].spans[p.span].offset+c.offset
}
