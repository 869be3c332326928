package bufpage

import (
	"encoding/binary"
	"testing"
)

// sequencePage has a row as nextval leaves it.
func sequencePage(lsn uint32, d sequenceData) []byte {
	p := indexPage(opaque(8, [2]uint16{0, sequenceMagic}))
	binary.LittleEndian.PutUint32(p[4:], lsn)
	binary.LittleEndian.PutUint16(p[12:], HeaderSize+4)
	binary.LittleEndian.PutUint16(p[14:], 8136)
	binary.LittleEndian.PutUint32(p[HeaderSize:], 8136|1<<15|41<<17)
	tuple := p[8136:]
	tuple[22] = 24
	binary.LittleEndian.PutUint64(tuple[24:], uint64(d.last))
	binary.LittleEndian.PutUint64(tuple[32:], uint64(d.ahead))
	if d.called {
		tuple[40] = 1
	}
	return p
}

func TestSameSequence(t *testing.T) {
	tests := []struct {
		name  string
		a, b  sequenceData
		moved uint32 // by how much b's LSN is higher
		want  bool
	}{
		{"first value, and its replay", sequenceData{1, 32, true}, sequenceData{33, 0, true}, 0, true},
		{"on the way", sequenceData{5, 28, true}, sequenceData{12, 21, true}, 0, true},
		{"down by threes", sequenceData{100, 10, true}, sequenceData{70, 0, true}, 0, true},
		{"equal", sequenceData{7, 0, false}, sequenceData{7, 0, false}, 0, true},
		{"another value with the same count", sequenceData{5, 28, true}, sequenceData{6, 28, true}, 0, false},
		{"another count with the same value", sequenceData{5, 28, true}, sequenceData{5, 27, true}, 0, false},
		{"no whole increment", sequenceData{5, 28, true}, sequenceData{10, 26, true}, 0, false},
		{"not called on one side", sequenceData{1, 0, false}, sequenceData{1, 0, true}, 0, false},
		{"not called and further on", sequenceData{1, 32, false}, sequenceData{33, 0, true}, 0, false},
		{"of two records", sequenceData{1, 32, true}, sequenceData{33, 0, true}, 8, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := sequencePage(64, tt.a), sequencePage(64+tt.moved, tt.b)
			if KindOf(a) != Sequence {
				t.Fatalf("kind %d", KindOf(a))
			}
			if SameSequence(a, b) != tt.want || SameSequence(b, a) != tt.want {
				t.Errorf("%t and the other way round %t, want %t", SameSequence(a, b), SameSequence(b, a), tt.want)
			}
		})
	}
	whole := sequencePage(64, sequenceData{1, 32, true})
	for _, cut := range []int{0, HeaderSize, 8150, 8170} {
		if SameSequence(whole[:cut], whole) {
			t.Errorf("a page of %d bytes is taken for a sequence", cut)
		}
	}
}
