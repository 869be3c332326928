package blockmap

import (
	"encoding/binary"
	"slices"

	"forkpoint/walinspect/pg"
)

// EncodeXacts encodes the list; DecodeXacts is its reverse. Times are kept to
// the microsecond.
func EncodeXacts(xacts []Xact) []byte { return appendXacts(nil, xacts, new(columns)) }

func appendXacts(b []byte, xacts []Xact, room *columns) []byte {
	if len(xacts) == 0 {
		return b
	}
	var all pg.LSN
	for i := range xacts {
		all |= xacts[i].LSN | xacts[i].End
	}
	unit := lsnUnit(all)
	room.begin(len(xacts))
	kind, lsn, length, xid, db, at := &room[0], &room[1], &room[2], &room[3], &room[4], &room[5]
	for i := range xacts {
		x := &xacts[i]
		kind.add(uint64(x.Kind))
		lsn.add(uint64(x.LSN / unit))
		length.add(uint64((x.End - x.LSN) / unit))
		xid.add(uint64(x.XID))
		db.add(uint64(x.DB))
		at.add(fromTime(x.Time))
	}
	b = binary.AppendUvarint(slices.Grow(b, 12*len(xacts)), uint64(len(xacts)))
	b = binary.AppendUvarint(b, uint64(unit))
	b = room.appendTo(b, 6)
	for i := range xacts {
		if rest := xacts[i].Rest; rest != nil {
			b = rest.append(binary.AppendUvarint(b, uint64(i))) // with the row it belongs to
		}
	}
	return b
}

func (r *XactRest) append(b []byte) []byte {
	b = appendXIDs(b, r.Subxacts)
	b = binary.AppendUvarint(b, uint64(r.Dropped))
	b = binary.AppendUvarint(b, uint64(r.Origin))
	b = binary.AppendUvarint(b, uint64(r.OriginLSN))
	b = binary.AppendUvarint(b, uint64(len(r.GID)))
	return append(b, r.GID...)
}

// DecodeXacts is the reverse of [EncodeXacts].
func DecodeXacts(b []byte, most ListBounds) ([]Xact, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := &columnReader{b: b, most: most}
	xacts := make([]Xact, r.rows(6))
	unit := r.unit()
	readColumn(r, xacts, func(x *Xact, v uint64) { x.Kind = XactKind(v) })
	readColumn(r, xacts, func(x *Xact, v uint64) { x.LSN = pg.LSN(v) * unit })
	readColumn(r, xacts, func(x *Xact, v uint64) { x.End = x.LSN + pg.LSN(v)*unit })
	readColumn(r, xacts, func(x *Xact, v uint64) { x.XID = pg.XID(v) })
	readColumn(r, xacts, func(x *Xact, v uint64) { x.DB = pg.OID(v) })
	readColumn(r, xacts, func(x *Xact, v uint64) { x.Time = toTime(v) })
	for next := 0; len(r.b) > 0; {
		i := r.index(next, len(xacts))
		if r.err != nil {
			break
		}
		next = i + 1
		rest := XactRest{Subxacts: r.xids(), Dropped: int(r.uvarint()), Origin: uint16(r.uvarint()), OriginLSN: pg.LSN(r.uvarint())}
		rest.GID = string(r.bytes(r.count(1)))
		xacts[i].Rest = rest.OrNil()
	}
	return xacts, r.done()
}

// EncodeXIDs encodes the list; DecodeXIDs is its reverse. In the order of first
// records both these and the identifiers rise nearly all the time.
func EncodeXIDs(rows []XIDActivity) []byte { return appendXIDActivities(nil, rows, new(columns)) }

func appendXIDActivities(b []byte, rows []XIDActivity, room *columns) []byte {
	if len(rows) == 0 {
		return b
	}
	var all pg.LSN
	for i := range rows {
		all |= rows[i].First
	}
	unit := lsnUnit(all)
	room.begin(len(rows))
	xid, top, first, records, size := &room[0], &room[1], &room[2], &room[3], &room[4]
	for i := range rows {
		x := &rows[i]
		xid.add(uint64(x.XID))
		top.add(uint64(x.Top))
		first.add(uint64(x.First / unit))
		records.add(uint64(x.Records))
		size.add(uint64(x.Bytes))
	}
	b = binary.AppendUvarint(slices.Grow(b, 8*len(rows)), uint64(len(rows)))
	b = binary.AppendUvarint(b, uint64(unit))
	return room.appendTo(b, 5)
}

// DecodeXIDs is the reverse of [EncodeXIDs].
func DecodeXIDs(b []byte, most ListBounds) ([]XIDActivity, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := &columnReader{b: b, most: most}
	rows := make([]XIDActivity, r.rows(5))
	unit := r.unit()
	readColumn(r, rows, func(x *XIDActivity, v uint64) { x.XID = pg.XID(v) })
	readColumn(r, rows, func(x *XIDActivity, v uint64) { x.Top = pg.XID(v) })
	readColumn(r, rows, func(x *XIDActivity, v uint64) { x.First = pg.LSN(v) * unit })
	readColumn(r, rows, func(x *XIDActivity, v uint64) { x.Records = int64(v) })
	readColumn(r, rows, func(x *XIDActivity, v uint64) { x.Bytes = int64(v) })
	return rows, r.done()
}

// EncodeSnapshots encodes the list; DecodeSnapshots is its reverse.
func EncodeSnapshots(list []Snapshot) []byte { return appendSnapshots(nil, list) }

func appendSnapshots(b []byte, list []Snapshot) []byte {
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(s.LSN))
		b = appendXIDs(b, []pg.XID{s.Next, s.OldestRunning, s.LatestCompleted})
		b = appendXIDs(b, s.XIDs)
		b = appendXIDs(b, s.Subxacts)
		if s.Overflow {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// DecodeSnapshots is the reverse of [EncodeSnapshots].
func DecodeSnapshots(b []byte, most ListBounds) ([]Snapshot, error) {
	var list []Snapshot
	r := &columnReader{b: b, most: most}
	for r.more(len(list)) {
		s := Snapshot{LSN: pg.LSN(r.uvarint())}
		horizon := r.xids()
		if len(horizon) != 3 {
			r.fail("snapshot without its three horizons")
			break
		}
		s.Next, s.OldestRunning, s.LatestCompleted = horizon[0], horizon[1], horizon[2]
		s.XIDs = r.xids()
		s.Subxacts = r.xids()
		s.Overflow = r.uvarint() != 0
		list = append(list, s)
	}
	return list, r.done()
}

// EncodeAssignments encodes the list; DecodeAssignments is its reverse.
func EncodeAssignments(list []Assignment) []byte { return appendAssignments(nil, list) }

func appendAssignments(b []byte, list []Assignment) []byte {
	for _, a := range list {
		b = binary.AppendUvarint(b, uint64(a.LSN))
		b = binary.AppendUvarint(b, uint64(a.Top))
		b = appendXIDs(b, a.Subs)
	}
	return b
}

// DecodeAssignments is the reverse of [EncodeAssignments].
func DecodeAssignments(b []byte, most ListBounds) ([]Assignment, error) {
	var list []Assignment
	r := &columnReader{b: b, most: most}
	for r.more(len(list)) {
		list = append(list, Assignment{LSN: pg.LSN(r.uvarint()), Top: pg.XID(r.uvarint()), Subs: r.xids()})
	}
	return list, r.done()
}
