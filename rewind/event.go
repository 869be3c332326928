package rewind

import (
	"time"

	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
)

// EventKind names an [Event]. The names appear in JSON and are part of the
// interface.
type EventKind string

const (
	EventPhase      EventKind = "phase"      // a phase begins
	EventSame       EventKind = "same"       // both sides are on one timeline
	EventFork       EventKind = "fork"       // LSN, Timeline: where they parted
	EventNoRewind   EventKind = "no-rewind"  // nothing is to be done
	EventCheckpoint EventKind = "checkpoint" // LSN, Timeline: last common one
	EventPlan       EventKind = "plan"       // Bytes to copy, of Total at the source
	EventProgress   EventKind = "progress"   // Bytes done of Total in the phase; told by who calls, at its pace
	EventRoom       EventKind = "room"       // Bytes that journal and evidence take at most, of Total free
	EventBarred     EventKind = "barred"     // from here on the target is being changed
	EventDone       EventKind = "done"       // a server can start on the target
)

// Event is something that happened in a run and that somebody who watches it
// may want to know at once.
type Event struct {
	Schema   string        `json:"schema"` // forkpoint/rewind-event/1
	Time     time.Time     `json:"time"`
	Kind     EventKind     `json:"event"`
	Phase    Phase         `json:"phase,omitempty"`
	LSN      pg.LSN        `json:"lsn,omitzero"`
	Timeline pg.TimelineID `json:"timeline,omitempty"`
	Bytes    int64         `json:"bytes,omitempty"`
	Total    int64         `json:"total,omitempty"`

	Plan *plan.Plan `json:"-"` // of EventPlan
}

// EventSchema names the form of an [Event] in JSON.
const EventSchema = "forkpoint/rewind-event/1"

func (r *run) tell(e Event) {
	if r.cfg.Event != nil {
		e.Schema, e.Time = EventSchema, r.cfg.Now().UTC()
		r.cfg.Event(e)
	}
}
