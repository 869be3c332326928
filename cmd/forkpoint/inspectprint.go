package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// recordPrinter shows records as they are read and then how the log ends.
type recordPrinter interface {
	record(*walinspect.Record) error
	finish(walinspect.Stop) error
}

func newRecordPrinter(app *app, wal *openedWAL, opts inspectOptions, names *relname.Names) (recordPrinter, error) {
	out := bufio.NewWriterSize(app.stdout, 64<<10)
	var p recordPrinter
	switch {
	case opts.stats != "":
		p = newStatsPrinter(app.stdout, opts, names)
	case opts.format == render.JSON:
		p = &jsonPrinter{out: out, enc: newEncoder(out), names: names}
	default:
		p = &linePrinter{out: out, end: app.stderr, style: rmgr.Style{Details: opts.blocks, BlockSize: wal.geometry.BlockSize}}
	}
	if opts.savePages != "" {
		return newImageSaver(opts.savePages, wal.geometry.BlockSize, p)
	}
	return p, nil
}

// linePrinter prints lines as pg_waldump does, and nothing else to the same
// place: how the log ends goes where messages go.
type linePrinter struct {
	out   *bufio.Writer
	end   io.Writer
	style rmgr.Style
	line  []byte
}

func (p *linePrinter) record(rec *walinspect.Record) error {
	p.line = append(p.style.AppendLine(p.line[:0], rec), '\n')
	_, err := p.out.Write(p.line)
	return err
}

func (p *linePrinter) finish(stop walinspect.Stop) error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(p.end, "forkpoint: "+stopLine(stop))
	return nil
}

// stopLine says how reading ended, as a fact: place, reason, evidence.
func stopLine(stop walinspect.Stop) string {
	head := "stopped at"
	if stop.Reason.EndOfWAL() {
		head = "end of WAL at"
	}
	s := fmt.Sprintf("%s %s: %s (%s)", head, stop.LSN, reports.StopText(string(stop.Reason)), stop.Reason)
	if evidence := stopEvidence(stop); evidence != "" {
		s += "\n  " + evidence
	}
	return s
}

// stopEvidence is what was found at the place that decided how the log ends.
func stopEvidence(stop walinspect.Stop) string {
	if stop.Got == "" {
		return ""
	}
	s := fmt.Sprintf("want %s, got %s", stop.Want, stop.Got)
	if stop.At.Valid() && stop.At != stop.LSN {
		s += fmt.Sprintf(" at %s", stop.At)
	}
	if stop.Path != "" {
		s += fmt.Sprintf(" (%s, offset %d)", stop.Path, stop.Offset)
	}
	if stop.After.Valid() {
		s += fmt.Sprintf("; valid records go on at %s", stop.After)
	}
	return s
}

// Schemas of the lines that inspect prints as JSON.
const (
	recordSchema = "forkpoint/record/1"
	endSchema    = "forkpoint/end-of-wal/1"
)

// jsonPrinter prints one document a line.
type jsonPrinter struct {
	out   *bufio.Writer
	enc   *json.Encoder
	names *relname.Names // nil if not known
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

type jsonRecord struct {
	Schema   string        `json:"schema"`
	LSN      pg.LSN        `json:"lsn"`
	End      pg.LSN        `json:"end"`
	Timeline pg.TimelineID `json:"timeline"`
	Prev     pg.LSN        `json:"prev"`
	Rmgr     pg.RmgrID     `json:"rmgr"`
	Op       string        `json:"op"`
	Info     uint8         `json:"info"`
	XID      pg.XID        `json:"xid"`
	TopXID   pg.XID        `json:"top_xid,omitempty"`
	Origin   uint16        `json:"origin,omitempty"`
	Len      uint32        `json:"len"`
	CRC      string        `json:"crc"`
	Desc     string        `json:"desc"`
	Blocks   []jsonBlock   `json:"blocks,omitempty"`
}

type jsonBlock struct {
	ID uint8 `json:"id"`
	pg.BlockTag
	Name    *pg.QualifiedName `json:"name,omitempty"`
	Init    bool              `json:"init,omitempty"`
	DataLen int               `json:"data_len,omitempty"`
	Image   *jsonImage        `json:"image,omitempty"`
}

type jsonImage struct {
	Len         int    `json:"len"`
	HoleOffset  uint16 `json:"hole_offset"`
	HoleLen     uint16 `json:"hole_len"`
	Compression string `json:"compression"`
	Apply       bool   `json:"apply"`
}

func (p *jsonPrinter) record(rec *walinspect.Record) error {
	doc := jsonRecord{Schema: recordSchema, LSN: rec.LSN, End: rec.End, Timeline: rec.Timeline, Prev: rec.Prev,
		Rmgr: rec.Rmgr, Op: rmgr.OpName(rec), Info: rec.Info, XID: rec.XID, Len: rec.TotalLen,
		CRC: fmt.Sprintf("%08X", rec.CRC), Desc: rmgr.Describe(rec)}
	if rec.HasTopXID {
		doc.TopXID = rec.TopXID
	}
	if rec.HasOrigin {
		doc.Origin = rec.Origin
	}
	for i := range rec.Blocks {
		b := &rec.Blocks[i]
		block := jsonBlock{ID: b.ID, BlockTag: b.Tag, Init: b.WillInit(), DataLen: len(b.Data)}
		if p.names != nil {
			if name, known := p.names.Lookup(b.Tag.RelFileLocator); known {
				block.Name = &name.QualifiedName
			}
		}
		if b.HasImage() {
			block.Image = &jsonImage{b.Image.Len(), b.Image.HoleOffset, b.Image.HoleLen, b.Image.Compression.String(), b.AppliesImage()}
		}
		doc.Blocks = append(doc.Blocks, block)
	}
	return p.enc.Encode(doc)
}

// jsonEnd is the last line.
type jsonEnd struct {
	Schema string `json:"schema"`
	walinspect.Stop
	Text    string `json:"text"`
	Natural bool   `json:"natural"`
}

func (p *jsonPrinter) finish(stop walinspect.Stop) error {
	if err := p.enc.Encode(jsonEnd{endSchema, stop, reports.StopText(string(stop.Reason)), stop.Reason.EndOfWAL()}); err != nil {
		return err
	}
	return p.out.Flush()
}
