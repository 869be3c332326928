// Package segment knows where WAL segment files lie and reads them: pg_wal of
// a data directory, plain and compressed archives, a restore_command, and
// chains of these in order.
//
// A [Source] finds files by name. [Pages] turns a source and the timelines of a
// path into the pages that a walinspect.Reader asks for.
package segment
