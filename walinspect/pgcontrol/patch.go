package pgcontrol

import (
	"time"

	"forkpoint/walinspect/pg"
)

// Edits is what a rewound data directory has different in its control file
// from the source it was rewound to (perform_rewind in
// src/bin/pg_rewind/pg_rewind.c).
type Edits struct {
	State               State
	Time                time.Time // zero leaves the time as it is
	MinRecoveryPoint    pg.LSN
	MinRecoveryTimeline pg.TimelineID
}

// Patch returns a copy of a control file with the edits and a new CRC. All
// other bytes are those of raw, padding included.
func Patch(raw []byte, e Edits) ([]byte, error) {
	c, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	l := layoutOf(c.Major)
	b := append([]byte(nil), raw...)
	t := transfer{bytes: b, write: true}
	word(t, 16, &e.State)
	if !e.Time.IsZero() {
		t.seconds(24, &e.Time)
	}
	double(t, l.unloggedLSN+8, &e.MinRecoveryPoint)
	word(t, l.unloggedLSN+16, &e.MinRecoveryTimeline)
	seal(b, l)
	return b, nil
}
