// Package walsummary reads the WAL summary files that servers of version 17
// and later write with summarize_wal on: for a range of the log on one
// timeline, which blocks of which relation forks its records changed
// (src/common/blkreftable.c).
//
//	file:   magic (4)  entry ...  24 zero bytes  CRC-32C of all before (4)
//	entry:  tablespace (4)  database (4)  relation (4)  fork (4)
//	        limit block (4)  number of chunks (4)
//	        sizes of the chunks, 2 bytes each
//	        the chunks that are not empty, size words of 2 bytes each
//
// All numbers are little-endian. Chunk k is about the 65536 blocks from
// 65536*k on. Up to 4095 words it lists offsets among them, in no order; of
// 4096 words it is a bitmap of them, lowest bit first.
//
// A limit block says that the fork was that short at some time in the range,
// or made anew: every block from it on counts as changed, listed or not.
// Free space maps are never part of a summary, nor is anything but relations.
package walsummary
