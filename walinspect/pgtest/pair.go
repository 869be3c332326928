package pgtest

import "testing"

// Pair is a primary and its standby, and after a fail-over the same two with
// their roles as they are then.
type Pair struct {
	t       testing.TB
	Primary *Server // takes writes, or did last
	Standby *Server // streams from Primary
	Old     *Server // the primary before the fail-over, to be rewound; else nil
	cut     bool
}

// NewPair starts a primary and a standby that has caught up with it.
func NewPair(t testing.TB, opts ...Option) *Pair {
	t.Helper()
	return Run(t, opts...).Pair()
}

// Pair gives a running primary a standby.
func (s *Server) Pair() *Pair {
	s.t.Helper()
	p := &Pair{t: s.t, Primary: s, Standby: s.NewStandby()}
	p.Standby.Start()
	p.Primary.WaitStreaming(p.Standby)
	p.Primary.WaitCaughtUp(p.Standby)
	return p
}

// Cut ends the streaming, as a lost network would: what the primary writes from
// now on does not reach the standby.
func (p *Pair) Cut() {
	p.t.Helper()
	p.Primary.WaitCaughtUp(p.Standby)
	p.Standby.Exec("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
	p.cut = true
	p.Primary.Await("standby to go away", func() (bool, error) {
		rows, err := p.Primary.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication")
		return err == nil && rows[0][0] == "0", err
	})
}

// FailOver stops the primary and promotes the standby. Unless [Pair.Cut] was
// called, a fast stop sends everything first, and nothing is to be rewound.
func (p *Pair) FailOver(how StopMode) {
	p.t.Helper()
	p.Primary.Stop(how)
	if how == Fast && !p.cut {
		p.Standby.WaitReplay(p.Primary.checkpoint() + 1) // of the stop itself
	}
	p.promote()
}

// Split promotes the standby while the primary goes on: two primaries.
func (p *Pair) Split() {
	p.t.Helper()
	p.Primary.WaitCaughtUp(p.Standby)
	p.promote()
}

func (p *Pair) promote() {
	p.t.Helper()
	p.Standby.Promote()
	p.Old, p.Primary, p.Standby, p.cut = p.Primary, p.Standby, nil, false
}

// Diverge is the whole incident: the standby is promoted, write runs on the old
// primary and on the new one (side is "old" or "new"), and the old one stops.
func (p *Pair) Diverge(how StopMode, write func(s *Server, side string)) {
	p.t.Helper()
	p.Split()
	write(p.Old, "old")
	write(p.Primary, "new")
	p.Old.Stop(how)
}

// Rejoin starts the old primary, rewound, as the standby of the new one and
// waits until it has caught up. Roles are then swapped and another round can
// begin. configure tells whether the standby's settings are still to be
// written, which rewind -R does otherwise.
func (p *Pair) Rejoin(configure bool) {
	p.t.Helper()
	if configure {
		p.Old.Follow(p.Primary)
	}
	p.Old.Start()
	p.Primary.WaitStreaming(p.Old)
	p.Primary.WaitCaughtUp(p.Old)
	p.Standby, p.Old = p.Old, nil
}
