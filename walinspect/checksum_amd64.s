#include "textflag.h"

// func shortRecordCRC(raw []byte) uint32
TEXT ·shortRecordCRC(SB), NOSPLIT, $0-28
	MOVQ raw_base+0(FP), SI
	MOVQ raw_len+8(FP), CX
	SUBQ $24, CX             // length of the body
	LEAQ 24(SI), DI
	MOVL $0xFFFFFFFF, AX
	MOVQ CX, DX
	SHRQ $3, DX
	JZ   four

eight:
	CRC32Q (DI), AX
	ADDQ   $8, DI
	DECQ   DX
	JNZ    eight

four:
	TESTQ  $4, CX
	JZ     two
	CRC32L (DI), AX
	ADDQ   $4, DI

two:
	TESTQ  $2, CX
	JZ     one
	CRC32W (DI), AX
	ADDQ   $2, DI

one:
	TESTQ  $1, CX
	JZ     header
	CRC32B (DI), AX

header:
	CRC32Q (SI), AX          // up to the checksum, 20 bytes
	CRC32Q 8(SI), AX
	CRC32L 16(SI), AX
	NOTL   AX
	MOVL   AX, ret+24(FP)
	RET
