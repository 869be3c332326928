// Package indexer turns WAL segments into block maps, once per segment.
//
// Segments are independent of each other: a worker starts at the first record
// that begins in its segment and reads the last one on into the next. So there
// is no state to carry from one to the other, workers need no order, and what
// is known of a segment stays valid. Results do not depend on the number of
// workers.
//
// # Which file, which variant
//
// An [Indexer] is asked about a path of timelines. For each segment it takes
// the file of the newest timeline of the path that exists, and never reads what
// a file holds past the place where the path leaves the file's timeline. A file
// whose identity the [Cache] knows is not read again. Where there is no file
// the cache may have stored the segment, once or, when branches gave out one
// timeline number twice, several times; a stored variant counts only if it is
// the one that fits: its pages are of the timelines that the path has there, and
// its back links join it to the segments on both sides.
//
// A file that breaks off although the log goes on in the next segment has been
// damaged, or never was whole. Where the cache has the whole segment, beginning
// as the file does and joined to what is beside it, that counts.
//
// The same joints are checked between any two segments. Where they do not hold,
// or where there is nothing, the result has a [Gap] with the reason: what
// is not known is never guessed.
//
// # Ends of a span
//
// A span rarely begins and ends with segments. The two at its ends are decoded
// exactly. Where the file of such a segment is gone, what is stored of the
// whole segment stands in for the part: it holds all that the part touched and
// more, and [Result.Widened] says so.
package indexer
