package rewind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// Certificate is what [Verify] found on a rewound target that no server has
// been started on yet.
type Certificate struct {
	Schema   string    `json:"schema"` // forkpoint/certificate/1
	Time     time.Time `json:"time"`
	Target   string    `json:"target"`
	Rewind   string    `json:"rewind"` // id of the journal
	Fork     pg.LSN    `json:"fork"`
	Redo     pg.LSN    `json:"redo"`                 // where replay will start
	Reaches  pg.LSN    `json:"min_recovery_point"`   // and how far it must come
	Spared   int64     `json:"pages_left_to_replay"` // that the log at hand was found to restore
	Replay   bool      `json:"replay_proven"`        // label, checkpoint, and every record between are there
	Pages    int64     `json:"pages"`                // that were looked at
	Copied   int64     `json:"pages_from_source"`    // of these
	Torn     int64     `json:"pages_torn_in_copy"`   // read while the source wrote them; replay restores them
	Skipped  int64     `json:"pages_without_log"`    // of unlogged relations, which the server resets
	Checksum bool      `json:"checksums_compared"`   // the cluster has them
	Pieces   int64     `json:"pieces_as_sent"`       // of files, compared with what the source sent
	Faults   []Fault   `json:"faults"`               // first of each kind of file; empty is good
	Count    int64     `json:"fault_count"`          // all of them
	Limits   []string  `json:"limits"`               // what the check cannot see
}

// Fault is something that must not be.
type Fault struct {
	Path  string         `json:"path"`
	Block pg.BlockNumber `json:"block"` // of the fork
	What  string         `json:"what"`
}

// CertificateSchema names the form of a [Certificate] in JSON.
const CertificateSchema = "forkpoint/certificate/1"

// maxFaults is how many faults a certificate names.
const maxFaults = 100

// Verify checks a target after a rewind and before its server starts: that the
// log for replay is whole, and that every page is one that the rewind may have
// left there. A page that did not come from the source is older than the fork,
// and no page is newer than the point that replay must reach.
func Verify(ctx context.Context, cfg Config) (*Certificate, error) {
	r := newRun(cfg)
	c := &Certificate{
		Schema: CertificateSchema, Time: r.cfg.Now().UTC(), Target: cfg.Target.Path(), Faults: []Fault{},
		Limits: []string{
			"hint bits, which change pages without changing their position in the log",
			"the free space map and the visibility map, whose changes are not all logged",
		},
	}
	p, bundle, err := r.lastPlan(c)
	if err != nil {
		return nil, err
	}
	raw, control, err := cfg.Target.RawControl()
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	r.sit.target = side{raw: raw, control: control, timeline: control.CurrentTimeline()}
	if err := r.checkRewound(control); err != nil {
		return nil, err
	}
	c.Redo, c.Reaches, c.Fork = p.Label.Redo, control.MinRecoveryPoint, p.Fork.LSN
	c.Checksum = control.DataChecksums == 1
	if err := r.simulateRecovery(ctx, c, p); err != nil {
		return nil, err
	}
	if c.Replay { // else it goes by a log that is not whole
		if err := r.checkSpared(ctx, c, p); err != nil {
			return nil, err
		}
	}
	a := &audit{run: r, cert: c, plan: planned(p)}
	var known bool
	if a.pieces, known, err = readSent(bundle); err != nil {
		c.fault(Fault{Path: filepath.Join(bundle, sentFile), What: err.Error()})
	}
	if !known {
		c.Limits = append(c.Limits, "what the source sent, which the rewind did not note")
	}
	return c, a.files(ctx)
}

