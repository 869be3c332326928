package pg

import (
	"fmt"
	"strings"
)

// RmgrID is a resource manager: the part of the server that wrote a record
// and knows how to replay it (RmgrId in src/include/access/rmgr.h).
type RmgrID uint8

// The built-in resource managers (src/include/access/rmgrlist.h). The numbers
// are the same in all versions.
const (
	RmgrXLOG RmgrID = iota
	RmgrXact
	RmgrSmgr
	RmgrCLOG
	RmgrDbase
	RmgrTblspc
	RmgrMultiXact
	RmgrRelMap
	RmgrStandby
	RmgrHeap2
	RmgrHeap
	RmgrBtree
	RmgrHash
	RmgrGin
	RmgrGist
	RmgrSeq
	RmgrSPGist
	RmgrBRIN
	RmgrCommitTs
	RmgrReplOrigin
	RmgrGeneric
	RmgrLogicalMsg
)

// MinCustomRmgr is the first of the numbers that extensions may use, from
// version 15 on (RM_MIN_CUSTOM_ID).
const MinCustomRmgr RmgrID = 128

var rmgrNames = [...]string{
	"XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace",
	"MultiXact", "RelMap", "Standby", "Heap2", "Heap", "Btree", "Hash", "Gin",
	"Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin",
	"Generic", "LogicalMessage",
}

// Builtin tells whether the number belongs to the server itself.
func (r RmgrID) Builtin() bool { return int(r) < len(rmgrNames) }

// Custom tells whether the number is one of those for extensions.
func (r RmgrID) Custom() bool { return r >= MinCustomRmgr }

// String is the name that pg_waldump prints.
func (r RmgrID) String() string {
	switch {
	case r.Builtin():
		return rmgrNames[r]
	case r.Custom():
		return fmt.Sprintf("custom%03d", uint8(r))
	}
	return fmt.Sprintf("rmgr(%d)", uint8(r))
}

// MarshalText names the resource manager in JSON.
func (r RmgrID) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseRmgr finds a resource manager by the name that it prints, without regard
// to case.
func ParseRmgr(s string) (RmgrID, error) {
	for i := range 256 {
		if r := RmgrID(i); (r.Builtin() || r.Custom()) && strings.EqualFold(r.String(), s) {
			return r, nil
		}
	}
	return 0, fmt.Errorf("unknown resource manager %q", s)
}

// Rmgrs lists the built-in resource managers in order.
func Rmgrs() []RmgrID {
	all := make([]RmgrID, len(rmgrNames))
	for i := range all {
		all[i] = RmgrID(i)
	}
	return all
}
