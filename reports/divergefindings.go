package reports

import (
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// findDivergence lists what a reader must know before acting on the report.
func findDivergence(in DivergenceInput, d *Divergence) Findings {
	list := Findings{}
	list.evidence(in)
	list.states(in, d)
	list.loss(d)
	list.settings(in)
	return list
}

// evidence reports what the log did not tell.
func (f *Findings) evidence(in DivergenceInput) {
	for _, log := range []*Log{in.Before, in.After} {
		if log == nil {
			continue
		}
		for _, gap := range log.Gaps {
			f.Add(Finding{Code: "wal-gap", Severity: Warning, LSN: gap.From, Path: in.Target.Path, Timeline: in.Target.Timeline,
				Title:  fmt.Sprintf("nothing tells what the target did from %s to %s", gap.From, gap.To),
				Detail: gap.Reason, Hint: "the numbers below are too low; give the archive that has these segments with --archive, or a catalog that indexed them with --catalog"})
		}
	}
	for _, span := range in.After.BlocksOnly {
		f.Add(Finding{Code: "blocks-only", Severity: Warning, LSN: span.From, Path: in.Target.Path, Timeline: in.Target.Timeline,
			Title:  fmt.Sprintf("of what the target did from %s to %s only the blocks are known", span.From, span.To),
			Detail: "The log is gone; WAL summaries of the server tell which blocks it changed. Transactions, rows and events of this part are not in the report.",
			Hint:   "give the archive that has these segments with --archive, or a catalog that indexed them with --catalog"})
	}
	if len(in.After.Widened) > 0 {
		f.Add(Finding{Code: "whole-segments", Severity: Notice, LSN: in.After.Widened[0].From, Timeline: in.Fork.Timeline,
			Title:  "blocks are counted for the whole segment that holds the fork",
			Detail: "The segment's file is gone and the catalog knows it as a whole: blocks touched in it before the fork count as touched after it. The commits are exact."})
	}
	if end := in.After.End; !end.Natural && end.Reason != "missing-segment" {
		f.Add(Finding{Code: "damaged-end", Severity: Warning, LSN: end.LSN, Path: in.Target.Path, Timeline: in.Target.Timeline,
			Title: "the target's log breaks off: " + StopText(end.Reason), Detail: end.Detail,
			Hint: "what came after is not in this report; look for another copy of the segment"})
	}
	if in.Checkpoint == nil {
		f.Add(Finding{Code: "no-common-checkpoint", Severity: Warning, LSN: in.Fork.LSN, Timeline: in.Fork.Timeline,
			Title:  "the last checkpoint before the fork is not in the log that is at hand",
			Detail: "Blocks touched between it and the fork are not counted, and a rewind cannot begin without it.",
			Hint:   "give the archive that has the segments before the fork with --archive"})
	}
	if in.SourceAfter != nil {
		for _, gap := range in.SourceAfter.Gaps {
			f.Add(Finding{Code: "source-wal-gap", Severity: Notice, LSN: gap.From, Path: in.Source.Path, Timeline: in.Source.Timeline,
				Title: fmt.Sprintf("nothing tells what the source did from %s to %s", gap.From, gap.To), Detail: gap.Reason})
		}
	}
}

// states reports in which state the clusters are.
func (f *Findings) states(in DivergenceInput, d *Divergence) {
	t := in.Target
	if !t.HasControl {
		return
	}
	f.running(t)
	if !t.Running && !t.Clean {
		f.Add(Finding{Code: "target-not-clean", Severity: Notice, Path: t.Path, Title: "the target was not shut down cleanly",
			Detail: fmt.Sprintf("Its control file says %q.", t.State)})
	}
	if d.Verdict == VerdictDiverged && !t.HintsLogged {
		f.Add(Finding{Code: "hints-not-logged", Severity: Warning, Path: t.Path,
			Title:  "the target has neither data checksums nor wal_log_hints",
			Detail: "Pages may carry changes that the log does not mention, so neither this count nor a rewind can be relied on.",
			Hint:   "take a new base backup for this node, and set wal_log_hints = on before the next fail-over"})
	}
	if lsn := t.unread(in.Fork.LSN, in.After.End.LSN); lsn.Valid() {
		f.Add(Finding{Code: "log-ends-early", Severity: Warning, Path: t.Path, LSN: lsn, Timeline: t.Timeline,
			Title:  "the target went on past the end of the log that was read",
			Detail: fmt.Sprintf("The control file says that it has come to %s; the log was read up to %s.", lsn, in.After.End.LSN),
			Hint:   "give the archive that has the rest with --archive"})
	}
}

func (f *Findings) running(target Node) {
	if target.Running {
		f.Add(Finding{Code: "target-running", Severity: Notice, Path: target.Path, Title: "a server is running on the target",
			Detail: "What it writes from now on is not in this report.", Hint: "stop it before a rewind"})
	}
}

// loss reports what only the target has.
func (f *Findings) loss(d *Divergence) {
	if n := d.Transactions.Commits; n > 0 {
		f.Add(Finding{Code: "lost-commits", Severity: Notice, Timeline: d.Fork.Target, LSN: d.Fork.LSN,
			Title:  count(n, "commit is", "commits are") + " only on the target",
			Detail: "A rewind takes them out of the data directory."})
	}
	for _, x := range d.Transactions.Prepared {
		f.Add(Finding{Code: "in-doubt", Severity: Warning, Timeline: d.Fork.Target, LSN: x.LSN,
			Title:  fmt.Sprintf("prepared transaction %q (xid %d) is in doubt on the target", x.GID, x.XID),
			Detail: "It was prepared and neither committed nor rolled back there.",
			Hint:   "ask the transaction manager what became of it before the target is rewound"})
	}
	ended := 0
	for _, x := range d.Transactions.Open {
		if x.Outcome != "unfinished" && x.Outcome != blockmap.Prepare.String() {
			ended++
		}
	}
	if ended > 0 {
		f.Add(Finding{Code: "open-at-fork", Severity: Notice, Timeline: d.Fork.Timeline, LSN: d.Fork.LSN,
			Title:  count(ended, "transaction was", "transactions were") + " open at the fork and ended on the target after it",
			Detail: "If the target replayed them as a standby, pages from before the last common checkpoint can carry their hint bits; pg_rewind leaves those behind."})
	}
}

// settings reports changes between redo and end that the counts depend on.
func (f *Findings) settings(in DivergenceInput) {
	if c := in.Checkpoint; c != nil && !c.FullPageWrites {
		f.fullPageWrites(c.LSN, in)
	}
	for _, log := range []*Log{in.Before, in.After} {
		if log == nil {
			continue
		}
		for _, e := range log.Events {
			switch {
			case e.Kind == blockmap.FullPageWritesChange && !e.On:
				f.fullPageWrites(e.LSN, in)
			case e.Kind == blockmap.ParameterChange && e.Parameters != nil && e.Parameters.WALLevel == 0:
				f.Add(Finding{Code: "wal-level-minimal", Severity: Warning, LSN: e.LSN, Timeline: in.Target.Timeline,
					Title: "wal_level was minimal on the target", Detail: "Bulk changes made then are not in the log."})
			}
		}
	}
}

func (f *Findings) fullPageWrites(lsn pg.LSN, in DivergenceInput) {
	f.Add(Finding{Code: "full-page-writes-off", Severity: Warning, LSN: lsn, Timeline: in.Fork.Timeline,
		Title:  "full_page_writes was off on the target",
		Detail: "Replay does not restore whole pages then, so every block touched since the redo point has to be copied."})
}
