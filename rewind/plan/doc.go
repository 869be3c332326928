// Package plan decides what a rewind does to every file of the target. It is
// pure: lists of files, the changed blocks and the fork point come in, a [Plan]
// comes out, and nothing is read or written on the way.
//
// A plan is complete before anything happens. It is printed by a dry run,
// written to the journal before the first byte of the target changes. A run that
// is resumed makes a new one, of the target as it was before the first.
//
// # Which blocks are copied
//
// Replay starts at the redo point of the last checkpoint that both clusters
// share, so the log from there on runs over whatever the plan leaves behind.
// A block of the target can differ from the shared past only if the target
// changed it after that redo point. Three sets cover that:
//
//	after    touched at or after the fork. Nothing that will be replayed knows
//	         of these changes; the block comes from the source.
//	unproven touched between redo and fork, and the first record that touches
//	         it there neither carries an image that replay applies nor makes
//	         the page anew. Replay would build on bytes that may have changed
//	         since; the block comes from the source.
//	hinted   touched before the fork, however long ago, by a transaction that
//	         was in progress at the fork and ended after it on the target. A
//	         target that replayed past the fork can hold hint bits of that end
//	         on such a page without any log of it.
//
// Every other block that was touched between redo and fork is restored by
// replay from the log alone, whatever its bytes are now, and is not copied.
// That holds only while full_page_writes was on from redo to fork; where it
// was not, [Classic] is used: every touched block is copied, as pg_rewind does.
// Copying more is always safe, because a copied page is at least as new as the
// redo point and replay brings it forward.
//
// The visibility map, the free space map and all that is not relation data are
// copied whole, or compared and copied where they differ; no index narrows
// them, for not every change of theirs is logged.
//
// # Which WAL is fetched
//
// Replay needs the segments from redo to the end of the source's log. Those
// before the fork are the same bytes on both sides and stay where the target
// has them. Segments that hold records past the fork, or that belong to a
// timeline the source does not descend from, leave pg_wal for the evidence
// bundle, because a server would follow them.
package plan
