package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"forkpoint/walinspect/pg"
)

// TestPretendedLists refuses lists of few bytes that unpack to more rows, or
// identifiers, than the segment has records or bytes for, with little memory.
func TestPretendedLists(t *testing.T) {
	counted := func(columns int) []byte { // rows of nothing but zeros
		const rows = 17_500_000
		return append(binary.AppendUvarint(nil, rows), append([]byte{8}, make([]byte, columns*rows)...)...)
	}
	const named = 100_000 // in a list of identifiers; 4 bytes each in a record
	many := make([]pg.XID, named)
	tests := []struct {
		name  string
		lists Packed
	}{
		{"transactions", Packed{Xacts: deflated(t, counted(6))}},
		{"identifiers", Packed{XIDs: deflated(t, counted(5))}},
		{"transactions, one too many", Packed{Xacts: deflated(t, EncodeXacts(make([]Xact, 1001)))}},
		{"identifiers, one too many", Packed{XIDs: deflated(t, EncodeXIDs(make([]XIDActivity, 1001)))}},
		{"assignments", Packed{Assignments: deflated(t, make([]byte, 50_000_000))}},
		{"assignments, one too many", Packed{Assignments: deflated(t, EncodeAssignments(make([]Assignment, 1001)))}},
		{"snapshots, one too many", Packed{Snapshots: deflated(t, EncodeSnapshots(make([]Snapshot, 1001)))}},
		{"subtransactions", Packed{Xacts: deflated(t, EncodeXacts([]Xact{{Rest: &XactRest{Subxacts: many}}}))}},
		{"running transactions", Packed{Snapshots: deflated(t, EncodeSnapshots([]Snapshot{{XIDs: many}}))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Segment{SegmentSize: 16 << 20, Records: 1000, Bytes: 200_000}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := tt.lists.Unpack(s)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrBadList) {
				t.Errorf("got %v and %d transactions, want an invalid list", err, len(s.Xacts))
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
				t.Errorf("took %d bytes to refuse", took)
			}
		})
	}
	if _, err := UnpackXIDs(tests[1].lists.XIDs, ListBounds{Rows: 1000}); !errors.Is(err, ErrBadList) {
		t.Errorf("alone: got %v, want an invalid list", err)
	}
}

func deflated(t *testing.T, plain []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain) // a buffer does not fail
	w.Close()
	return b.Bytes()
}

// TestFullSegments unpacks what the fullest segments say: nothing but records
// without a body, one commit with all the subtransactions that a record has room
// for, and snapshots whose identifiers differ as much as they can.
func TestFullSegments(t *testing.T) {
	const size = pg.MinSegmentSize
	wide := func(bytes int) []pg.XID {
		xids := make([]pg.XID, bytes/xidLen)
		for i := range xids {
			xids[i] = pg.XID(i%2) * math.MaxUint32
		}
		return xids
	}
	small := &Segment{SegmentSize: size, Records: int64(size) / 24, Bytes: int64(size) / 24 * 24}
	for i := range small.Records {
		at := pg.LSN(i%2) * math.MaxUint64 // no difference is shorter
		small.XIDs = append(small.XIDs, XIDActivity{XID: pg.XID(at), Top: pg.XID(^at), First: at, Records: int64(^at), Bytes: int64(at)})
		small.Xacts = append(small.Xacts, Xact{LSN: at, End: ^at, XID: pg.XID(at), DB: pg.OID(^at), Time: time.UnixMicro(int64(i%2) << 60).UTC()})
	}
	long := &Segment{SegmentSize: size, Records: 1, Bytes: 24 + 4<<20, // goes on in later segments
		Xacts: []Xact{{LSN: 8, End: 5 << 20, XID: 7, Time: time.UnixMicro(1).UTC(), Rest: &XactRest{Subxacts: wide(4 << 20)}}}}
	busy := &Segment{SegmentSize: size, Records: 26, Bytes: 26 * (24 + 20 + 40_000)}
	for range busy.Records {
		busy.Snapshots = append(busy.Snapshots, Snapshot{LSN: math.MaxUint64, Next: math.MaxUint32, XIDs: wide(20_000), Subxacts: wide(20_000)})
	}
	for _, s := range []*Segment{small, long, busy} {
		got := &Segment{SegmentSize: s.SegmentSize, Records: s.Records, Bytes: s.Bytes}
		if err := new(Packer).Pack(s).Unpack(got); err != nil {
			t.Errorf("%d records of %d bytes: %v", s.Records, s.Bytes, err)
		} else if !reflect.DeepEqual(Encode(got), Encode(s)) {
			t.Errorf("%d records of %d bytes unpack to something else", s.Records, s.Bytes)
		}
	}
}
