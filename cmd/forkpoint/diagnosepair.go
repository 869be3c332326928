package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
)

// diagnosing puts the findings of an examination into a report.
type diagnosing struct {
	ends *ends
	opts diagnoseOptions
	exam *rewind.Examination
	d    *reports.Diagnosis
}

func (g *diagnosing) fact(format string, args ...any) {
	g.d.Facts = append(g.d.Facts, fmt.Sprintf(format, args...))
}

func (g *diagnosing) infer(format string, args ...any) {
	g.d.Inferences = append(g.d.Inferences, fmt.Sprintf(format, args...))
}

func (g *diagnosing) run(ctx context.Context) error {
	g.nodes()
	needed := g.exam.Needed
	g.d.Comparison = g.exam.Comparison
	if g.exam.Parted {
		g.d.Histories = reports.PairHistories(g.exam.Target.Path, g.exam.Source.Path)
		if g.exam.Fork.Same() {
			g.sameTimeline()
		} else {
			g.forked()
		}
	}
	if err := g.sought(ctx); err != nil {
		return err
	}
	if err := g.segments(ctx); err != nil {
		return err
	}
	var problems []reports.Problem
	for _, p := range g.exam.Problems {
		problem := problemOf(p)
		switch {
		case p.Check == rewind.CheckSystem:
			g.d.Verdict = reports.RemedyOther
			g.d.Reason = "The two have different system identifiers: they did not come from one initdb, and nothing can bring them together but a new base backup."
		}
		problems = append(problems, problem)
	}
	// Where a check failed before it was known whether a rewind is needed, the
	// target may need one for all that is known.
	undecided := len(problems) > 0 && g.d.Verdict == "" && g.exam.Why == "" && !needed
	needed = needed || undecided
	if undecided {
		g.d.Reason = "What must be put right first also keeps from telling how much the target holds that the source has not."
	}
	g.nowhere(&problems)
	g.d.Judge(problems, needed)
	g.conclude()
	return nil
}

// nodes describes both sides.
func (g *diagnosing) nodes() {
	x, e := g.exam, g.ends
	g.d.Target = nodeFacts(e.target.Path(), "data directory", x.Target)
	g.d.Source = nodeFacts(e.source.String(), e.source.Kind().String(), x.Source)
	g.d.Source.InRecovery = x.InRecovery
	if x.SourceEnd.LSN.Valid() {
		g.d.Source.Reached = x.SourceEnd.LSN
	}
	if x.TargetEnd.Valid() {
		g.d.Target.Reached, g.d.TargetEnd = x.TargetEnd, x.TargetEnd
	}
	if pid, running := e.target.Running(); running {
		g.fact("A server with process %d is running in %s.", pid, e.target.Path())
	}
	s := x.Source
	if s.Control != nil && s.Timeline > s.Control.CheckpointCopy.Timeline {
		g.fact("The source's latest checkpoint is of timeline %d; the source itself is on timeline %d.", s.Control.CheckpointCopy.Timeline, s.Timeline)
		g.infer("It was promoted and has not come to its first checkpoint. pg_rewind of 15 and older goes by the checkpoint alone: it may say \"no rewind required\" until CHECKPOINT was run there. forkpoint goes by the true timeline.")
	}
	if t := x.Target; t.Control != nil {
		switch t.Control.State {
		case pgcontrol.ShutDown:
			g.fact("The target was shut down cleanly as a primary.")
		case pgcontrol.ShutDownInRecovery:
			g.fact("The target was shut down cleanly as a standby.")
		default:
			g.fact("The target's control file says %q: it was not shut down cleanly. Its log tells where it ended; no crash recovery is needed before a rewind.", t.Control.State)
		}
		g.fact("Hints are logged on the target today: %t (checksums %d, wal_log_hints %t); checksums of the source: %s.", t.Control.HintsLogged(), t.Control.DataChecksums, t.Control.WALLogHints, checksumsOf(s))
	}
	for _, note := range x.Notes {
		g.fact("%s.", strings.ToUpper(note[:1])+note[1:])
	}
}

func checksumsOf(s rewind.Seen) string {
	if s.Control == nil {
		return "unknown"
	}
	return fmt.Sprint(s.Control.DataChecksums)
}

