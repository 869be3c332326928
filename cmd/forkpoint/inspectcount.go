package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"forkpoint/blockmap/relname"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// statsKey is what a row counts, as far as its counter sets it.
type statsKey struct {
	rmgr   pg.RmgrID
	op     string
	rel    pg.RelFileLocator
	xid    pg.XID
	minute int64 // since 1970
	is     bool  // false for the row of records that the others are not about
}

// counter decides to which rows a record belongs.
type counter interface {
	record(rec *walinspect.Record, one *statsRow, row func(statsKey) *statsRow)
	finish(rows map[statsKey]*statsRow)
	name(key statsKey, row *statsRow)
}

func newCounter(by statsFlag, names *relname.Names) counter {
	if names == nil {
		names = &relname.Names{}
	}
	switch by {
	case statsRelation, statsDatabase:
		return &relationCounter{names: names, databases: by == statsDatabase}
	case statsTransaction:
		return &xactCounter{top: map[pg.XID]pg.XID{}, ends: map[pg.XID]rmgr.Xact{}}
	case statsMinute:
		return &minuteCounter{}
	}
	return typeCounter{ops: by == statsRecord}
}

// typeCounter counts by resource manager, or by record type.
type typeCounter struct{ ops bool }

func (c typeCounter) record(rec *walinspect.Record, one *statsRow, row func(statsKey) *statsRow) {
	key := statsKey{rmgr: rec.Rmgr}
	if c.ops {
		key.op = rmgr.OpName(rec)
	}
	row(key).add(one)
}

func (typeCounter) finish(map[statsKey]*statsRow) {}

func (c typeCounter) name(key statsKey, row *statsRow) {
	row.Type = key.rmgr.String()
	if c.ops {
		row.Type += "/" + key.op
	}
}

// relationCounter counts by relation or by database.
type relationCounter struct {
	names     *relname.Names
	databases bool
	seen      []statsKey
}

func (c *relationCounter) record(rec *walinspect.Record, one *statsRow, row func(statsKey) *statsRow) {
	if len(rec.Blocks) == 0 {
		row(c.elsewhere(rec)).add(one)
		return
	}
	c.seen = c.seen[:0]
	for i := range rec.Blocks {
		b := &rec.Blocks[i]
		r := row(c.key(b.Tag.RelFileLocator))
		if b.HasImage() {
			r.Images++
			r.ImageBytes += int64(b.Image.Len())
		}
		if i == 0 {
			r.Bytes += one.Bytes
		}
		if key := c.key(b.Tag.RelFileLocator); !slices.Contains(c.seen, key) {
			r.Records++
			c.seen = append(c.seen, key)
		}
	}
}

func (c *relationCounter) key(rel pg.RelFileLocator) statsKey {
	if c.databases {
		rel = pg.RelFileLocator{DB: rel.DB}
	}
	return statsKey{rel: rel, is: true}
}

// elsewhere is the row of a record without blocks. The end of a transaction
// belongs to the database of its session.
func (c *relationCounter) elsewhere(rec *walinspect.Record) statsKey {
	if c.databases && rec.Rmgr == pg.RmgrXact {
		if x, err := rmgr.DecodeXact(rec); err == nil && x.DB != 0 {
			return c.key(pg.RelFileLocator{DB: x.DB})
		}
	}
	return statsKey{}
}

func (*relationCounter) finish(map[statsKey]*statsRow) {}

func (c *relationCounter) name(key statsKey, row *statsRow) {
	switch {
	case !key.is:
		row.Type = "(no block)"
	case c.databases:
		row.Database, row.Type = &key.rel.DB, "database "+key.rel.DB.String()
		if name, known := c.names.Database(key.rel.DB); known {
			row.Type = name
		} else if key.rel.DB == 0 {
			row.Type = "(shared)"
		}
	default:
		row.Storage, row.Type = &key.rel, key.rel.String()
		if name, known := c.names.Lookup(key.rel); known {
			row.Type = fullName(name.QualifiedName)
		}
	}
}

// xactCounter counts by transaction; subtransactions belong to theirs.
type xactCounter struct {
	top  map[pg.XID]pg.XID
	ends map[pg.XID]rmgr.Xact
}

func (c *xactCounter) record(rec *walinspect.Record, one *statsRow, row func(statsKey) *statsRow) {
	xid := rec.XID
	if rec.HasTopXID {
		c.top[xid] = rec.TopXID
	}
	if rec.Rmgr == pg.RmgrXact {
		if x, err := rmgr.DecodeXact(rec); err == nil && x.XID != 0 {
			xid = x.XID
			for _, sub := range x.Subxacts {
				c.top[sub] = x.XID
			}
			if !x.Time.IsZero() {
				c.ends[xid] = x
			}
		}
	}
	row(statsKey{xid: xid, is: xid != 0}).add(one)
}

// finish adds subtransactions to those that they belong to.
func (c *xactCounter) finish(rows map[statsKey]*statsRow) {
	for key, row := range rows {
		top, sub := c.top[key.xid]
		if !sub || top == key.xid {
			continue
		}
		into := rows[statsKey{xid: top, is: true}]
		if into == nil {
			into = &statsRow{}
			rows[statsKey{xid: top, is: true}] = into
		}
		into.add(row)
		delete(rows, key)
	}
}

func (c *xactCounter) name(key statsKey, row *statsRow) {
	row.Type, row.XID = "(none)", key.xid
	if !key.is {
		return
	}
	row.Type = fmt.Sprint(uint32(key.xid))
	if x, ended := c.ends[key.xid]; ended {
		row.Ended, row.Time = strings.ToLower(fmt.Sprint(x.Kind)), &x.Time
		row.Type += ", " + row.Ended + " " + x.Time.Format("2006-01-02 15:04:05.000000Z07:00")
	}
}

// minuteCounter counts by the time in the log.
type minuteCounter struct{ clock logClock }

func (c *minuteCounter) record(rec *walinspect.Record, one *statsRow, row func(statsKey) *statsRow) {
	c.clock.see(rec)
	if c.clock.now.IsZero() {
		row(statsKey{}).add(one)
		return
	}
	row(statsKey{minute: c.clock.now.Unix() / 60, is: true}).add(one)
}

func (*minuteCounter) finish(map[statsKey]*statsRow) {}

func (c *minuteCounter) name(key statsKey, row *statsRow) {
	if !key.is {
		row.Type = "(before the first time)"
		return
	}
	minute := time.Unix(key.minute*60, 0).UTC()
	row.Type, row.Time = minute.Format("2006-01-02 15:04 MST"), &minute
}
