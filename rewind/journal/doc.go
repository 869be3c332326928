// Package journal writes down what a rewind changes before it changes it, so
// that it can be resumed and undone after any interruption.
//
// A [Journal] is a directory; FORMAT.md describes its files. The log in it
// consists of batches, each closed by a checksum and one flush. The rule
// of the whole package: what a name of the target stood for is in a durable
// batch before the name is first changed.
//
// An [Editor] keeps that rule. It takes the changes of a rewind, reads from
// the target what they would destroy, and makes them once the journal is
// durable. It leads the target through the stages of a rewind:
//
//	Opened ── Bar ──▶ Barred ── Finish ──▶ Ready ──▶ Done
//	                     │                   │         │
//	                     └───────── Undo ────┴─────────┘
//	                                  ▼
//	                               Undoing ──▶ Restored ──▶ Undone
//
// From Barred to Ready, and from Undoing to Restored, no server starts on the
// target. Each of the two ways ends with one operation that lets servers start
// again; whether it happened is seen from the target ([Journal.Settle]), so a
// crash just after it does no harm.
//
// # Why the first note counts
//
// After an interruption a rewind runs again from its last mark and writes down
// again what it is about to change, which by then may be its own work. So of
// all that the log says of a name, the first origin counts, the first place
// where its file was kept, and of every byte the first image. Undo reads the
// log backwards and lets earlier images overwrite later ones; images of a file
// that took the name of one that was removed are passed over. What results
// does not depend on how often the rewind, or Undo, was interrupted.
package journal