func nodeFacts(name, kind string, s rewind.Seen) reports.DiagnosedNode {
	n := reports.DiagnosedNode{Name: name, Kind: kind, Timeline: s.Timeline, Path: s.Path}
	if c := s.Control; c != nil {
		n.SystemID, n.Major, n.State, n.ControlTimeline = c.SystemID, c.Major, c.State.String(), c.CheckpointCopy.Timeline
		n.Reached = max(c.Checkpoint, c.MinRecoveryPoint)
		n.InRecovery = c.State == pgcontrol.InArchiveRecovery || c.State == pgcontrol.ShutDownInRecovery
	}
	return n
}

// forked tells of a fork that the histories or the records know.
func (g *diagnosing) forked() {
	x := g.exam
	f := x.Fork
	g.d.Fork = &reports.Fork{LSN: f.LSN, Timeline: f.Timeline, Target: f.Target, Source: f.Source}
	switch {
	case x.Comparison != nil:
		g.parted(x.Comparison)
	default:
		g.fact("By their histories the two parted at %s on timeline %d.", f.LSN, f.Timeline)
		if x.Source.Timeline == x.Target.Timeline {
			g.infer("Both went on under the number %d though they parted: two promotions picked one timeline number. They must never share an archive. pg_rewind says \"no rewind required\" here.", f.Target)
		}
	}
	if !x.TargetEnd.Valid() {
		return
	}
	if !x.Needed {
		g.fact("The target's log ends at %s, not past the fork.", x.TargetEnd)
		g.d.Reason = fmt.Sprintf("The target stopped before the fork, so nothing on it is missing at the source. Started as a standby it will follow to timeline %d at %s.", x.Source.Timeline, f.LSN)
		return
	}
	g.fact("The target's log ends at %s, %d bytes past the fork.", x.TargetEnd, x.TargetEnd-f.LSN)
	switch {
	case x.Source.Timeline == x.Target.Timeline: // a server would not notice
	case x.Source.Timeline < x.Target.Timeline:
		g.infer("Started as a standby of the source as it is, the target would stop at \"highest timeline %d of the primary is behind recovery timeline %d\".", x.Source.Timeline, x.Target.Timeline)
	default:
		g.infer("Started as a standby of the source as it is, the target would stop at \"requested timeline %d is not a child of this server's history\" or \"new timeline %d forked off current database system timeline %d before current recovery point\".", x.Source.Timeline, x.Source.Timeline, x.Target.Timeline)
	}
	if c := x.Common; c.LSN.Valid() {
		g.d.Checkpoint, g.d.Redo = c.LSN, x.Label.Redo
		g.fact("The last checkpoint that both share is at %s; replay would start at %s.", c.LSN, x.Label.Redo)
		g.fact("%d changes of settings are logged in the used range; hints and full_page_writes were checked in all of it.", x.Events)
	}
	if x.Plan != nil {
		g.d.Copied = x.Plan.Totals.Copied
		g.fact("A rewind would copy %d bytes.", x.Plan.Totals.Copied)
	}
}

// sameTimeline tells of logs that the histories cannot tell apart, and in which
// no record that differs was found.
func (g *diagnosing) sameTimeline() {
	x, c := g.exam, g.exam.Comparison
	g.fact("Both are on timeline %d and their histories are the same.", x.Target.Timeline)
	if c != nil && c.Alike > c.From {
		g.fact("All records from %s to %s are the same on both sides.", c.From, c.Alike)
	}
	if x.Why != "" {
		g.d.Verdict, g.d.Reason = reports.RemedyNothing, "The target's log is a part of the source's: it can go on as a standby of the source."
		if c != nil && c.A.Record && !c.B.Record {
			g.d.Reason = "The target has all that the source has, and more; the source is a standby that has not received it yet."
		}
		return
	}
	for _, p := range x.Problems {
		if p.Check != rewind.CheckSameBranch {
			continue
		}
		g.d.Verdict = reports.RemedyPerson
		switch {
		case c != nil && c.Differs:
			g.d.Reason = fmt.Sprintf("The two share the number %d but not the log, and where they parted is before %s, the first record that both still have.", x.Target.Timeline, c.At)
			g.differs(c)
		case c != nil && c.A.Record && !c.B.Record && c.Unsure == "":
			g.d.Reason = "The target has everything that the source has, and more. Whoever is made the survivor decides whether that is lost."
		default:
			g.d.Reason = "Whether the two have the same log cannot be told from the WAL at hand; their histories and positions do not contradict it."
		}
	}
}

