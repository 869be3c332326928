// Package pg is the vocabulary of PostgreSQL's storage layer: log positions,
// timelines, relation storage, WAL segments, resource managers and versions.
//
// Everything here is a value without behaviour of its own: it parses, prints
// and does address arithmetic. Each idea of the server that forkpoint speaks of
// has its one Go type in this package, and no other package makes a second one.
package pg
