// Package target is the only writer into a data directory.
//
// A [Target] takes names relative to the data directory, with slashes, as the
// source lists them. It resolves them inside a fixed set of directory trees:
// the data directory, what pg_wal points to when it is a link, and what the
// links in pg_tblspc point to. No name can leave these trees and no other
// symbolic link is ever followed, so a source that lies about its files can
// harm nothing but the copy that is made of it.
//
// # Who may work here
//
// From [Open] to [Target.Close] the directory belongs to this process. Three
// things see to it, each for another case:
//
//   - an advisory lock (flock) on the data directory itself keeps a second
//     forkpoint out, wherever its state directory is, and vanishes with the process;
//   - postmaster.pid holds this process's number, negated as a standalone
//     backend writes it (CreateLockFile in src/backend/utils/init/miscinit.c), so
//     no server starts, and pg_ctl neither signals nor stops this process. A
//     server ignores the lock file of a dead process, and of its own parent;
//   - [Target.Bar] replaces backup_label by a text that no server takes for a
//     label. Every start ends with `invalid data in file "backup_label"` before
//     anything of value is touched, in normal and single-user mode, versions 13
//     to 19, after a crash of this process or of the machine too, and who looks
//     into the file reads what to run. pg_control stays as it is for those who read it.
//
// [Target.Unbar] puts the label there that the server shall see, by one rename.
// Until then nothing else matters; after it, everything must be in place.
//
// # What is durable when
//
// Changes reach the disk in any order until [Target.Sync], which flushes the
// files that were touched and then the directories, each once. [Target.Replace],
// [Target.Bar] and [Target.Unbar] are durable when they return: temporary file,
// flush, rename, flush of the directory. Temporary files are named
// pgsql_tmp_forkpoint.*, which base backups and pg_rewind pass over.
package target
