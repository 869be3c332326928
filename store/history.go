package store

import (
	"context"
	"database/sql"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// HistoryFile is a timeline history file as it was found.
type HistoryFile struct {
	SystemID uint64
	Timeline pg.TimelineID
	Content  []byte
	Seen     time.Time
}

const insertHistory = `INSERT INTO histories (system_id, tli, parent_tli, fork_lsn, reason, content, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

// SaveHistory keeps a history file. Files of the same timeline with other
// contents stay beside it, for a timeline number can have been given out twice.
// A file that a server could not read is refused.
func (c *Catalog) SaveHistory(ctx context.Context, h HistoryFile) error {
	parsed, err := timeline.Parse(h.Timeline, h.Content)
	if err != nil {
		return err
	}
	var parent, fork *int64
	var reason string
	if n := len(parsed.Entries); n > 0 {
		last := parsed.Entries[n-1]
		at, err := toLSN(last.End)
		if err != nil {
			return err
		}
		tli := int64(last.Timeline)
		parent, fork, reason = &tli, &at, last.Reason
	}
	content := h.Content
	if content == nil {
		content = []byte{}
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertHistory, systemID(h.SystemID), h.Timeline, parent, fork, reason, content, toTime(h.Seen))
		return err
	})
}

const selectHistories = `SELECT tli, content, seen_at FROM histories WHERE system_id = ? ORDER BY tli, seen_at, id`

// Histories lists the history files of a cluster by timeline, of one timeline
// the oldest sighting first.
func (c *Catalog) Histories(ctx context.Context, id uint64) ([]HistoryFile, error) {
	var list []HistoryFile
	err := c.query(ctx, selectHistories, []any{systemID(id)}, func(scan scanFunc) error {
		h := HistoryFile{SystemID: id}
		var seen int64
		err := scan(&h.Timeline, &h.Content, &seen)
		h.Seen = fromTime(seen)
		list = append(list, h)
		return err
	})
	return list, err
}
