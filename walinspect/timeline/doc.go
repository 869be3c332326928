// Package timeline reads the history files of timelines and answers the
// questions they are kept for: which timeline holds a position of the log, and
// where two servers parted.
//
// A promotion starts a timeline and writes a history file for it, which lists
// the ancestors, oldest first, each with the position where it was left:
//
//	1	0/30000D8	no recovery target specified
//
//	2	0/5000148	before 2026-01-02 03:04:05+00
//
// That is the file 00000003.history. Timeline 1 has none. A position at which
// a timeline was left belongs to its child already.
//
// [Parse] reads a file by the server's own rules (readTimeLineHistory in
// src/backend/access/transam/timeline.c), which are looser than what it
// writes. A [History] is a file, a [Path] the chain of timelines that leads to
// one tip, and a [Tree] what several files say together.
package timeline
