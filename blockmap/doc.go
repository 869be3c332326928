// Package blockmap says which blocks a span of the write-ahead log touched,
// and holds everything else that the catalog keeps of one WAL segment.
//
// A [Map] holds an [Entry] for each relation fork that the span mentions. An
// entry answers two questions about a block, and a rewind is safe because both
// err to one side only:
//
//   - Touched: may the block differ after the span from what it was before?
//     "No" is a promise.
//   - Restored: does replay of the span alone give the block its right
//     contents, whatever the block held before? "Yes" is a promise. It holds
//     for a block whose first reference in the span carries an image that
//     replay applies, or initialises the page.
//
// Restored blocks are always touched ones.
//
// # Cuts
//
// A fork that is truncated, created or dropped changes without any record that
// names the blocks: the server may write a new relation around the log, fill
// it by file copy, or give its number to another relation later. Entry.Limit
// is therefore the lowest length that the fork was cut to: all blocks from
// there on count as touched, named or not, and none of them counts as
// restored, wherever in the span the cut lies. Replay would often restore a
// block that is written anew after a cut, but the copy that this costs is
// cheap and the proof is not.
//
// A database that is created or dropped touches its whole directory. It stands
// in the map as relation number 0 of its tablespace and database, and
// [Map.Get] answers "everything touched" for every relation in it.
//
// # Spans
//
// [Map.Append] joins the maps of two spans that follow each other in the log.
// The first reference to a block decides whether it is restored, so the order
// matters; how a span was divided does not: appending the maps of the parts
// gives the map of the whole.
//
// # Forks
//
// Blocks of all forks are recorded as the log names them. For the free space
// map and the visibility map that is not evidence of anything: servers change
// them without logging it, and some minor versions of the server left the map
// of visible pages out of records that clear it. Consumers must copy or compare
// those forks whole.
//
// # Changes without a record
//
// An SP-GiST index keeps in its first block which pages it used last, and
// writes that without any record. The block therefore counts as touched, not
// as restored, with every record of such an index: a block that names pages
// which the file no longer has makes later inserts fail. An index that had no
// record has no new pages either.
//
// # Concurrency
//
// Nothing here locks. A map or set is owned by one goroutine; reading by many
// is safe once nobody writes.
package blockmap
