// Package segment knows where WAL segment files lie and reads them: pg_wal of
// a data directory, archives of every usual kind, a restore_command, and
// chains of these in order. Nothing is ever written into any of them.
//
// A [Source] finds files by name, decompressed. [OpenArchive] recognises what
// kind of archive it was given. [Pages] turns a source and the timelines of a
// path into the pages that a walinspect.Reader asks for.
//
// A file can be whole, or put aside before its segment was complete, under a
// name with .partial in it. Sources take a whole file wherever there is one.
package segment
