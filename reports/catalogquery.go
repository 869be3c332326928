package reports

import (
	"fmt"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Schemas of the answers to queries.
const (
	BlocksSchema  = "forkpoint/blocks/1"
	RecordsSchema = "forkpoint/records/1"
	TopSchema     = "forkpoint/top/1"
)

// noFindings is what reports embed that only answer.
type noFindings struct{}

// Worst is none: a query judges nothing.
func (noFindings) Worst() Severity { return None }

// BlockHistory says which parts of the log touched a relation.
type BlockHistory struct {
	noFindings
	Schema   string         `json:"schema"`
	Relation string         `json:"relation"` // as asked for
	Segments []BlockSegment `json:"segments"` // in the order of the log
}

// BlockSegment is what one segment of the log did to one fork.
type BlockSegment struct {
	Segment  string        `json:"segment"`
	Timeline pg.TimelineID `json:"timeline"`
	From     pg.LSN        `json:"from"`
	To       pg.LSN        `json:"to"`
	First    time.Time     `json:"first_commit_or_abort,omitzero"`
	Last     time.Time     `json:"last_commit_or_abort,omitzero"`
	pg.RelFork
	Blocks   *blockmap.Set   `json:"blocks"`
	CutTo    *pg.BlockNumber `json:"cut_to,omitempty"`
	Activity Activity        `json:"activity"`
	XIDs     []pg.XID        `json:"xids,omitempty"` // of its records; only where the segment's file was read
	Read     bool            `json:"file_read"`
}

// Document is the history for people.
func (h *BlockHistory) Document() Document {
	t := Table{Columns: []Column{{"segment", false}, {"from", true}, {"to", true}, {"last end", false}, {"fork", false}, {"blocks", false}, {"records", true}, {"ins", true}, {"upd", true}, {"del", true}, {"by xid", false}},
		Empty: "No segment in the catalog has a record about it."}
	for _, s := range h.Segments {
		blocks := shortRanges(s.Blocks.String())
		if s.CutTo != nil {
			blocks += fmt.Sprintf(" cut to %d", *s.CutTo)
		}
		by := "(file not at hand)"
		if s.Read {
			by = shortXIDs(s.XIDs)
		}
		a := s.Activity
		t.Rows = append(t.Rows, []any{s.Segment, s.From, s.To, s.Last, s.Fork.String(), blocks, Count(a.Records), Count(a.Inserts), Count(a.Updates + a.HotUpdates), Count(a.Deletes), by})
	}
	return Document{Sections: []Section{{Parts: []Part{Text("What touched " + h.Relation + ", by segment of the log."), t}}}}
}

func shortXIDs(xids []pg.XID) string {
	s := ""
	for i, xid := range xids {
		if i == 6 {
			return s + fmt.Sprintf(" and %d more", len(xids)-i)
		}
		if i > 0 {
			s += " "
		}
		s += xid.String()
	}
	return s
}

// RecordHistory is a list of records: of a block, or of a transaction.
type RecordHistory struct {
	noFindings
	Schema  string        `json:"schema"`
	About   string        `json:"about"`
	Outcome *Outcome      `json:"outcome,omitempty"` // of a transaction, where its end is in the catalog
	Records []BlockRecord `json:"records"`
	Unread  []string      `json:"segments_not_at_hand"` // that have records about it, but no file
	Total   int64         `json:"total_records,omitempty"`
}

// Add puts a record on the list, once: the segment in which a timeline begins
// repeats the records of its parent.
func (h *RecordHistory) Add(r BlockRecord) {
	same := func(o BlockRecord) bool {
		return o.LSN == r.LSN && o.Timeline == r.Timeline && o.Rmgr == r.Rmgr && o.Text == r.Text
	}
	for i := len(h.Records) - 1; i >= 0 && h.Records[i].LSN >= r.LSN; i-- {
		if same(h.Records[i]) {
			return
		}
	}
	h.Records = append(h.Records, r)
}

// Outcome is how a transaction ended.
type Outcome struct {
	Kind     blockmap.XactKind `json:"kind"`
	LSN      pg.LSN            `json:"lsn"`
	Time     time.Time         `json:"time"`
	Subxacts []pg.XID          `json:"subtransactions,omitempty"`
	GID      string            `json:"gid,omitempty"`
}

// BlockRecord is a record of the log.
type BlockRecord struct {
	LSN      pg.LSN        `json:"lsn"`
	Timeline pg.TimelineID `json:"timeline"`
	XID      pg.XID        `json:"xid"`
	Rmgr     string        `json:"rmgr"`
	Op       string        `json:"op"`
	Image    bool          `json:"full_page_image,omitempty"`
	Blocks   []string      `json:"blocks,omitempty"`
	Text     string        `json:"description"`
}

// Document is the list for people.
func (h *RecordHistory) Document() Document {
	s := Section{Parts: []Part{Text(h.About)}}
	if o := h.Outcome; o != nil {
		facts := Facts{{"outcome", o.Kind.String(), "at " + o.LSN.String()}, {"time", o.Time, ""}}
		if len(o.Subxacts) > 0 {
			facts = append(facts, Fact{"subtransactions", shortXIDs(o.Subxacts), ""})
		}
		if o.GID != "" {
			facts = append(facts, Fact{"prepared as", o.GID, ""})
		}
		s.Parts = append(s.Parts, facts)
	}
	t := Table{Columns: []Column{{"LSN", true}, {"timeline", true}, {"xid", true}, {"record", false}, {"image", false}, {"blocks", false}}, Empty: "No record about it is at hand."}
	for _, r := range h.Records {
		image, blocks := "", ""
		if r.Image {
			image = "yes"
		}
		for i, b := range r.Blocks {
			if i == 3 {
				blocks += fmt.Sprintf(" and %d more", len(r.Blocks)-i)
				break
			}
			if i > 0 {
				blocks += ", "
			}
			blocks += b
		}
		t.Rows = append(t.Rows, []any{r.LSN, r.Timeline, r.XID, r.Rmgr + " " + r.Op, image, blocks})
	}
	if n := len(h.Unread); n > 0 {
		t.Note = fmt.Sprintf("%s not at hand and may have more, such as %s; name where they are with --archive.", count(n, "segment is", "segments are"), h.Unread[0])
	}
	s.Parts = append(s.Parts, t)
	return Document{Sections: []Section{s}}
}

// Top says what makes the log.
type Top struct {
	noFindings
	Schema string    `json:"schema"`
	By     string    `json:"by"`
	Rows   []TopItem `json:"rows"`
}

// TopItem is a row of [Top].
type TopItem struct {
	What       string `json:"what"`
	Records    int64  `json:"records"`
	WALBytes   int64  `json:"wal_bytes"`
	ImageBytes int64  `json:"image_bytes,omitempty"`
}

// Document is the list for people.
func (t *Top) Document() Document {
	table := Table{Columns: []Column{{t.By, false}, {"records", true}, {"WAL", true}, {"of it images", true}}, Empty: "The catalog has nothing of the kind."}
	for _, r := range t.Rows {
		table.Rows = append(table.Rows, []any{r.What, Count(r.Records), Bytes(r.WALBytes), Bytes(r.ImageBytes)})
	}
	return Document{Sections: []Section{{Title: "What writes the log, by " + t.By, Parts: []Part{table}}}}
}
