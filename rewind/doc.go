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
// Each step is on disk before the next begins, where it does not say otherwise.
// What a crash, of the process or of the machine, leaves behind:
//
//  1. The target is locked: postmaster.pid, whole and flushed before it has that
//     name, and a flock. A crash leaves a lock file of a dead process, which
//     servers and forkpoint ignore.
//  2. The log for replay is fetched into the state directory and read through.
//     It is not flushed: a crash leaves the target as it was, and the next run
//     fetches it anew. One that takes up an interrupted run uses again what the
//     source shows to be its own, and writes it over with the same bytes, which
//     the disk may have refused to the process before.
//  3. The journal is made: plan, control file, room for an undo on a full disk;
//     it counts from the rename of its header on. The evidence joins it. A crash
//     leaves the target as it was; the next run, or an undo, drops the journal. A
//     run that takes it up adds its own plan, by flush, rename and flush of the
//     directory: verify goes by the last one.
//  4. The old label is noted in the journal, and then backup_label is replaced
//     by a text that no server takes for a label, by rename and flush of the
//     directory. From here on no server starts; pg_control still says what it
//     said. A crash leaves a target that can be resumed, or undone at no cost.
//     That it is barred is seen from the label itself, so the journal may lack it.
//  5. For each portion of the copy: the states of its files and the old bytes of
//     all that it overwrites go into the journal, in batches closed by a
//     checksum, with one flush after the last. A crash tears the tail, which is
//     cut off; what it announced has not begun.
//  6. The portion is written into the target, without flush. A crash leaves any
//     mixture of old and new; both resume, which writes all again, equal or not,
//     and undo, which has all old bytes, end it.
//  7. Files that only the target has get a second name in the bundle, whose
//     directory is flushed, and then lose their first. After a crash a file has
//     its old name, or that in the bundle, or both.
//  8. The rest of the source's log is fetched, the whole is read through again,
//     and it gets its names in pg_wal, in place of what had them, as in 7.
//  9. The list of what the source sent is flushed, for verify.
//  10. The recovery settings, where asked for, and then pg_control get their new
//     contents, each by flush, rename and flush of the directory; then all touched
//     files and after them their directories are flushed, those too that an
//     interrupted run touched. A crash before the end of this is one of 6: that
//     pg_control is new before all else is flushed is no harm, for the label still
//     bars, and a resumed run goes by the old one, which is in the plan.
//  11. The journal notes that the target is ready, with the sum of pg_control. A
//     crash leaves it barred; a resumed run does all again, and undo undoes it.
//  12. backup_label becomes the real one, by rename and flush of the directory.
//     From here on a server starts, and everything it needs is on disk. After a
//     crash the label itself tells whether this was done.
//  13. The journal notes that the rewind is done. A crash before leaves a finished
//     target whose journal the next run closes.
//  14. The manifest of the bundle is written, by flush, rename and flush of the
//     directory, and the fetched log goes. A crash, or being told to stop, leaves
//     a finished target; the next run, or "forkpoint evidence seal", writes the
//     manifest.
//
// An undo goes the same way back: it drops the manifest, frees the room set
// aside, bars the target and notes that it undoes; makes everything but the
// control file and the label what it was, which can be done any number of times,
// and flushes it; gives up the second names; puts back the control file; notes
// that all is restored; and last puts back the label, or removes it. What a crash
// leaves is barred until then and is undone by running it again; it cannot be
// resumed any more. Then what is left in the bundle gets a manifest as in 14.
package rewind
