package main

import (
	"encoding/json"
	"io"
	"time"

	"forkpoint/rewind"
)

// progressEvery is how often a program that reads events is told of progress.
const progressEvery = time.Second

// eventWriter writes what happens in a rewind for programs: one JSON document
// a line, events first and the result last.
type eventWriter struct {
	out   *json.Encoder
	now   func() time.Time
	phase rewind.Phase
	said  time.Time
}

func newEventWriter(w io.Writer) *eventWriter {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return &eventWriter{out: out, now: time.Now}
}

// event writes one event. A reader that went away does not stop a rewind: the
// result file has the outcome.
func (w *eventWriter) event(e rewind.Event) { _ = w.out.Encode(e) }

// progress writes how far a phase has come, now and then and at its end.
func (w *eventWriter) progress(p rewind.Progress) {
	now := w.now()
	if p.Phase != w.phase {
		w.phase, w.said = p.Phase, now
	}
	if now.Sub(w.said) < progressEvery {
		return
	}
	w.said = now
	w.event(rewind.Event{
		Schema: rewind.EventSchema, Kind: rewind.EventProgress, Time: now.UTC(),
		Phase: p.Phase, Bytes: p.Done, Total: p.Total,
	})
}

// result writes the last line of a run that succeeded.
func (w *eventWriter) result(r *rewind.Result) error { return w.out.Encode(r) }
