// Package rmgr knows what the records of each resource manager say.
//
// Package walinspect stops at a record's block references and hands out the
// rest as bytes. This package reads those bytes, for the built-in resource
// managers of versions 13 to 19:
//
//   - [Effects] tells what a record does to files beyond the blocks it refers
//     to: relations made, cut or removed, database directories, tablespaces.
//   - [DecodeXact], [DecodeRunningXacts], [DecodeCheckpoint] and the other
//     decoders give payloads that callers work with.
//   - [RowCounts] counts rows without looking at block data.
//   - [Describe] and [Style] print what pg_waldump of the same version prints.
//
// Payloads are C structures of a little-endian machine with 8-byte alignment,
// so fields have padding between them where C puts it. Where versions differ,
// the version is that of the record's layout, which the page magic decided.
//
// No payload is trusted: counts are checked against the bytes that are there
// before anything is allocated, and a short payload is a [PayloadError].
package rmgr
