package rmgr

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// TestDecoders checks each of the small decoders once, and that it refuses
// another record and a payload of one byte less.
func TestDecoders(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 30, 0, 250000, time.UTC)
	when := uint64(at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Microsecond)
	at = at.Truncate(time.Microsecond)
	name := body{}.u64(when).bytes([]byte("before the upgrade")).align(64).align(72)
	tests := []struct {
		name   string
		major  int
		rmgr   pg.RmgrID
		info   uint8
		main   body
		decode func(*walinspect.Record) (any, error)
		want   any
	}{
		{"parameters", 15, pg.RmgrXLOG, XLOGParameterChange, body{}.u32(100).u32(8).u32(10).u32(2).u32(64).u32(2).u8(1).u8(1), anyOf(DecodeParameterChange),
			ParameterChange{100, 8, 10, 2, 64, pgcontrol.WALLevelLogical, true, true}},
		{"end of recovery", 16, pg.RmgrXLOG, XLOGEndOfRecovery, body{}.u64(when).u32(4).u32(3), anyOf(DecodeEndOfRecovery),
			EndOfRecovery{Time: at, Timeline: 4, PrevTimeline: 3}},
		{"end of recovery, 17", 17, pg.RmgrXLOG, XLOGEndOfRecovery, body{}.u64(when).u32(4).u32(3).u32(1), anyOf(DecodeEndOfRecovery),
			EndOfRecovery{Time: at, Timeline: 4, PrevTimeline: 3, WALLevel: pgcontrol.WALLevelReplica}},
		{"full page writes", 15, pg.RmgrXLOG, XLOGFPWChange, body{}.u8(1), anyOf(DecodeFPWChange), true},
		{"restore point", 15, pg.RmgrXLOG, XLOGRestorePoint, name, anyOf(DecodeRestorePoint), RestorePoint{"before the upgrade", at}},
		{"overwritten", 15, pg.RmgrXLOG, XLOGOverwriteContrecord, body{}.u64(77).u64(when), anyOf(DecodeOverwrite), Overwrite{LSN: 77, Time: at}},
		{"end of backup", 15, pg.RmgrXLOG, XLOGBackupEnd, body{}.u64(0x2000028), anyOf(DecodeBackupEnd), pg.LSN(0x2000028)},
		{"running", 15, pg.RmgrStandby, StandbyRunningXacts, body{}.u32(2).u32(1).u8(0).align(4).u32(9).u32(6).u32(8).u32(6).u32(7).u32(5), anyOf(DecodeRunningXacts),
			RunningXacts{[]pg.XID{6, 7}, []pg.XID{5}, false, 9, 6, 8}},
	}
	fields := cmpopts.IgnoreUnexported(EndOfRecovery{}, Overwrite{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode(record(t, tt.major, tt.rmgr, tt.info, tt.main))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, fields); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := tt.decode(record(t, tt.major, tt.rmgr, tt.info, tt.main[:len(tt.main)-1])); !errors.Is(err, ErrPayload) {
				t.Errorf("one byte less: want ErrPayload, got %v", err)
			}
			if _, err := tt.decode(record(t, tt.major, pg.RmgrHeap, tt.info, tt.main)); !errors.Is(err, ErrPayload) {
				t.Errorf("another resource manager: want ErrPayload, got %v", err)
			}
			if _, err := tt.decode(record(t, tt.major, tt.rmgr, 0x20, tt.main)); !errors.Is(err, ErrPayload) {
				t.Errorf("another operation: want ErrPayload, got %v", err)
			}
		})
	}
}

// TestDecodeCheckpoint leaves the fields to package pgcontrol.
func TestDecodeCheckpoint(t *testing.T) {
	t.Parallel()
	want := pgcontrol.Checkpoint{Redo: 0x2000028, Timeline: 2, PrevTimeline: 1, NextXID: 1<<32 + 7, Time: time.Unix(1e9, 0).UTC()}
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		main, err := pgcontrol.EncodeCheckpoint(major, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeCheckpoint(record(t, major, pg.RmgrXLOG, XLOGCheckpointOnline, main))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("version %d (-want +got):\n%s", major, diff)
		}
		if _, err := DecodeCheckpoint(record(t, major, pg.RmgrXLOG, XLOGCheckpointOnline, main[:80])); err == nil {
			t.Errorf("version %d: 80 bytes are a checkpoint", major)
		}
		if _, err := DecodeCheckpoint(record(t, major, pg.RmgrXLOG, XLOGSwitch, main)); !errors.Is(err, ErrPayload) {
			t.Errorf("version %d: another record: %v", major, err)
		}
	}
}

// anyOf lets decoders of different payloads stand in one table.
func anyOf[T any](decode func(*walinspect.Record) (T, error)) func(*walinspect.Record) (any, error) {
	return func(rec *walinspect.Record) (any, error) { return decode(rec) }
}

func TestPayloadError(t *testing.T) {
	t.Parallel()
	_, err := DecodeRunningXacts(record(t, 15, pg.RmgrStandby, StandbyRunningXacts, body{}.u32(9)))
	const want = "record at 0/1234560 on timeline 3: malformed record payload of Standby RUNNING_XACTS: want all the fields that it announces, got 4 bytes"
	if err == nil || err.Error() != want {
		t.Errorf("want %q, got %v", want, err)
	}
}
