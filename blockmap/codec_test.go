package blockmap

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"forkpoint/walinspect/pg"
)

var (
	lsnGen  = rapid.Map(rapid.Uint64(), func(v uint64) pg.LSN { return pg.LSN(v) })
	xidGen  = rapid.Map(rapid.Uint32(), func(v uint32) pg.XID { return pg.XID(v) })
	timeGen = rapid.Map(rapid.Int64Range(-1<<53, 1<<53), func(v int64) time.Time { return time.UnixMicro(v).UTC() })
	xidsGen = rapid.SliceOfN(xidGen, 0, 5)
)

// longest is the bounds of the longest segment.
var longest = new(Segment).ListBounds()

func roundTrip[T any](t *rapid.T, list []T, encode func([]T) []byte, decode func([]byte, ListBounds) ([]T, error)) {
	got, err := decode(encode(list), longest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(list, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("decoded (-want +got):\n%s", diff)
	}
}

func TestListsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		aligned := rapid.Bool().Draw(t, "aligned")
		lsn := rapid.Custom(func(t *rapid.T) pg.LSN {
			if l := lsnGen.Draw(t, "lsn"); aligned {
				return l &^ 7
			} else {
				return l
			}
		})
		roundTrip(t, rapid.SliceOf(rapid.Custom(func(t *rapid.T) Xact {
			x := Xact{
				Kind: XactKind(rapid.IntRange(0, 4).Draw(t, "kind")), LSN: lsn.Draw(t, "lsn"), End: lsn.Draw(t, "end"),
				XID: xidGen.Draw(t, "xid"), DB: pg.OID(rapid.Uint32().Draw(t, "db")), Time: timeGen.Draw(t, "time"),
			}
			if rapid.Bool().Draw(t, "more") {
				rest := XactRest{
					Subxacts: xidsGen.Draw(t, "subxacts"), Dropped: rapid.IntRange(0, 1000).Draw(t, "dropped"),
					GID: rapid.StringN(0, 20, -1).Draw(t, "gid"), Origin: rapid.Uint16().Draw(t, "origin"), OriginLSN: lsnGen.Draw(t, "origin LSN"),
				}
				x.Rest = rest.OrNil()
			}
			return x
		})).Draw(t, "xacts"), EncodeXacts, DecodeXacts)
		roundTrip(t, rapid.SliceOf(rapid.Custom(func(t *rapid.T) XIDActivity {
			return XIDActivity{
				XID: xidGen.Draw(t, "xid"), Top: xidGen.Draw(t, "top"), First: lsn.Draw(t, "first"),
				Records: rapid.Int64Min(0).Draw(t, "records"), Bytes: rapid.Int64Min(0).Draw(t, "bytes"),
			}
		})).Draw(t, "xids"), EncodeXIDs, DecodeXIDs)
		roundTrip(t, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Snapshot {
			return Snapshot{
				LSN: lsnGen.Draw(t, "lsn"), Next: xidGen.Draw(t, "next"), OldestRunning: xidGen.Draw(t, "oldest"),
				LatestCompleted: xidGen.Draw(t, "latest"), XIDs: xidsGen.Draw(t, "xids"),
				Subxacts: xidsGen.Draw(t, "subxacts"), Overflow: rapid.Bool().Draw(t, "overflow"),
			}
		}), 0, 4).Draw(t, "snapshots"), EncodeSnapshots, DecodeSnapshots)
		roundTrip(t, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Assignment {
			return Assignment{LSN: lsnGen.Draw(t, "lsn"), Top: xidGen.Draw(t, "top"), Subs: xidsGen.Draw(t, "subs")}
		}), 0, 4).Draw(t, "assignments"), EncodeAssignments, DecodeAssignments)
	})
}

func FuzzDecodeLists(f *testing.F) {
	f.Add(EncodeXacts([]Xact{{LSN: 8, End: 16, XID: 700, Time: time.UnixMicro(1)}, {Kind: Prepare, LSN: 32, End: 48, XID: 701, Rest: &XactRest{GID: "g", Subxacts: []pg.XID{702}}}}))
	f.Add(EncodeXIDs([]XIDActivity{{XID: 3, First: 8, Records: 1, Bytes: 50}, {XID: 4, Top: 3, First: 16}}))
	f.Add(EncodeSnapshots([]Snapshot{{LSN: 5, XIDs: []pg.XID{1, 2}}}))
	f.Add(EncodeAssignments([]Assignment{{LSN: 5, Top: 3, Subs: []pg.XID{4, 5}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		xacts, err := DecodeXacts(b, longest)
		checkAgain(t, xacts, err, EncodeXacts, DecodeXacts)
		xids, err := DecodeXIDs(b, longest)
		checkAgain(t, xids, err, EncodeXIDs, DecodeXIDs)
		snapshots, err := DecodeSnapshots(b, longest)
		checkAgain(t, snapshots, err, EncodeSnapshots, DecodeSnapshots)
		assignments, err := DecodeAssignments(b, longest)
		checkAgain(t, assignments, err, EncodeAssignments, DecodeAssignments)
	})
}

func checkAgain[T any](t *testing.T, list []T, err error, encode func([]T) []byte, decode func([]byte, ListBounds) ([]T, error)) {
	if err != nil {
		return
	}
	again, err := decode(encode(list), longest)
	if diff := gocmp.Diff(list, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("%v, %s", err, diff)
	}
}
