package reports

import (
	"fmt"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// DiagnosisSchema names the JSON form of [Diagnosis].
const DiagnosisSchema = "forkpoint/diagnosis/1"

// Remedy is the verdict of a diagnosis.
type Remedy string

const (
	RemedyNothing     Remedy = "nothing-to-do"  // one timeline, and the target's log is part of the source's
	RemedyFollow      Remedy = "follow"         // the target can follow the source as it is
	RemedyRewind      Remedy = "rewind"         // now
	RemedyRewindAfter Remedy = "rewind-after"   // something must be put right first
	RemedyPerson      Remedy = "needs-a-person" // no command is right without a decision
	RemedyOther       Remedy = "other-cluster"  // nothing of this helps
)

var remedyTexts = map[Remedy]string{
	RemedyNothing: "nothing to do", RemedyFollow: "follow as is", RemedyRewind: "rewind", RemedyRewindAfter: "rewind after",
	RemedyPerson: "needs a person", RemedyOther: "not the same cluster",
}

// Diagnosis says what happened between two nodes, from evidence, and what to
// do. Facts were read; inferences follow from them.
type Diagnosis struct {
	Schema     string              `json:"schema"`
	Verdict    Remedy              `json:"verdict"`
	Reason     string              `json:"reason"`
	After      []string            `json:"after,omitempty"` // what must be put right before a rewind
	Next       []string            `json:"next,omitempty"`  // commands, in order
	Target     DiagnosedNode       `json:"target"`
	Source     DiagnosedNode       `json:"source"`
	Histories  []HistoryPair       `json:"histories,omitempty"`
	Fork       *Fork               `json:"fork,omitempty"`
	TargetEnd  pg.LSN              `json:"target_end,omitzero"`
	Checkpoint pg.LSN              `json:"last_common_checkpoint,omitzero"`
	Redo       pg.LSN              `json:"redo,omitzero"`
	Comparison *lineage.Comparison `json:"comparison,omitempty"` // of the logs; a is the target
	Segments   []SegmentNeed       `json:"segments,omitempty"`
	Copied     int64               `json:"bytes_to_copy,omitempty"`
	Facts      []string            `json:"facts"`
	Inferences []string            `json:"inferences"`
	Findings   Findings            `json:"findings"`
}

// DiagnosedNode is one side.
type DiagnosedNode struct {
	Name            string        `json:"name"`
	Kind            string        `json:"kind"` // data directory, live server, archive, history file
	SystemID        uint64        `json:"system_id,string,omitempty"`
	Major           int           `json:"major,omitempty"`
	State           string        `json:"state,omitempty"`
	InRecovery      bool          `json:"in_recovery"`
	Timeline        pg.TimelineID `json:"timeline,omitempty"`
	ControlTimeline pg.TimelineID `json:"control_file_timeline,omitempty"` // of its latest checkpoint
	Reached         pg.LSN        `json:"reached,omitzero"`
	Path            timeline.Path `json:"path,omitempty"`
	Error           string        `json:"error,omitempty"` // why nothing else is known of it
}

// HistoryPair is one step of both histories side by side.
type HistoryPair struct {
	Target *timeline.Step `json:"target"`
	Source *timeline.Step `json:"source"`
	Same   bool           `json:"same"`
}

// SegmentNeed is a segment that a rewind or the replay after it reads.
type SegmentNeed struct {
	Name   string   `json:"name"`
	Blocks bool     `json:"for_blocks"` // to know what the target changed
	Replay bool     `json:"for_replay"`
	Where  []string `json:"where"` // target, source, archive, index, summaries; none: nowhere
}

// Problem is a precondition of a rewind that does not hold.
type Problem struct {
	Check, Side  string
	LSN          pg.LSN
	Path         string
	Found, Want  string
	Next, Reason string
}

// PairHistories sets two paths side by side.
func PairHistories(target, source timeline.Path) []HistoryPair {
	var pairs []HistoryPair
	same := true
	for i := range max(len(target), len(source)) {
		var p HistoryPair
		if i < len(target) {
			p.Target = &target[i]
		}
		if i < len(source) {
			p.Source = &source[i]
		}
		same = same && p.Target != nil && p.Source != nil && p.Target.Timeline == p.Source.Timeline && p.Target.Begin == p.Source.Begin
		p.Same = same
		pairs = append(pairs, p)
	}
	return pairs
}

// curable are the checks after which a rewind is right once they hold; the
// others need a decision.
var curable = map[string]bool{
	"running": true, "user": true, "state": true, "unfinished-rewind": true, "coverage": true, "common-checkpoint": true, "replay-wal": true,
	"free-space": true, "permission": true, "tablespace": true, "full-page-writes": true, "history": true, "source-changed": true, "grants": true, "backup-label": true, "file-type": true,
}

// Judge puts problems on the list of findings and draws the verdict from them;
// needed says that a rewind is what the target needs.
func (d *Diagnosis) Judge(problems []Problem, needed bool) {
	blocked := ""
	for _, p := range problems {
		severity := Warning
		if !curable[p.Check] {
			severity = Damage
			if blocked == "" {
				blocked = fmt.Sprintf("%s: %s", p.Side, p.Found)
			}
		} else {
			after := p.Next
			if after == "" {
				after = p.Found
			}
			d.After = append(d.After, after)
		}
		title, detail := sentence(p.Found), p.Reason
		if p.Want != "" {
			detail = joinSentences(detail, "Wanted: "+p.Want+".")
		}
		d.Findings.Add(Finding{Code: p.Check, Severity: severity, Title: fmt.Sprintf("%s: %s", p.Side, title), Detail: detail,
			LSN: p.LSN, Path: p.Path, Hint: p.Next})
	}
	switch {
	case d.Verdict != "":
	case blocked != "":
		d.Verdict, d.Reason = RemedyPerson, "A rewind would not be safe: "+blocked+"."
	case !needed:
		d.Verdict = RemedyFollow
	case len(d.After) > 0:
		d.Verdict = RemedyRewindAfter
	default:
		d.Verdict = RemedyRewind
	}
	d.Findings.sort()
}

// sentence is a text without an end.
func sentence(s string) string {
	for len(s) > 0 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

func joinSentences(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// Missing lists the segments that are nowhere.
func (d *Diagnosis) Missing() []string {
	var names []string
	for _, s := range d.Segments {
		if len(s.Where) == 0 {
			names = append(names, s.Name)
		}
	}
	return names
}

// Worst is the gravest finding.
func (d *Diagnosis) Worst() Severity { return d.Findings.Worst() }
