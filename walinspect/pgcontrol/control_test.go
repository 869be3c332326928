package pgcontrol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

// real reads the control file of a cluster that initdb of that version made,
// with segments of 1 MB and checksums. Of version 19 there is none: there it is
// a file of our own making.
func real(t testing.TB, major int) []byte {
	t.Helper()
	if major == 19 {
		return made19(t)
	}
	b, err := os.ReadFile(fmt.Sprintf("testdata/%d.pg_control", major))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func made19(t testing.TB) []byte {
	t.Helper()
	c, err := Decode(real(t, 18))
	if err != nil {
		t.Fatal(err)
	}
	c.Major, c.Version, c.CatalogVersion = 19, 1905, 202610061
	c.CheckpointCopy.LogicalDecoding, c.CheckpointCopy.NextMultiOffset = true, 1<<40
	c.SLRUPagesPerSegment, c.InitialChecksums = 32, 1
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func eachMajor(t *testing.T, test func(t *testing.T, major int, raw []byte)) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		t.Run(fmt.Sprint(major), func(t *testing.T) { test(t, major, real(t, major)) })
	}
}

func TestDecode(t *testing.T) {
	eachMajor(t, func(t *testing.T, major int, raw []byte) {
		c, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		type facts struct {
			Major                                int
			State                                State
			Timeline, Prev                       pg.TimelineID
			FPW, Float8                          bool
			Level                                WALLevel
			Block, RelSeg, WALBlock, Sums        uint32
			Segment                              pg.SegmentSize
			NameLen, Keys, Toast, LargeObject    uint32
			Connections, Workers, Senders, Locks int32
			UnloggedLSN                          pg.LSN
		}
		k := c.CheckpointCopy
		got := facts{c.Major, c.State, k.Timeline, k.PrevTimeline, k.FullPageWrites, c.Float8ByVal, c.WALLevel,
			c.BlockSize, c.RelSegSize, c.WALBlockSize, c.DataChecksums, c.SegmentSize,
			c.NameDataLen, c.IndexMaxKeys, c.ToastMaxChunk, c.LargeObjectBlock,
			c.MaxConnections, c.MaxWorkerProcesses, c.MaxWALSenders, c.MaxLocksPerXact, c.UnloggedLSN}
		want := facts{major, ShutDown, 1, 1, true, true, WALLevelReplica, 8192, 131072, 8192, 1, 1 << 20,
			64, 32, 1996, 2048, 100, 8, 10, 64, 0x3E8}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if c.Checkpoint != k.Redo {
			t.Errorf("shutdown checkpoint at %s has redo %s", c.Checkpoint, k.Redo)
		}
		if d := c.Time.Sub(k.Time); d < 0 || d > time.Hour || c.Time.Year() != 2026 {
			t.Errorf("checkpoint at %s, control file of %s", k.Time, c.Time)
		}
		if major >= 18 && !c.SignedChar {
			t.Error("characters are not signed")
		}
		if c.AuthNonce == [32]byte{} {
			t.Error("no nonce")
		}
	})
}

