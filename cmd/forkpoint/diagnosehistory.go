package main

import (
	"context"
	"errors"
	"fmt"

	"forkpoint/reports"
)

// diagnoseByHistory is for ends that no rewind could be run on: a target that
// runs, or a source of which there is only an archive or a history file.
func diagnoseByHistory(ctx context.Context, app *app, opts diagnoseOptions) (*reports.Diagnosis, error) {
	opener := &nodeOpener{app: app, opts: opts.ends}
	defer opener.close()
	target, err := opener.open(ctx, opts.ends.target+opts.targetServer)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	defer target.close()
	src, err := opener.open(ctx, opts.ends.sourceDir+opts.ends.sourceServer+opts.sourceArchive)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	defer src.close()
	r, err := relate(ctx, target, src)
	if err != nil {
		return nil, err
	}
	d := &reports.Diagnosis{Schema: reports.DiagnosisSchema, Target: target.DiagnosedNode, Source: src.DiagnosedNode, Facts: []string{}, Inferences: []string{},
		Findings: reports.Findings{}, Histories: reports.PairHistories(target.Path, src.Path), Comparison: r.comparison, TargetEnd: target.Reached}
	judgeByHistory(d, r, target, src, opts)
	d.Judge(nil, true)
	return d, nil
}

func judgeByHistory(d *reports.Diagnosis, r relation, target, src *lineageNode, opts diagnoseOptions) {
	if src.Kind == "archive" {
		d.Facts = append(d.Facts, fmt.Sprintf("The newest timeline with a history in %s is %d; a standby that restores from it would follow that one.", src.Name, src.Timeline))
	}
	switch {
	case errors.Is(r.err, errOtherCluster):
		d.Verdict, d.Reason = reports.RemedyOther, "The two have different system identifiers: they did not come from one initdb."
		return
	case r.err != nil:
		d.Verdict, d.Reason = reports.RemedyPerson, r.err.Error()+". Look at both with forkpoint history validate; a row may be missing or edited."
		return
	}
	if !r.fork.Same() {
		d.Fork = &reports.Fork{LSN: r.fork.LSN, Timeline: r.fork.Timeline, Target: r.fork.Target, Source: r.fork.Source}
		d.Facts = append(d.Facts, fmt.Sprintf("By their histories the two parted at %s on timeline %d.", r.fork.LSN, r.fork.Timeline))
	}
	how, why := r.judge(target, src)
	switch how {
	case reports.PairSameNumber:
		c := r.comparison
		d.Verdict = reports.RemedyPerson
		d.Reason = fmt.Sprintf("Both are on timeline %d, but their logs parted at %s: two servers wrote under one number. Decide which one survives.", c.Tli, c.Fork)
	case reports.PairUnknown:
		d.Verdict, d.Reason = reports.RemedyPerson, "What is to be done is not known: "+why+"."
		d.Findings.Add(reports.Finding{Code: "not-compared", Severity: reports.Warning, Timeline: target.Timeline, Title: "it is not known whether the target can follow the source",
			Detail: why + ".", Hint: "name an archive that has the missing segments with --archive, or the source itself, and run the same command again"})
	case reports.PairAhead:
		aheadByHistory(d, r, target, src)
	case reports.PairFollows:
		if r.fork.Same() {
			d.Verdict, d.Reason = reports.RemedyNothing, fmt.Sprintf("One timeline, and all records of the target from %s to %s are the source's.", r.comparison.From, r.comparison.Alike)
			if r.archived {
				d.Facts = append(d.Facts, "The source has recycled WAL that the target needs next; that the logs are one was told by archived segments which lead into the source's own. The target's server needs a restore_command that fetches them.")
			}
			return
		}
		d.Verdict, d.Reason = reports.RemedyFollow, fmt.Sprintf("The target has reached %s, not past the fork at %s: it can follow to timeline %d.", reachedText(target.Reached), r.lsn(), src.Timeline)
	default:
		d.After = append(d.After, afterOf(target, src)...)
		d.Reason = fmt.Sprintf("The target has reached %s, %d bytes past the fork at %s.", target.Reached, target.Reached-r.lsn(), r.lsn())
		if opts.targetServer != "" {
			d.Next = append(d.Next, "pg_ctl stop -m fast -D PGDATA   # on the target's machine")
		}
		d.Next = append(d.Next, "forkpoint diagnose -D PGDATA --source-server CONNINFO")
	}
}

// aheadByHistory is about a target that has all of the source's log and more.
// An archive or a standby has only not received it yet.
func aheadByHistory(d *reports.Diagnosis, r relation, target, src *lineageNode) {
	if src.Kind == "archive" || src.InRecovery {
		d.Verdict, d.Reason = reports.RemedyNothing, fmt.Sprintf("The target has all that %s has, which ends at %s, and more that has not come there yet.", src.Name, r.comparison.Alike)
		return
	}
	d.Verdict, d.Reason = reports.RemedyPerson, fmt.Sprintf("Both are on timeline %d. The target has all that the source has, up to %s, and more, to %s. Whoever is made the survivor decides whether that is lost.", target.Timeline, r.comparison.Alike, reachedText(target.Reached))
}

func afterOf(target, src *lineageNode) []string {
	var after []string
	if target.Kind != "data directory" {
		after = append(after, "stopping the target's server")
	}
	if src.Kind == "archive" || src.Kind == "history file" {
		after = append(after, "naming the source itself: a rewind needs its data directory or a connection to it")
	}
	return after
}