// parted tells of two logs under one number that differ.
func (g *diagnosing) parted(c *lineage.Comparison) {
	g.differs(c)
	g.d.Reason = fmt.Sprintf("The two share the number %d but not the log: they parted at %s. A rewind makes the target the source's standby; what only the target wrote since is lost with it. If the target is to survive, run this the other way round.", g.exam.Target.Timeline, g.exam.Fork.LSN)
}

func (g *diagnosing) differs(c *lineage.Comparison) {
	g.fact("The first record that differs is at %s: on the target %s, at the source %s.", c.At, markWords(c.A), markWords(c.B))
	g.infer("Two servers wrote under timeline %d. pg_rewind says \"no rewind required\" here, and a standby would go on with other data or stop at \"incorrect prev-link\".", g.exam.Target.Timeline)
	g.d.Findings.Add(reports.Finding{Code: "same-timeline-other-log", Severity: reports.Damage, Timeline: g.exam.Target.Timeline, LSN: c.At,
		Title:  fmt.Sprintf("two logs under timeline %d", g.exam.Target.Timeline),
		Detail: fmt.Sprintf("Alike to %s. Then the target has %s, the source %s.", c.Alike, markWords(c.A), markWords(c.B)),
		Hint:   "keep both nodes and their archives apart until the survivor is chosen; forkpoint diagnose with both as nodes says what each choice loses"})
}

func markWords(m lineage.Mark) string {
	if !m.Record {
		return "no further record"
	}
	return fmt.Sprintf("a %s record of %d bytes, transaction %d, checksum %08X", m.Rmgr, m.Length, m.XID, m.CRC)
}

// conclude adds the commands.
func (g *diagnosing) conclude() {
	d, e := g.d, g.ends
	from := "--source-pgdata " + segment.ShellWord(g.opts.ends.sourceDir)
	if g.opts.ends.sourceServer != "" {
		from = "--source-server " + segment.ShellWord(g.opts.ends.sourceServer)
	}
	for _, archive := range g.opts.ends.archives {
		from += " --archive " + segment.ShellWord(archive)
	}
	rewindCommand := fmt.Sprintf("forkpoint rewind -D %s %s", segment.ShellWord(e.target.Path()), from)
	if e.source.Kind() == source.Live {
		rewindCommand += " -R"
	}
	switch d.Verdict {
	case reports.RemedyRewind, reports.RemedyRewindAfter:
		if d.Reason == "" {
			d.Reason = fmt.Sprintf("The target has %d bytes of log past the fork at %s that the source has not; they are lost by a rewind. See them first with forkpoint report.", d.TargetEnd-d.Fork.LSN, d.Fork.LSN)
		}
		d.Next = append(d.Next, g.cures()...)
		d.Next = append(d.Next, "forkpoint report --target-pgdata "+segment.ShellWord(e.target.Path())+" "+from, rewindCommand)
	case reports.RemedyFollow, reports.RemedyNothing:
		if d.Reason == "" {
			d.Reason = "The target holds nothing that the source has not."
		}
		if _, running := e.target.Running(); running {
			break
		}
		if e.source.Kind() == source.Live {
			d.Next = append(d.Next, rewindCommand+"   # writes standby.signal and primary_conninfo, nothing else")
		} else {
			d.Next = append(d.Next, "touch "+segment.ShellWord(e.target.Path()+"/standby.signal")+"   # and set primary_conninfo to the source")
		}
		d.Next = append(d.Next, "pg_ctl start -D "+segment.ShellWord(e.target.Path()))
	case reports.RemedyPerson:
		d.Next = append(d.Next, g.cures()...)
	}
}

// cures are the commands for what must be put right.
func (g *diagnosing) cures() []string {
	var list []string
	for _, p := range g.exam.Problems {
		switch p.Check {
		case rewind.CheckRunning:
			list = append(list, "pg_ctl stop -m fast -D "+segment.ShellWord(g.ends.target.Path()))
		case rewind.CheckHistory:
			node := g.ends.target.Path()
			tli := g.exam.Target.Timeline
			if p.Side == rewind.Source {
				tli, node = g.exam.Source.Timeline, g.opts.ends.sourceDir
			}
			if node != "" {
				command := fmt.Sprintf("forkpoint history repair %d %s", tli, segment.ShellWord(node))
				for _, archive := range g.opts.ends.archives {
					command += " " + segment.ShellWord(archive)
				}
				list = append(list, command)
			}
		}
	}
	return slices.Compact(list)
}
