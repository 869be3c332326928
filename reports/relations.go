package reports

import (
	"cmp"
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// noNames knows nothing.
type noNames struct{}

func (noNames) Relation(pg.RelFileLocator) (RelationName, bool) { return RelationName{}, false }
func (noNames) Database(pg.OID) (string, bool)                  { return "", false }
func (noNames) Tablespace(pg.OID) (string, bool)                { return "", false }

// nameOf is the name of a relation, that of its database alone where no more is
// known, or nil.
func nameOf(names Names, rel pg.RelFileLocator) *RelationName {
	if name, known := names.Relation(rel); known {
		return &name
	}
	if db, known := names.Database(rel.DB); known {
		return &RelationName{QualifiedName: pg.QualifiedName{Database: db}}
	}
	return nil
}

// relations lists the forks that the target touched since the redo point, the
// most changed first.
func (d *Divergence) relations(in DivergenceInput) {
	all := &blockmap.Map{}
	var before *blockmap.Map
	if in.Before != nil {
		before = in.Before.Touched
		all.Append(before)
	}
	all.Append(in.After.Touched)
	var source *blockmap.Map
	if in.SourceAfter != nil {
		source = in.SourceAfter.Touched
	}
	d.Relations = []RelationChange{}
	changes := d.changes(in)
	changed := map[pg.RelFileLocator]bool{}
	for rf, entry := range all.All() {
		pre, _ := before.Get(rf)
		post, since := in.After.Touched.Get(rf)
		other, _ := source.Get(rf)
		r := RelationChange{RelFork: rf, Name: nameOf(in.Names, rf.RelFileLocator), SinceRedo: entry.Touched.Len(),
			SinceFork: post.Touched.Len(), Restored: pre.Restored.Subtract(post.Touched).Len(),
			Source: other.Touched.Len(), Both: post.Touched.Intersect(other.Touched).Len(),
			Activity: Activity(in.After.Activity[rf])}
		if post.IsCut() {
			r.CutTo = &post.Limit
		}
		if size, known := in.Sizes[rf]; known {
			r.Size = &size
		}
		if rf.Fork == pg.MainFork {
			r.Changes = changes[rf.RelFileLocator]
			if r.Name != nil && r.Name.Kind == "sequence" && r.Activity.Records > 0 && !slices.Contains(r.Changes, ChangeCreated) {
				r.Changes = append(r.Changes, ChangeAdvanced)
			}
		}
		if since && rf.Rel != 0 && !changed[rf.RelFileLocator] {
			changed[rf.RelFileLocator] = true
			d.Blocks.Relations++
		}
		d.Blocks.SinceRedo += r.SinceRedo
		d.Blocks.SinceFork += r.SinceFork
		d.Blocks.Both += r.Both
		d.Relations = append(d.Relations, r)
	}
	d.Blocks.Source = source.Blocks()
	slices.SortStableFunc(d.Relations, func(a, b RelationChange) int {
		return cmp.Or(cmp.Compare(b.SinceFork, a.SinceFork), cmp.Compare(b.SinceRedo, a.SinceRedo))
	})
}

// changes says what happened to each relation's files. One transaction that
// makes files for a relation and drops files of the same name has rewritten it.
func (d *Divergence) changes(in DivergenceInput) map[pg.RelFileLocator][]Change {
	list := map[pg.RelFileLocator][]Change{}
	add := func(rel pg.RelFileLocator, c Change) {
		if !slices.Contains(list[rel], c) {
			list[rel] = append(list[rel], c)
		}
	}
	type relation struct {
		xid  pg.XID
		name pg.QualifiedName
	}
	made, gone := map[relation][]pg.RelFileLocator{}, map[relation][]pg.RelFileLocator{}
	key := func(e *Event) (relation, bool) {
		if e.Name == nil || e.Name.Relation == "" {
			return relation{}, false
		}
		return relation{e.XID, e.Name.QualifiedName}, true
	}
	for i := range d.Events {
		e := &d.Events[i]
		switch e.Kind {
		case blockmap.RelationCreated:
			add(*e.Relation, ChangeCreated)
			if k, named := key(e); named {
				made[k] = append(made[k], *e.Relation)
			}
		case blockmap.RelationDropped:
			add(*e.Relation, ChangeDropped)
			if k, named := key(e); named {
				gone[k] = append(gone[k], *e.Relation)
			}
		case blockmap.RelationTruncated:
			add(*e.Relation, ChangeTruncated)
		}
	}
	replace := func(rels []pg.RelFileLocator, old, new Change) {
		for _, rel := range rels {
			if i := slices.Index(list[rel], old); i >= 0 {
				list[rel][i] = new
			}
		}
	}
	for k, created := range made {
		if dropped := gone[k]; len(dropped) > 0 && !slices.Equal(created, dropped) {
			replace(created, ChangeCreated, ChangeReplaced)
			replace(dropped, ChangeDropped, ChangeOutdated)
		}
	}
	return list
}

// sourceRelations lists what the source changed, the most changed first.
func (d *Divergence) sourceRelations(in DivergenceInput) {
	d.SourceSide = []SourceChange{}
	if in.SourceAfter == nil {
		return
	}
	for rf, e := range in.SourceAfter.Touched.All() {
		s := SourceChange{RelFork: rf, Name: nameOf(in.SourceNames, rf.RelFileLocator), Blocks: e.Touched.Len(), Activity: Activity(in.SourceAfter.Activity[rf])}
		if e.IsCut() {
			s.CutTo = &e.Limit
		}
		d.SourceSide = append(d.SourceSide, s)
	}
	slices.SortStableFunc(d.SourceSide, func(a, b SourceChange) int { return cmp.Compare(b.Blocks, a.Blocks) })
}

// events lists what the target did to files since the fork.
func events(log *Log, names Names) []Event {
	list := []Event{}
	for _, e := range log.Events {
		out := Event{Kind: e.Kind, LSN: e.LSN, XID: e.XID}
		switch e.Kind {
		case blockmap.RelationCreated, blockmap.RelationTruncated, blockmap.RelationDropped:
			out.Relation, out.Name = &e.Rel, nameOf(names, e.Rel)
			if e.Kind == blockmap.RelationTruncated {
				out.Blocks = &e.Limit
			}
		case blockmap.DatabaseCreated, blockmap.DatabaseDropped:
			out.Detail = databaseText(names, e.DB) + " in " + tablespaceText(names, e.Spc)
		case blockmap.TablespaceCreated, blockmap.TablespaceDropped:
			out.Detail = tablespaceText(names, e.Spc)
			if e.Path != "" {
				out.Detail += " at " + e.Path
			}
		case blockmap.FullPageWritesChange:
			out.Detail = fmt.Sprintf("full_page_writes = %t", e.On)
		case blockmap.RestorePoint:
			out.Detail = e.Name
		case blockmap.EndOfRecovery:
			out.Detail = fmt.Sprintf("from timeline %d to %d", e.PrevTimeline, e.Timeline)
		}
		list = append(list, out)
	}
	return list
}

func databaseText(names Names, oid pg.OID) string {
	if name, known := names.Database(oid); known {
		return fmt.Sprintf("database %s (%d)", name, oid)
	}
	return fmt.Sprintf("database %d", oid)
}

func tablespaceText(names Names, oid pg.OID) string {
	if name, known := names.Tablespace(oid); known {
		return fmt.Sprintf("tablespace %s (%d)", name, oid)
	}
	return fmt.Sprintf("tablespace %d", oid)
}

// described are the catalogs that tell of DDL, and what people call what they
// describe. pg_attribute, pg_depend and the like only follow these.
var described = map[string]string{
	"pg_class": "tables, indexes, views and sequences", "pg_type": "types", "pg_proc": "functions", "pg_constraint": "constraints",
	"pg_trigger": "triggers", "pg_attribute": "columns", "pg_namespace": "schemas", "pg_authid": "roles", "pg_auth_members": "role memberships",
	"pg_database": "databases", "pg_tablespace": "tablespaces", "pg_extension": "extensions", "pg_policy": "row policies", "pg_rewrite": "rules and views",
	"pg_publication": "publications", "pg_subscription": "subscriptions", "pg_operator": "operators", "pg_collation": "collations",
	"pg_db_role_setting": "settings of databases and roles", "pg_default_acl": "default privileges", "pg_event_trigger": "event triggers",
	"pg_foreign_server": "foreign servers", "pg_statistic_ext": "extended statistics", "pg_largeobject_metadata": "large objects",
}

// definitions counts the changed rows of catalogs.
func definitions(relations []RelationChange) []Definitions {
	type key struct{ db, catalog string }
	sums := map[key]Definitions{}
	for _, r := range relations {
		if r.Name == nil || r.Name.Schema != "pg_catalog" || r.Name.Kind != "table" || r.Fork != pg.MainFork {
			continue
		}
		of, tells := described[r.Name.Relation]
		a := r.Activity
		if !tells || a.Inserts+a.Updates+a.HotUpdates+a.Deletes == 0 {
			continue
		}
		k := key{r.Name.Database, r.Name.Relation}
		sum := sums[k]
		sums[k] = Definitions{k.db, k.catalog, of, sum.Inserts + a.Inserts, sum.Updates + a.Updates + a.HotUpdates, sum.Deletes + a.Deletes}
	}
	list := []Definitions{}
	for _, sum := range sums {
		list = append(list, sum)
	}
	slices.SortFunc(list, func(a, b Definitions) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(b.Inserts+b.Updates+b.Deletes, a.Inserts+a.Updates+a.Deletes), cmp.Compare(a.Catalog, b.Catalog))
	})
	return list
}

// coverage lists what the answer rests on, side by side and in the order of the
// log.
func coverage(in DivergenceInput) []Covered {
	list := []Covered{}
	for _, part := range []struct {
		side string
		log  *Log
	}{{"target", in.Before}, {"target", in.After}, {"source", in.SourceAfter}} {
		if part.log == nil {
			continue
		}
		for _, c := range part.log.Coverage {
			c.Side = part.side
			list = append(list, c)
		}
		for _, gap := range part.log.Gaps {
			list = append(list, Covered{Side: part.side, Span: gap.Span, Evidence: "none", Reason: gap.Reason})
		}
	}
	slices.SortStableFunc(list, func(a, b Covered) int {
		return cmp.Or(-cmp.Compare(a.Side, b.Side), cmp.Compare(a.From, b.From))
	})
	return list
}
