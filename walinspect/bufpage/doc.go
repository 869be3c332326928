// Package bufpage reads the pages of relation files: their header, their
// checksum, and heap tuples as far as finding names in catalogs needs it.
//
//	page header, PageHeaderData in src/include/storage/bufpage.h
//	 0                8          10      12      14      16
//	+----------------+----------+-------+-------+-------+---------+
//	| LSN, high low  | checksum | flags | lower | upper | special |
//	+----------------+----------+-------+-------+-------+---------+
//	 18               20          24
//	+----------------+-----------+---------------------+
//	| size | version | prune xid | line pointers, 4 each up to lower
//	+----------------+-----------+---------------------+
//
// Tuples lie from upper to special, in no particular order; a line pointer
// gives the place of each. The two halves of the LSN are little-endian, the
// higher one first, unlike all other LSNs on disk.
//
// The length of the slice is the page size, a power of two from 1 to 32 kB.
// The layout is the same in all versions from 13 to 19. A page that is all
// zero is new: a file was extended and nothing written yet.
package bufpage
