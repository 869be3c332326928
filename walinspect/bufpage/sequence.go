package bufpage

import "encoding/binary"

// sequenceData is the row of a sequence (FormData_pg_sequence_data in
// src/include/commands/sequence.h).
type sequenceData struct {
	last   int64
	ahead  int64 // log_cnt: how many values after last the log has given out
	called bool  // last has been handed out itself
}

// sequenceOf reads the row, which is the only one; false where it is none.
func sequenceOf(page []byte) (d sequenceData, found bool) {
	h := DecodeHeader(page)
	for item := range Items(page) {
		tuple := item.bytes(page, h.Lower)
		const hoff = 22 // t_hoff of HeapTupleHeaderData
		if len(tuple) <= hoff || len(tuple) < int(tuple[hoff])+17 {
			return d, false
		}
		data := tuple[tuple[hoff]:]
		return sequenceData{int64(binary.LittleEndian.Uint64(data)), int64(binary.LittleEndian.Uint64(data[8:])), data[16] != 0}, true
	}
	return d, false
}

// SameSequence tells whether two copies of a sequence's page differ by no more
// than nextval does between two records (nextval_internal in
// src/backend/commands/sequence.c). The record has a value that is some calls
// ahead, and the page counts down to it: last_value and log_cnt times the
// increment come to the same in all copies that the record has left.
func SameSequence(a, b []byte) bool {
	if DecodeHeader(a).LSN != DecodeHeader(b).LSN {
		return false
	}
	x, knownA := sequenceOf(a)
	y, knownB := sequenceOf(b)
	if !knownA || !knownB {
		return false
	}
	calls := x.ahead - y.ahead // by which y is further on
	if calls == 0 {
		return x == y
	}
	step := y.last - x.last
	return x.called && y.called && step != 0 && step%calls == 0
}
