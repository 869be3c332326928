package walinspect

import "golang.org/x/sys/cpu"

// hasCRC32 tells whether the processor has the CRC32 instruction.
var hasCRC32 = cpu.X86.HasSSE42

// shortRecordCRC is [recordCRC] by that instruction, without the alignment and
// the calls that cost more than the sum where a record is short, as most are.
// raw holds at least a record's header.
//
//go:noescape
func shortRecordCRC(raw []byte) uint32
