package rewind

import (
	"context"
	"fmt"
	"path"

	"forkpoint/blockmap"
	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
)

// checkRepeats refuses where replay would do again what can be done right only
// once: some records stand for work on files that is not in them. A standby
// meets them when its files are as the record wants them. After a rewind the
// files are those of a later time.
func (r *run) checkRepeats(ctx context.Context, facts *Facts, end pg.LSN) error {
	for i := range facts.Events {
		var err error
		switch e := &facts.Events[i]; {
		case e.LSN < r.sit.label.Redo:
		case e.Kind == blockmap.DatabaseCreated && e.SourceDB != 0:
			err = r.checkTemplate(ctx, facts, e, end)
		case e.Kind == blockmap.TablespaceCreated:
			err = r.checkMapped(facts, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTemplate looks at a database that was made by copying another's
// directory, as ALTER DATABASE SET TABLESPACE does too. Replay removes what is
// there of it and copies the template again (dbase_redo in
// src/backend/commands/dbcommands.c): the files must still be what they were.
func (r *run) checkTemplate(ctx context.Context, facts *Facts, e *blockmap.Event, end pg.LSN) error {
	if droppedAfter(facts, e.LSN, func(d *blockmap.Event) bool {
		return d.Kind == blockmap.DatabaseDropped && d.DB == e.DB && d.Spc == e.Spc
	}) {
		return nil // whatever becomes of it goes again
	}
	for i := range facts.Events {
		if c := &facts.Events[i]; c.Kind == blockmap.DatabaseCreated && c.DB == e.SourceDB && c.Spc == e.SourceSpc &&
			c.LSN >= r.sit.label.Redo && c.LSN < e.LSN {
			return nil // replay makes the template too, and has it then as it was then
		}
	}
	refuse := func(lsn pg.LSN, what string) error {
		return &PreflightError{Check: CheckReplay, Side: Source, LSN: e.LSN,
			Found: fmt.Sprintf("database %d in tablespace %d was made there by copying the files of database %d in tablespace %d, which %s by %s; replay would copy it as it is now",
				e.DB, e.Spc, e.SourceDB, e.SourceSpc, what, lsn),
			Want: "a template that has not changed since, or a database made with STRATEGY wal_log (15 and later)",
			Next: "this node needs a new base backup: no rewind can bring that database right"}
	}
	for i := range facts.Events {
		d := &facts.Events[i]
		if d.LSN > e.LSN && d.Kind == blockmap.DatabaseDropped && d.DB == e.SourceDB && d.Spc == e.SourceSpc {
			return refuse(d.LSN, "was dropped or moved")
		}
	}
	// Only transactions change what a database holds. Hints and the removal of
	// dead rows are as good in the copy.
	log, span := r.replayLog(), pg.Span{From: e.LSN + 1, To: end}
	later, err := log.Touched(ctx, r.sit.source.path, span)
	var changed *blockmap.Map
	if err == nil {
		xids := make([]pg.XID, 0, len(later.XIDs))
		for _, x := range later.XIDs {
			xids = append(xids, x.XID)
		}
		changed, err = log.TouchedBy(ctx, r.sit.source.path, span, xids)
	}
	if err != nil {
		return fmt.Errorf("source: look for changes of database %d since %s: %w", e.SourceDB, e.LSN, err)
	}
	for rf := range changed.All() {
		if rf.DB == e.SourceDB {
			return refuse(end, fmt.Sprintf("was changed since (relation %s)", rf.RelFileLocator))
		}
	}
	return nil
}

// checkMapped looks at a tablespace that the caller wants elsewhere. Replay
// makes its link anew, to where the source has it (tblspc_redo in
// src/backend/commands/tablespace.c), and empties the directory there: on the
// source's machine that is the source's own.
func (r *run) checkMapped(facts *Facts, e *blockmap.Event) error {
	link := "pg_tblspc/" + e.Spc.String()
	mapped := false
	for _, to := range r.cfg.TablespaceMap {
		for i := range r.plan.Actions {
			a := &r.plan.Actions[i]
			mapped = mapped || a.Kind == plan.MakeLink && a.Path == link && path.Clean(a.Link) == path.Clean(to)
		}
	}
	if !mapped || droppedAfter(facts, e.LSN, func(d *blockmap.Event) bool {
		return d.Kind == blockmap.TablespaceDropped && d.Spc == e.Spc
	}) {
		return nil
	}
	return &PreflightError{Check: CheckReplay, Side: Source, LSN: e.LSN,
		Found: fmt.Sprintf("tablespace %d was made there after the checkpoint from which replay starts; replay makes its link again, to where the source has it, and empties that directory", e.Spc),
		Want:  "no mapping for that tablespace",
		Next:  "on another machine: make the same directory and leave out --tablespace-mapping; on the source's machine: take a base backup with --tablespace-mapping"}
}

func droppedAfter(facts *Facts, lsn pg.LSN, drops func(*blockmap.Event) bool) bool {
	for i := range facts.Events {
		if e := &facts.Events[i]; e.LSN > lsn && drops(e) {
			return true
		}
	}
	return false
}
