// Package relname finds the names of relations by their storage: from WAL's
// tablespace, database and file number to database, schema and relation.
//
// [Live] and [LiveAll] ask a server. [Offline] reads the catalogs of a data
// directory whose server is stopped, which is often all that is left of the
// side that is to be explained. It finds the catalogs' files by
// pg_filenode.map, reads their heap pages and decides by hint bits and pg_xact
// which row versions are current.
//
// A relation's file number changes when it is rewritten or truncated. Row
// versions that still lie on the catalog's pages tell names for former file
// numbers; they are kept and marked as [Name.Former].
package relname
