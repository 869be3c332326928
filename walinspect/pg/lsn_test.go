package pg

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestParseLSN(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want LSN
		bad  bool
	}{
		{name: "first segment of a new cluster", in: "0/1000000", want: 0x01000000},
		{name: "high half", in: "16/B374D848", want: 0x16B374D848},
		{name: "zero padded low half", in: "0/016B3748", want: 0x016B3748},
		{name: "lower case", in: "a/ff", want: 0x0A000000FF},
		{name: "largest", in: "FFFFFFFF/FFFFFFFF", want: MaxLSN},
		{name: "zero", in: "0/0", want: InvalidLSN},

		{name: "empty", in: "", bad: true},
		{name: "no slash", in: "16B374D848", bad: true},
		{name: "empty high half", in: "/B374D848", bad: true},
		{name: "empty low half", in: "16/", bad: true},
		{name: "two slashes", in: "16/B3/74", bad: true},
		{name: "nine digits", in: "0/1000000000", bad: true},
		{name: "trailing text", in: "0/16B3748, lag 0", bad: true},
		{name: "sign", in: "+1/2", bad: true},
		{name: "prefix", in: "0x1/2", bad: true},
		{name: "underscore", in: "1_0/2", bad: true},
		{name: "space", in: "0/ 2", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseLSN(tt.in)
			if tt.bad {
				if !errors.Is(err, ErrBadLSN) {
					t.Fatalf("ParseLSN(%q) = %s, %v; want ErrBadLSN", tt.in, got, err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("ParseLSN(%q) = %s, %v; want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestLSNPrints(t *testing.T) {
	for _, tt := range []struct {
		lsn            LSN
		until18, since string
	}{
		{0, "0/0", "0/00000000"},
		{0x01000028, "0/1000028", "0/01000028"},
		{0x16B374D848, "16/B374D848", "16/B374D848"},
		{MaxLSN, "FFFFFFFF/FFFFFFFF", "FFFFFFFF/FFFFFFFF"},
	} {
		if got := tt.lsn.Format(18); got != tt.until18 || got != tt.lsn.String() {
			t.Errorf("version 18 prints %s, want %s", got, tt.until18)
		}
		if got := tt.lsn.Format(19); got != tt.since {
			t.Errorf("version 19 prints %s, want %s", got, tt.since)
		}
		b, err := json.Marshal(tt.lsn)
		var back LSN
		if err != nil || json.Unmarshal(b, &back) != nil || back != tt.lsn {
			t.Errorf("JSON of %s is %s, %v, which reads as %s", tt.lsn, b, err, back)
		}
	}
}

func TestLSNAlign(t *testing.T) {
	for in, want := range map[LSN]LSN{0: 0, 1: 8, 7: 8, 8: 8, 0x1FFFF9: 0x200000} {
		if got := in.Align(); got != want {
			t.Errorf("%s.Align() = %s, want %s", in, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	s := Span{From: 100, To: 200}
	for l, want := range map[LSN]bool{99: false, 100: true, 199: true, 200: false} {
		if s.Contains(l) != want {
			t.Errorf("%s contains %d: want %t", s, uint64(l), want)
		}
	}
	for _, tt := range []struct {
		name string
		o    Span
		want Span
		len  uint64
	}{
		{"inside", Span{120, 130}, Span{120, 130}, 10},
		{"over the end", Span{150, 300}, Span{150, 200}, 50},
		{"without end", Span{150, MaxLSN}, Span{150, 200}, 50},
		{"next to it", Span{200, 300}, Span{200, 200}, 0},
		{"apart", Span{300, 400}, Span{300, 200}, 0},
	} {
		got := s.Intersect(tt.o)
		if got != tt.want || got != tt.o.Intersect(s) || got.Len() != tt.len || got.Empty() != (tt.len == 0) {
			t.Errorf("%s: %s, %d bytes; want %s, %d", tt.name, got, got.Len(), tt.want, tt.len)
		}
	}
}

func FuzzParseLSN(f *testing.F) {
	for _, seed := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "0/16B3748x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lsn, err := ParseLSN(s)
		if err != nil {
			return
		}
		for _, printed := range []string{lsn.String(), lsn.Padded()} {
			if again, err := ParseLSN(printed); err != nil || again != lsn {
				t.Fatalf("%q parsed to %s, which parses to %s, %v", s, lsn, again, err)
			}
		}
	})
}