func TestEncodeReverses(t *testing.T) {
	eachMajor(t, func(t *testing.T, _ int, raw []byte) {
		c, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(raw, b); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	u32 := binary.LittleEndian.PutUint32
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		flaw   Flaw
		is     error
	}{
		{"empty file", func(b []byte) []byte { return nil }, FlawEmpty, nil},
		{"one byte short", func(b []byte) []byte { return b[:Size-1] }, FlawSize, nil},
		{"one byte long", func(b []byte) []byte { return append(b, 0) }, FlawSize, nil},
		{"all zero", func(b []byte) []byte { return make([]byte, Size) }, FlawVersion, ErrUnsupported},
		{"byte order", func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], 1300); return b }, FlawByteOrder, ErrUnsupported},
		{"version 12", func(b []byte) []byte { u32(b[8:], 1201); u32(b[12:], 201909212); return b }, FlawVersion, ErrUnsupported},
		{"pre-release of 19", func(b []byte) []byte { u32(b[8:], 1903); return b }, FlawVersion, ErrUnsupported},
		{"catalog of a pre-release", func(b []byte) []byte { u32(b[8:], 1800); u32(b[12:], 202504091); return b }, FlawCatalogVersion, ErrUnsupported},
		{"catalog of another release", func(b []byte) []byte { u32(b[8:], 1700); u32(b[12:], 202506291); return b }, FlawCatalogVersion, ErrUnsupported},
		{"bit flipped", func(b []byte) []byte { b[200] ^= 1; return b }, FlawChecksum, ErrTorn},
		{"first half of another state", func(b []byte) []byte { copy(b[:128], make([]byte, 8)); return b }, FlawChecksum, ErrTorn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachMajor(t, func(t *testing.T, _ int, raw []byte) {
				c, err := Decode(tt.damage(raw))
				var e *Error
				if !errors.As(err, &e) || e.Flaw != tt.flaw || c != nil {
					t.Fatalf("Decode = %v, %v; want flaw %s", c, err, tt.flaw)
				}
				for _, kind := range []error{ErrTorn, ErrUnsupported} {
					if errors.Is(err, kind) != (kind == tt.is) {
						t.Errorf("errors.Is(%q, %q) = %t", err, kind, kind != tt.is)
					}
				}
			})
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *Control)
		flaw   Flaw
	}{
		{"alignment", func(c *Control) { c.MaxAlign = 4 }, FlawMachine},
		{"block size", func(c *Control) { c.BlockSize = 0 }, FlawGeometry},
		{"block size no power of two", func(c *Control) { c.BlockSize = 8193 }, FlawGeometry},
		{"WAL block size", func(c *Control) { c.WALBlockSize = 512 }, FlawGeometry},
		{"segment size", func(c *Control) { c.SegmentSize = 0 }, FlawGeometry},
		{"relation segment size", func(c *Control) { c.RelSegSize = 0 }, FlawGeometry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Decode(real(t, 17))
			if err != nil {
				t.Fatal(err)
			}
			tt.change(c)
			var e *Error
			if _, err := c.Encode(); !errors.As(err, &e) || e.Flaw != tt.flaw {
				t.Errorf("Encode: %v; want flaw %s", err, tt.flaw)
			}
			raw := make([]byte, Size)
			float := uint64(0x4132D68700000000)
			c.transfer(&control17, transfer{raw, true}, &float)
			seal(raw, &control17)
			if _, err := Decode(raw); !errors.As(err, &e) || e.Flaw != tt.flaw {
				t.Errorf("Decode: %v; want flaw %s", err, tt.flaw)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	eachMajor(t, func(t *testing.T, major int, raw []byte) {
		l := layoutOf(major)
		for i := l.crc + 4; i < Size; i++ {
			raw[i] = byte(i) // bytes that no field covers must stay
		}
		before, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Patch(raw, Edits{State: InArchiveRecovery, MinRecoveryPoint: 0x1_23456789, MinRecoveryTimeline: 7})
		if err != nil {
			t.Fatal(err)
		}
		after, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		want := *before
		want.State, want.MinRecoveryPoint, want.MinRecoveryTimeline = InArchiveRecovery, 0x1_23456789, 7
		if diff := cmp.Diff(&want, after); diff != "" {
			t.Error(diff)
		}
		may := map[int]bool{}
		for _, field := range [][2]int{{16, 4}, {l.unloggedLSN + 8, 12}, {l.crc, 4}} {
			for i := range field[1] {
				may[field[0]+i] = true
			}
		}
		for i := range raw {
			if raw[i] != b[i] && !may[i] {
				t.Errorf("byte %d changed", i)
			}
		}
		now := time.Date(2027, 1, 2, 3, 4, 5, 678, time.UTC)
		if b, err = Patch(raw, Edits{Time: now}); err != nil {
			t.Fatal(err)
		}
		if c, err := Decode(b); err != nil || !c.Time.Equal(now.Truncate(time.Second)) || c.State != StartingUp {
			t.Errorf("time %v, %v; want %v", c, err, now)
		}
	})
}

func TestCurrentTimeline(t *testing.T) {
	tests := []struct {
		name                 string
		checkpoint, recovery pg.TimelineID
		want                 pg.TimelineID
	}{
		{"primary", 3, 0, 3},
		{"standby", 3, 3, 3},
		{"promoted, no checkpoint yet", 3, 4, 4},
	}
	for _, tt := range tests {
		c := Control{MinRecoveryTimeline: tt.recovery, CheckpointCopy: Checkpoint{Timeline: tt.checkpoint}}
		if got := c.CurrentTimeline(); got != tt.want {
			t.Errorf("%s: timeline %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestDecodeCheckpoint(t *testing.T) {
	eachMajor(t, func(t *testing.T, major int, raw []byte) {
		c, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		size := layoutOf(major).checkpoint.size
		k, err := DecodeCheckpoint(major, raw[40:40+size])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.CheckpointCopy, k); diff != "" {
			t.Error(diff)
		}
		b, err := EncodeCheckpoint(major, k)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(raw[40:40+size], b); diff != "" {
			t.Error(diff)
		}
		for _, n := range []int{0, size - 1, size + 1} {
			if _, err := DecodeCheckpoint(major, make([]byte, n)); err == nil {
				t.Errorf("%d bytes were taken", n)
			}
		}
	})
	if _, err := DecodeCheckpoint(12, make([]byte, 88)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("version 12: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
		f.Add(real(f, major)[:320], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, keepCRC bool) {
		raw := make([]byte, Size)
		copy(raw, b)
		if _, l, err := chooseLayout(binary.LittleEndian.Uint32(raw[8:]), binary.LittleEndian.Uint32(raw[12:])); err == nil && !keepCRC {
			seal(raw, l)
		}
		c, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, d); diff != "" {
			t.Error(diff)
		}
		c.Text(time.UTC)
	})
}
