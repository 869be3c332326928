package codec

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// packPGLZ compresses with the plainest search there is: the longest match
// among all distances. The server's own output is covered by the tests of
// package walinspect over real WAL.
func packPGLZ(src []byte) []byte {
	var out []byte
	var control, bit int
	for in := 0; in < len(src); bit++ {
		if bit%8 == 0 {
			control = len(out)
			out = append(out, 0)
		}
		distance, length := longestMatch(src, in)
		if length < 3 {
			out = append(out, src[in])
			in++
			continue
		}
		out[control] |= 1 << (bit % 8)
		in += length
		high := byte(distance >> 8 << 4)
		if length < 18 {
			out = append(out, high|byte(length-3), byte(distance))
		} else {
			out = append(out, high|15, byte(distance), byte(length-18))
		}
	}
	return out
}

func longestMatch(src []byte, at int) (distance, length int) {
	for d := 1; d <= min(at, 4095); d++ {
		n := 0
		for n < 273 && at+n < len(src) && src[at+n-d] == src[at+n] {
			n++
		}
		if n > length {
			distance, length = d, n
		}
	}
	return distance, length
}

func TestPGLZ(t *testing.T) {
	tests := []struct {
		name string
		src  []byte
		want string
		bad  bool
	}{
		{name: "nothing", src: nil, want: ""},
		{name: "literals", src: []byte("\x00abc"), want: "abc"},
		{name: "match with a gap", src: []byte("\x08abc\x00\x03"), want: "abcabc"},
		{name: "match over itself", src: []byte("\x02a\x04\x01"), want: "aaaaaaaa"},
		{name: "long match", src: []byte("\x02a\x0F\x01\x02"), want: "aaaaaaaaaaaaaaaaaaaaa"},
		{name: "second control byte", src: []byte("\x00abcdefgh\x01\x00\x08"), want: "abcdefghabc"},

		{name: "empty input for a page", src: nil, want: "x", bad: true},
		{name: "too little comes out", src: []byte("\x00ab"), want: "abc", bad: true},
		{name: "too much comes out", src: []byte("\x00abc"), want: "ab", bad: true},
		{name: "match runs over the end", src: []byte("\x02a\x04\x01"), want: "aaaa", bad: true},
		{name: "match cut off", src: []byte("\x02a\x04"), want: "aaaaaaaa", bad: true},
		{name: "long match cut off", src: []byte("\x02a\x0F\x01"), want: "aaaaaaaaaaaaaaaaaaa", bad: true},
		{name: "distance of zero", src: []byte("\x02a\x00\x00"), want: "aaaa", bad: true},
		{name: "distance before the start", src: []byte("\x02a\x00\x02"), want: "aaaa", bad: true},
		{name: "control byte left over", src: []byte("\x00a\x00"), want: "a", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make([]byte, len(tt.want))
			err := PGLZ(got, tt.src)
			if tt.bad {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("PGLZ gave %q, %v; want ErrCorrupt", got, err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Fatalf("PGLZ gave %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestPGLZRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.SliceOfN(rapid.ByteRange('a', 'c'), 0, 1500).Draw(t, "few letters")
		all := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "all bytes")
		want := bytes.Repeat(append(few, all...), rapid.IntRange(1, 3).Draw(t, "times"))
		got := make([]byte, len(want))
		if err := PGLZ(got, packPGLZ(want)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("round trip of %d bytes: %v", len(want), err)
		}
	})
}

func FuzzPGLZ(f *testing.F) {
	f.Add([]byte("\x02a\x0F\x01\x02"), 21)
	f.Add(packPGLZ(bytes.Repeat([]byte("page of a table "), 512)), 8192)
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		dst := make([]byte, min(max(n, 0), 1<<16))
		if PGLZ(dst, src) != nil {
			return
		}
		again := make([]byte, len(dst))
		if err := PGLZ(again, packPGLZ(dst)); err != nil || !bytes.Equal(again, dst) {
			t.Fatalf("%d bytes came out and do not come out again: %v", len(dst), err)
		}
	})
}

func BenchmarkPGLZ(b *testing.B) {
	want := bytes.Repeat([]byte("0123456789 some page, some row, some row "), 200)[:8192]
	src, dst := packPGLZ(want), make([]byte, len(want))
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		if err := PGLZ(dst, src); err != nil {
			b.Fatal(err)
		}
	}
}
