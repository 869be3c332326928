package pg

import (
	"cmp"
	"fmt"
	"strconv"
)

// OID is an object identifier (Oid in src/include/postgres_ext.h).
type OID uint32

func (o OID) String() string { return strconv.FormatUint(uint64(o), 10) }

// Tablespaces that exist in every cluster (pg_tablespace.dat).
const (
	DefaultTablespace OID = 1663
	GlobalTablespace  OID = 1664
)

// XID is a transaction identifier as WAL carries it, without its epoch.
type XID uint32

func (x XID) String() string { return strconv.FormatUint(uint64(x), 10) }

// Precedes compares two normal transaction identifiers modulo 2^32
// (TransactionIdPrecedes in src/backend/access/transam/transam.c).
func (x XID) Precedes(o XID) bool {
	if x < FirstNormalXID || o < FirstNormalXID {
		return x < o
	}
	return int32(x-o) < 0
}

// FirstNormalXID is the first identifier that a transaction can have; those
// below it are reserved.
const FirstNormalXID XID = 3

// RelFileNumber names the storage of a relation inside its database
// (RelFileNumber in src/include/common/relpath.h, relfilenode before 16).
type RelFileNumber uint32

func (n RelFileNumber) String() string { return strconv.FormatUint(uint64(n), 10) }

// BlockNumber counts pages from the start of a fork, across its files.
type BlockNumber uint32

// InvalidBlock is no block (InvalidBlockNumber in src/include/storage/block.h).
const InvalidBlock BlockNumber = 1<<32 - 1

// ForkNumber tells the parallel files of a relation apart (ForkNumber in
// src/include/common/relpath.h). Not to be mixed up with the fork point, where
// two timelines part.
type ForkNumber uint8

const (
	MainFork ForkNumber = iota
	FSMFork             // free space map
	VMFork              // visibility map
	InitFork            // what an unlogged relation is reset to
)

var forkNames = [...]string{"main", "fsm", "vm", "init"}

func (f ForkNumber) String() string {
	if int(f) < len(forkNames) {
		return forkNames[f]
	}
	return fmt.Sprintf("fork(%d)", uint8(f))
}

// ParseFork is the reverse of [ForkNumber.String] for the four forks there are.
func ParseFork(s string) (ForkNumber, error) {
	for i, name := range forkNames {
		if s == name {
			return ForkNumber(i), nil
		}
	}
	return 0, fmt.Errorf("invalid fork %q: want main, fsm, vm or init", s)
}

// MarshalText names the fork in JSON.
func (f ForkNumber) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is the reverse of [ForkNumber.MarshalText].
func (f *ForkNumber) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFork(string(b))
	return err
}

// RelFileLocator identifies a relation's storage in the cluster
// (RelFileLocator in src/include/storage/relfilelocator.h).
type RelFileLocator struct {
	Spc OID           `json:"tablespace"`
	DB  OID           `json:"database"` // 0 for a shared relation
	Rel RelFileNumber `json:"relation"` // 0 where a whole database directory is meant
}

// String prints tablespace/database/relation, as pg_waldump does.
func (r RelFileLocator) String() string { return fmt.Sprintf("%d/%d/%d", r.Spc, r.DB, r.Rel) }

// Compare orders locators by tablespace, database and relation.
func (r RelFileLocator) Compare(o RelFileLocator) int {
	return cmp.Or(cmp.Compare(r.Spc, o.Spc), cmp.Compare(r.DB, o.DB), cmp.Compare(r.Rel, o.Rel))
}

// RelFork is one fork of a relation.
type RelFork struct {
	RelFileLocator
	Fork ForkNumber `json:"fork"`
}

// Compare orders by locator, then fork.
func (r RelFork) Compare(o RelFork) int {
	return cmp.Or(r.RelFileLocator.Compare(o.RelFileLocator), cmp.Compare(r.Fork, o.Fork))
}

func (r RelFork) String() string {
	if r.Fork == MainFork {
		return r.RelFileLocator.String()
	}
	return r.RelFileLocator.String() + "_" + r.Fork.String()
}

// BlockTag is one page of the cluster.
type BlockTag struct {
	RelFork
	Block BlockNumber `json:"block"`
}

func (t BlockTag) String() string { return fmt.Sprintf("%s block %d", t.RelFork, t.Block) }

// QualifiedName is what people call a relation. Any part may be unknown.
type QualifiedName struct {
	Database string `json:"database,omitempty"`
	Schema   string `json:"schema,omitempty"`
	Relation string `json:"relation,omitempty"`
}
