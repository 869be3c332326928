package pg

import "testing"

const mb = 1 << 20

func TestSegmentNames(t *testing.T) {
	for _, tt := range []struct {
		size SegmentSize
		tli  TimelineID
		lsn  LSN
		n    uint64
		name string
	}{
		{16 * mb, 1, 0x1000028, 1, "000000010000000000000001"},
		{16 * mb, 1, 0xFFFFFFFF, 255, "0000000100000000000000FF"},
		{16 * mb, 1, 0x100000000, 256, "000000010000000100000000"},
		{1 * mb, 3, 0x100000000 - 1, 4095, "000000030000000000000FFF"},
		{1 * mb, 3, 0x100000000, 4096, "000000030000000100000000"},
		{64 * mb, 0x1A, 0xFC000000, 63, "0000001A000000000000003F"},
		{1024 * mb, 1, 0xC0000000, 3, "000000010000000000000003"},
		{1024 * mb, 1, 0x16B374D848, 90, "000000010000001600000002"},
		{16 * mb, 1<<32 - 1, MaxLSN, 1<<40 - 1, "FFFFFFFFFFFFFFFF000000FF"},
	} {
		n := tt.size.Number(tt.lsn)
		if got := tt.size.Name(tt.tli, n); n != tt.n || got != tt.name {
			t.Errorf("%d byte segments: %s is in segment %d, %s; want %d, %s", tt.size, tt.lsn, n, got, tt.n, tt.name)
		}
		if got, err := ParseSegmentName(tt.name, tt.size); err != nil || got != (SegmentName{tt.tli, tt.n}) {
			t.Errorf("ParseSegmentName(%s) = %v, %v", tt.name, got, err)
		}
		if at := tt.size.Start(n) + LSN(tt.size.Offset(tt.lsn)); at != tt.lsn || n < 1<<40-1 && !tt.size.Span(n).Contains(tt.lsn) {
			t.Errorf("%d byte segments: start and offset of %s give %s", tt.size, tt.lsn, at)
		}
	}
}

func TestBadSegmentNames(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		size     SegmentSize
	}{
		{"short", "00000001000000000000001", 16 * mb},
		{"long", "0000000100000000000000001", 16 * mb},
		{"lower case", "00000001000000000000000a", 16 * mb},
		{"suffix", "000000010000000000000001.gz", 16 * mb},
		{"timeline zero", "000000000000000000000001", 16 * mb},
		{"last part too large", "000000010000000000000100", 16 * mb},
		{"last part too large for 1 GB", "000000010000000000000004", 1024 * mb},
		{"no size", "000000010000000000000001", 0},
		{"no power of two", "000000010000000000000001", 3 * mb},
		{"size too small", "000000010000000000000001", mb / 2},
		{"size too large", "000000010000000000000001", 2048 * mb},
	} {
		if got, err := ParseSegmentName(tt.in, tt.size); err == nil {
			t.Errorf("%s: ParseSegmentName(%q) = %v", tt.name, tt.in, got)
		}
	}
}

func TestHistoryNames(t *testing.T) {
	for in, want := range map[string]TimelineID{"00000002.history": 2, "0000001A.history": 26, "FFFFFFFF.history": 1<<32 - 1} {
		got, ok := ParseHistoryName(in)
		if !ok || got != want || got.HistoryName() != in {
			t.Errorf("ParseHistoryName(%q) = %s, %t", in, got, ok)
		}
	}
	for _, in := range []string{"", "00000000.history", "2.history", "0000001a.history", "00000002.history.gz", "00000002historyx", "000000002.history"} {
		if got, ok := ParseHistoryName(in); ok {
			t.Errorf("ParseHistoryName(%q) = %s", in, got)
		}
	}
}

func TestParseTimeline(t *testing.T) {
	for in, want := range map[string]TimelineID{"1": 1, "26": 26, "0x1A": 26, "0x0000000a": 10, "010": 10, "4294967295": 1<<32 - 1} {
		if got, err := ParseTimeline(in); err != nil || got != want {
			t.Errorf("ParseTimeline(%q) = %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "-1", "4294967296", "latest", "1 ", "0x", "1_0", "0b1", "+1"} {
		if got, err := ParseTimeline(in); err == nil {
			t.Errorf("ParseTimeline(%q) = %s", in, got)
		}
	}
}

func FuzzSegmentName(f *testing.F) {
	f.Add("000000010000000000000001", uint8(4))
	f.Add("0000000100000000000000FF", uint8(10))
	f.Fuzz(func(t *testing.T, s string, shift uint8) {
		size := MinSegmentSize << (shift % 11)
		name, err := ParseSegmentName(s, size)
		if err != nil {
			return
		}
		if got := name.Format(size); got != s {
			t.Fatalf("%q parsed to %v, which prints as %q", s, name, got)
		}
		if got := size.Number(size.Start(name.Number)); got != name.Number {
			t.Fatalf("segment %d starts in segment %d", name.Number, got)
		}
	})
}
