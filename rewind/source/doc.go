// Package source reads the good copy of a cluster, the one that a rewind takes
// its blocks from: a stopped data directory ([OpenLocal]) or a live server
// ([Connect]).
//
// Both are the same [Source] to the rest. Nothing is ever written: a session
// on a live server is read only, and calls nothing but what every role may run
// and the four functions that a rewind needs to be granted (see [Grants]).
//
// A live server changes while it is read. A file that is gone, has become
// shorter or has grown since it was listed is not an error here: the chunk
// says so, and whether replay puts it right is for the caller to judge. What a
// source names is not trusted: a path that would lead out of a data directory
// ends the call with an [UnsafePathError].
//
// A connection that breaks is made again and the work goes on after the last
// chunk that was delivered, provided that the answer still comes from the same
// data directory. What stays broken is an error that matches [ErrTransient].
package source
