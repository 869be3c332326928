// Package codec decompresses: page images inside WAL records, and archived
// files as streams.
//
// An image comes as one block whose decompressed length is known beforehand;
// [PGLZ], [LZ4] and [Zstd] fill a buffer of exactly that length or fail. A
// stream is recognised by its first bytes, see [Open]: archives hold compressed
// files both with and without a suffix.
package codec
