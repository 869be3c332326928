package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// eventDetail is the part of an event that only some kinds have, as JSON in
// the column detail.
type eventDetail struct {
	SourceSpc    pg.OID               `json:"source_tablespace,omitempty"`
	SourceDB     pg.OID               `json:"source_database,omitempty"`
	Path         string               `json:"path,omitempty"`
	Parameters   *blockmap.Parameters `json:"parameters,omitempty"`
	On           bool                 `json:"on,omitempty"`
	Timeline     pg.TimelineID        `json:"timeline,omitempty"`
	PrevTimeline pg.TimelineID        `json:"prev_timeline,omitempty"`
	Time         *time.Time           `json:"time,omitempty"`
	Name         string               `json:"name,omitempty"`
	At           pg.LSN               `json:"at,omitempty"`
}

func encodeDetail(e *blockmap.Event) (*string, error) {
	d := eventDetail{
		SourceSpc: e.SourceSpc, SourceDB: e.SourceDB, Path: e.Path, Parameters: e.Parameters, On: e.On,
		Timeline: e.Timeline, PrevTimeline: e.PrevTimeline, Name: e.Name, At: e.At,
	}
	if !e.Time.IsZero() {
		d.Time = &e.Time
	}
	if d == (eventDetail{}) {
		return nil, nil
	}
	b, err := json.Marshal(d)
	text := string(b)
	return &text, err
}

func decodeDetail(b []byte, e *blockmap.Event) error {
	if b == nil {
		return nil
	}
	var d eventDetail
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("event at %s: %w", e.LSN, err)
	}
	e.SourceSpc, e.SourceDB, e.Path, e.Parameters, e.On = d.SourceSpc, d.SourceDB, d.Path, d.Parameters, d.On
	e.Timeline, e.PrevTimeline, e.Name, e.At = d.Timeline, d.PrevTimeline, d.Name, d.At
	if d.Time != nil {
		e.Time = d.Time.UTC()
	}
	return nil
}

const insertEvent = `INSERT INTO events (segment_id, seq, lsn, kind, xid, spc_oid, db_oid, rel_number, forks, limit_block, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// saveEvents stores the tablespace and database of all kinds in the same
// columns, whether a relation lies in them or not.
func (c *Catalog) saveEvents(ctx context.Context, tx *sql.Tx, id int64, s *blockmap.Segment, sum *seal) error {
	return c.insertAll(ctx, tx, insertEvent, len(s.Events), func(i int) ([]any, error) {
		e := &s.Events[i]
		rel := e.Rel
		if rel == (pg.RelFileLocator{}) {
			rel.Spc, rel.DB = e.Spc, e.DB
		}
		var limit *int64
		if e.Kind == blockmap.RelationTruncated {
			n := int64(e.Limit)
			limit = &n
		}
		detail, err := encodeDetail(e)
		if err != nil {
			return nil, err
		}
		row := eventRow{e: e, seq: i, rel: rel, limit: limit}
		if detail != nil {
			row.detail = []byte(*detail)
		}
		sum.addEvent(&row)
		at, err := toLSN(e.LSN)
		return []any{id, i, at, string(e.Kind), e.XID, rel.Spc, rel.DB, rel.Rel, e.Forks, limit, detail}, err
	})
}

const selectEvents = `SELECT seq, lsn, kind, xid, spc_oid, db_oid, rel_number, forks, limit_block, detail
FROM events WHERE segment_id = ? ORDER BY seq`

func (c *Catalog) loadEvents(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error {
	s.Events = nil
	return c.query(ctx, selectEvents, []any{id}, func(scan scanFunc) error {
		var e blockmap.Event
		row := eventRow{e: &e}
		if err := scan(&row.seq, &e.LSN, &e.Kind, &e.XID, &row.rel.Spc, &row.rel.DB, &row.rel.Rel, &e.Forks, &row.limit, &row.detail); err != nil {
			return err
		}
		sum.addEvent(&row)
		rel, limit := row.rel, row.limit
		if rel.Rel != 0 {
			e.Rel = rel
		} else {
			e.Spc, e.DB = rel.Spc, rel.DB
		}
		if limit != nil {
			e.Limit = pg.BlockNumber(*limit)
		}
		err := decodeDetail(row.detail, &e)
		s.Events = append(s.Events, e)
		return err
	})
}