// lastPlan reads the plan of the newest finished rewind of the target, of the run
// that finished it.
func (r *run) lastPlan(c *Certificate) (p *plan.Plan, bundle string, err error) {
	roots := target.NewRoots()
	defer roots.Close() // read only
	list, err := journal.List(roots, r.cfg.StateDir)
	if err != nil {
		return nil, "", fmt.Errorf("state directory: %w", err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		s := list[i]
		if s.Header.Target != r.cfg.Target.Path() || s.Stage != journal.Done {
			continue
		}
		j, err := journal.OpenReader(roots, s.Dir)
		if err != nil {
			return nil, "", err
		}
		defer j.Close() // read only
		text, err := os.ReadFile(filepath.Join(s.Dir, resumedPlanFile))
		if errors.Is(err, fs.ErrNotExist) {
			text, err = j.Plan()
		}
		if err != nil {
			return nil, "", err
		}
		c.Rewind = s.Header.ID
		p := &plan.Plan{}
		if err := json.Unmarshal(text, p); err != nil {
			return nil, "", fmt.Errorf("plan of %s: %w", s.Header.ID, err)
		}
		p.Actions = append(p.Actions, grown(j)...)
		return p, s.Dir, nil
	}
	return nil, "", &PreflightError{Check: CheckUnfinished, Side: Target,
		Found: "no finished rewind of it is in the state directory", Want: "a target that was rewound",
		Next: "name the state directory with --state-dir"}
}

// checkRewound refuses a target on which a server has run since.
func (r *run) checkRewound(c *pgcontrol.Control) error {
	_, err := r.cfg.Target.ReadFile(target.LabelFile)
	if errors.Is(err, fs.ErrNotExist) || c.State != pgcontrol.InArchiveRecovery {
		return &PreflightError{Check: CheckState, Side: Target,
			Found: fmt.Sprintf("a server has run on it since the rewind (it was %s)", c.State),
			Want:  "a target as the rewind left it", Next: "use forkpoint diff against the source instead"}
	}
	return err
}

// simulateRecovery takes the first steps of recovery: label, checkpoint,
// history, and each record up to where the target becomes consistent.
func (r *run) simulateRecovery(ctx context.Context, c *Certificate, p *plan.Plan) error {
	fault := func(what string, args ...any) {
		c.fault(Fault{Path: target.LabelFile, What: fmt.Sprintf(what, args...)})
	}
	label, err := r.cfg.Target.ReadFile(target.LabelFile)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	var redo, checkpoint, segment, method, from string
	if n, _ := fmt.Sscanf(string(label), "START WAL LOCATION: %s (file %s\nCHECKPOINT LOCATION: %s\nBACKUP METHOD: %s\nBACKUP FROM: %s\n",
		&redo, &segment, &checkpoint, &method, &from); n != 5 {
		fault("it is not a label that a server takes")
		return nil
	}
	if method != "pg_rewind" || from != "standby" {
		fault("it tells of a backup by %s from a %s; replay would not go by the control file (want pg_rewind from a standby)", method, from)
	}
	size := r.sit.target.control.SegmentSize
	if want := size.Name(p.Label.Timeline, size.Number(p.Label.Redo)); segment != want+")" {
		fault("it names segment %s for the start of replay, want %s", strings.TrimSuffix(segment, ")"), want)
	}
	start, err1 := pg.ParseLSN(redo)
	record, err2 := pg.ParseLSN(checkpoint)
	if err1 != nil || err2 != nil || start != p.Label.Redo || record != p.Label.LSN {
		fault("it starts replay at %s, the plan at %s", redo, p.Label.Redo)
		return nil
	}
	tli := r.sit.target.control.MinRecoveryTimeline
	path, err := timeline.ReadPath(tli, r.cfg.Target.History)
	if err != nil {
		fault("the history of timeline %d is not there: %v", tli, err)
		return nil
	}
	facts, err := r.newIndex(r.targetWAL()).Marks(ctx, path, pg.Span{From: start, To: max(c.Reaches, record+1)})
	if err != nil {
		return fmt.Errorf("target: read the WAL that replay needs: %w", err)
	}
	found, ok := checkpointAt(facts, record)
	switch {
	case len(facts.Gaps) > 0 || facts.End < c.Reaches:
		fault("the WAL for replay ends at %s, before %s (%s)", facts.End, c.Reaches, gapText(facts))
	case !ok || found.Redo != start:
		fault("there is no checkpoint with redo point %s at %s", start, record)
	case path.Owner(c.Reaches-1) != tli:
		fault("timeline %d does not hold %s, where the target becomes consistent", tli, c.Reaches)
	default:
		c.Replay = true
	}
	return nil
}

func (c *Certificate) fault(f Fault) {
	c.Count++
	if len(c.Faults) < maxFaults {
		c.Faults = append(c.Faults, f)
	}
}

// grown tells of files as the journal does: what lay past their old end came
// from the source, also where a resumed run made them longer than the first
// had planned.
func grown(j *journal.Journal) []plan.Action {
	var actions []plan.Action
	for name, was := range j.Origins() {
		if was.Type == journal.Absent {
			actions = append(actions, plan.Action{Kind: plan.CopyFile, Path: name})
		}
	}
	return actions
}

// planned is what the plan did to relation files, by path.
func planned(p *plan.Plan) map[string]*plan.Action {
	byPath := map[string]*plan.Action{}
	for i := range p.Actions {
		a := &p.Actions[i]
		if byPath[a.Path] != nil {
			continue
		}
		if a.Kind == plan.Blocks || a.Kind == plan.CopyFile && path.Dir(a.Path) != "pg_wal" {
			byPath[a.Path] = a
		}
	}
	return byPath
}
