package blockmap

import (
	"fmt"
	"time"

	"forkpoint/walinspect/pg"
)

// XactKind is what happened to a transaction.
type XactKind uint8

const (
	Commit XactKind = iota
	Abort
	Prepare
	CommitPrepared
	AbortPrepared
)

var xactKinds = [...]string{"commit", "abort", "prepare", "commit-prepared", "abort-prepared"}

func (k XactKind) String() string {
	if int(k) < len(xactKinds) {
		return xactKinds[k]
	}
	return fmt.Sprintf("xact(%d)", uint8(k))
}

// MarshalText names the kind in JSON.
func (k XactKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the reverse of [XactKind.MarshalText].
func (k *XactKind) UnmarshalText(b []byte) error {
	for i, name := range xactKinds {
		if name == string(b) {
			*k = XactKind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown transaction event %q", b)
}

// Commits tells whether the transaction's changes count from here on.
func (k XactKind) Commits() bool { return k == Commit || k == CommitPrepared }

// Ends tells whether the transaction is over: all kinds but Prepare.
func (k XactKind) Ends() bool { return k != Prepare }

// Xact is a record that ends or prepares a transaction. A segment can have tens
// of thousands, so what few of them have lies apart.
type Xact struct {
	LSN, End pg.LSN
	Time     time.Time
	XID      pg.XID // the transaction it is about
	DB       pg.OID // 0 where the record does not say
	Kind     XactKind
	Rest     *XactRest // nil for most
}

// XactRest is what few transactions have.
type XactRest struct {
	Subxacts  []pg.XID // subtransactions that share the outcome
	GID       string   // of a prepared transaction
	Dropped   int      // relations whose storage goes
	Origin    uint16   // replication origin; 0 is none
	OriginLSN pg.LSN
}

// OrNil keeps r; it is nil where it says nothing.
func (r XactRest) OrNil() *XactRest {
	if len(r.Subxacts) == 0 && r.GID == "" && r.Dropped == 0 && r.Origin == 0 && r.OriginLSN == 0 {
		return nil
	}
	kept := r // only this one takes memory of its own
	return &kept
}

// Subxacts are the subtransactions that share the outcome.
func (x *Xact) Subxacts() []pg.XID {
	if x.Rest == nil {
		return nil
	}
	return x.Rest.Subxacts
}

// GID is that of a prepared transaction, or empty.
func (x *Xact) GID() string {
	if x.Rest == nil {
		return ""
	}
	return x.Rest.GID
}

// Assignment says which top-level transaction some subtransactions belong to.
type Assignment struct {
	LSN  pg.LSN
	Top  pg.XID
	Subs []pg.XID
}

// Snapshot is the list of transactions in progress that the server writes now
// and then (XLOG_RUNNING_XACTS).
type Snapshot struct {
	LSN             pg.LSN
	Next            pg.XID
	OldestRunning   pg.XID
	LatestCompleted pg.XID
	XIDs            []pg.XID // top-level transactions
	Subxacts        []pg.XID
	Overflow        bool // Subxacts are not all there are
}

// XIDActivity counts the records that carry one transaction identifier. The
// identifier is a subtransaction's own; Top is its parent where a record in
// the segment says so.
type XIDActivity struct {
	XID     pg.XID
	Top     pg.XID // 0 where unknown
	First   pg.LSN // its first record in the segment
	Records int64
	Bytes   int64
}
