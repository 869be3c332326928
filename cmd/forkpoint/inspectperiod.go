package main

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// logClock tells the time in the log. Few records carry one: the ends of
// transactions, checkpoints, restore points and the end of recovery. A record's
// time is the latest that was read up to and including it.
type logClock struct{ now time.Time }

func (c *logClock) see(rec *walinspect.Record) {
	if t := timeOf(rec); t.After(c.now) {
		c.now = t
	}
}

// timeOf is the time that a record carries, zero where it carries none.
func timeOf(rec *walinspect.Record) time.Time {
	switch rec.Rmgr {
	case pg.RmgrXact:
		if x, err := rmgr.DecodeXact(rec); err == nil {
			return x.Time
		}
	case pg.RmgrXLOG:
		switch rec.Op() {
		case rmgr.XLOGCheckpointOnline, rmgr.XLOGCheckpointShutdown:
			if c, err := rmgr.DecodeCheckpoint(rec); err == nil {
				return c.Time
			}
		case rmgr.XLOGRestorePoint:
			if p, err := rmgr.DecodeRestorePoint(rec); err == nil {
				return p.Time
			}
		case rmgr.XLOGEndOfRecovery:
			if e, err := rmgr.DecodeEndOfRecovery(rec); err == nil {
				return e.Time
			}
		}
	}
	return time.Time{}
}

// period picks records by the time in the log.
type period struct {
	since, until timeFlag
	clock        logClock
}

func (p *period) addFlags(fs *pflag.FlagSet) {
	fs.Var(&p.since, "since", "only records from this `TIME` on, by the ends of transactions and the checkpoints before them")
	fs.Var(&p.until, "until", "stop before this `TIME`")
}

func (p *period) active() bool { return !p.since.IsZero() || !p.until.IsZero() }

// empty tells whether no time can be in the period.
func (p *period) empty() bool { return !p.until.IsZero() && !p.until.After(p.since.Time) }

// placing is where a record lies as seen from the period.
type placing int

const (
	earlier placing = iota - 1
	within
	later // and so is all that follows
)

func (p *period) place(rec *walinspect.Record) placing {
	p.clock.see(rec)
	switch {
	case !p.until.IsZero() && !p.clock.now.Before(p.until.Time):
		return later
	case p.clock.now.Before(p.since.Time):
		return earlier
	}
	return within
}

// timeFlag is a point in time. Without a zone it is local time, as pg_waldump
// prints it.
type timeFlag struct{ time.Time }

var timeLayouts = []string{"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05",
	"2006-01-02 15:04Z07:00", "2006-01-02 15:04", "2006-01-02", time.RFC3339, "2006-01-02T15:04:05"}

func (f *timeFlag) Set(s string) error {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			f.Time = t
			return nil
		}
	}
	return errors.New("want a time such as 2026-03-01 14:05, 2026-03-01 14:05:12.5+01 or 2026-03-01T13:05:12Z")
}

func (f *timeFlag) Type() string { return "TIME" }

func (f *timeFlag) String() string {
	if f.IsZero() {
		return ""
	}
	return f.Format(time.RFC3339Nano)
}
