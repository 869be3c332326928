// Package rewind makes the data directory of a cluster that left the common
// history (the target) into one from which a server can follow another cluster
// (the source), by copying what the target changed since and letting replay do
// the rest.
//
// [Run] reads top to bottom: it surveys both sides, finds where they parted,
// asks the index what the target's log changed, makes a plan, fetches and
// proves the log that replay will need, and only then changes anything.
// Whatever is not proven by then is a [*PreflightError], and the target is as
// it was.
//
// # No crash recovery
//
// A target that crashed is not started first, as pg_rewind does in single-user
// mode: that would need the server's programs, write more log on the abandoned
// branch, and recycle the very segments that tell what changed. It is not
// needed either. The server writes a page only after the log of its changes is
// on disk, so every change that a page can hold is in the valid part of the
// log, which is read to its end; and every page changed since the fork comes
// from the source, torn or not. What recovery would have finished, such as the
// removal of files of a dropped table, is a difference between the two lists of
// files and is planned from them.
//
// # Order of durable acts
//
// Each step is on disk before the next begins. What a crash leaves behind:
//
//  1. The log for replay is fetched into the state directory and read through.
//     A crash leaves the target as it was.
//  2. The target is locked (postmaster.pid, flock). A crash leaves a lock file
//     of a dead process, which servers and forkpoint ignore.
//  3. The journal is created: plan, control file, the old label. A crash leaves
//     the target as it was, and a journal without marks, which is dropped.
//  4. backup_label is replaced by a text that no server takes for a label, by
//     rename. From here on no server starts; pg_control still says what it said.
//     A crash leaves a target that can be resumed, or undone at no cost.
//  5. For each batch: the old bytes of what it will overwrite, and the state of
//     the files, go into the journal, closed by a checksum and one fsync.
//     A crash tears at most the last batch, whose changes have not begun.
//  6. The batch is written into the target, without fsync. A crash leaves any
//     mixture of old and new; both resume, which writes all again, and undo,
//     which has all old bytes, end it.
//  7. Files that only the target has get a second name in the bundle, which is
//     flushed, and then lose their first. The log for replay is linked in.
//  8. Recovery settings, where asked for.
//  9. All touched files and directories are flushed. A crash before the end of
//     this is one of step 6.
//  10. pg_control is replaced by rename. Still nothing starts; a run that finds
//     it so goes on with the next step.
//  11. backup_label becomes the real one, by rename and flush of the directory.
//     From here on a server starts, and everything it needs is on disk.
//  12. The journal is closed as done. A crash before leaves an unfinished
//     journal over a finished target, which the next run sees and closes.
package rewind
