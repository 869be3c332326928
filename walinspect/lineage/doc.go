// Package lineage asks the log itself what history files only claim: whether
// two logs under one timeline number are the same, whether a switch point is
// where a record ends, and which timeline a log was continued from.
//
// A promotion leaves its trace in the log: the first record of the new
// timeline is an END_OF_RECOVERY or a CHECKPOINT_SHUTDOWN that names both
// timelines, and its position is the switch point. History files can be lost,
// edited or mixed up; these records have a checksum and a back link.
//
// Logs are compared by validated records. What a file holds past its last
// valid record, such as the rest of a recycled segment, differs between nodes
// that agree, and says nothing.
package lineage
