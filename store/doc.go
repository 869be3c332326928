// Package store is the catalog: what each WAL segment touched and said, kept
// in one SQLite file after the segments themselves are gone.
//
// A segment is known by the cluster's system identifier, its timeline, its
// number and the digest of its valid records. Timeline numbers are given out
// by whoever is promoted, so two branches of one cluster may well have
// different segments of the same name; both are kept, as variants, and which
// of them belongs to a history is decided by whoever reads them, from how they
// chain with their neighbours.
//
// The tables are made for people as much as for the program: SCHEMA.md beside
// the code describes them, and views show positions and times as text, so that
// plain sqlite3 answers questions about a catalog. Only lists with a row per
// transaction are packed, since as rows they would be larger than all else.
//
// One [Catalog] belongs to one goroutine. Several processes may use a file at
// once: it is in WAL journal mode, one of them writes, and others wait for
// their turn up to the busy timeout.
package store
