package rmgr

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// body writes payloads: the reverse of payload.
type body []byte

func (b body) u8(v uint8) body     { return append(b, v) }
func (b body) u16(v uint16) body   { return binary.LittleEndian.AppendUint16(b, v) }
func (b body) u32(v uint32) body   { return binary.LittleEndian.AppendUint32(b, v) }
func (b body) u64(v uint64) body   { return binary.LittleEndian.AppendUint64(b, v) }
func (b body) bytes(v []byte) body { return append(b, v...) }
func (b body) text(s string) body  { return append(append(b, s...), 0) }

func (b body) align(n int) body {
	for len(b)%n != 0 {
		b = append(b, 0)
	}
	return b
}

func (b body) rel(l pg.RelFileLocator) body {
	return b.u32(uint32(l.Spc)).u32(uint32(l.DB)).u32(uint32(l.Rel))
}

// unhex reads hexadecimal digits with spaces anywhere.
func unhex(t testing.TB, digits string) body {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record is a record made by hand, at a position that errors can be seen to
// name.
func record(t testing.TB, major int, id pg.RmgrID, info uint8, main body) *walinspect.Record {
	t.Helper()
	layout, err := walinspect.LayoutOf(major)
	if err != nil {
		t.Fatal(err)
	}
	return &walinspect.Record{
		LSN: 0x1234560, Timeline: 3, XID: 777, Rmgr: id, Info: info, Layout: layout, Main: main,
		TotalLen: uint32(26 + len(main)),
	}
}

// decodeAll asks every decoder that the record is for.
func decodeAll(rec *walinspect.Record) error {
	if _, err := Effects(rec, nil); err != nil {
		return err
	}
	RowCounts(rec)
	switch {
	case rec.Rmgr == pg.RmgrXact:
		_, err := DecodeXact(rec)
		return err
	case rec.Rmgr == pg.RmgrStandby && rec.Op() == StandbyRunningXacts:
		_, err := DecodeRunningXacts(rec)
		return err
	case rec.Rmgr == pg.RmgrXLOG:
		return decodeXLOG(rec)
	}
	return nil
}

func decodeXLOG(rec *walinspect.Record) (err error) {
	switch rec.Op() {
	case XLOGCheckpointOnline, XLOGCheckpointShutdown:
		_, err = DecodeCheckpoint(rec)
	case XLOGParameterChange:
		_, err = DecodeParameterChange(rec)
	case XLOGEndOfRecovery:
		_, err = DecodeEndOfRecovery(rec)
	case XLOGFPWChange:
		_, err = DecodeFPWChange(rec)
	case XLOGRestorePoint:
		_, err = DecodeRestorePoint(rec)
	case XLOGOverwriteContrecord:
		_, err = DecodeOverwrite(rec)
	case XLOGBackupEnd:
		_, err = DecodeBackupEnd(rec)
	}
	return err
}
