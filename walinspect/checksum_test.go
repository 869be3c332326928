package walinspect

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// Whatever the length and wherever in memory the record lies, the checksum is
// that of package crc32.
func TestRecordCRC(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	memory := make([]byte, 2*interleaved)
	for i := range memory {
		memory[i] = byte(r.Uint32())
	}
	for at := range 16 {
		for n := RecordHeaderLen; n < interleaved+64; n++ {
			raw := memory[at : at+n]
			want := crc32.Update(crc32.Checksum(raw[RecordHeaderLen:], castagnoli), castagnoli, raw[:20])
			if got := recordCRC(raw); got != want {
				t.Fatalf("%d bytes at %d: %08X, want %08X", n, at, got, want)
			}
		}
	}
}
