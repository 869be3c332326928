// Package datadir reads a PostgreSQL data directory: its control file,
// timeline histories, settings and the list of its files. It never writes.
//
// The server may be running. Then files come and go while they are listed, and
// what is read may be half of an old state and half of a new one; each method
// says what it does about that.
package datadir
