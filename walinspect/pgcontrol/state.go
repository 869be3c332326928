package pgcontrol

import (
	"fmt"
	"time"
)

// State is what the server was doing when it last wrote the control file
// (DBState in src/include/catalog/pg_control.h).
type State int32

const (
	StartingUp State = iota
	ShutDown
	ShutDownInRecovery
	ShuttingDown
	InCrashRecovery
	InArchiveRecovery
	InProduction
)

var stateNames = [...]string{
	"starting up", "shut down", "shut down in recovery", "shutting down",
	"in crash recovery", "in archive recovery", "in production",
}

// String is the text that pg_controldata prints.
func (s State) String() string {
	if s >= 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("unrecognized status code %d", int32(s))
}

// MarshalText names the state in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Clean tells whether the server was shut down in good order, so that its
// files are complete without its log.
func (s State) Clean() bool { return s == ShutDown || s == ShutDownInRecovery }

// WALLevel is the setting wal_level as WAL and the control file carry it
// (WalLevel in src/include/access/xlog.h).
type WALLevel int32

const (
	WALLevelMinimal WALLevel = iota
	WALLevelReplica
	WALLevelLogical
)

var walLevelNames = [...]string{"minimal", "replica", "logical"}

func (l WALLevel) String() string {
	if l >= 0 && int(l) < len(walLevelNames) {
		return walLevelNames[l]
	}
	return "unrecognized wal_level"
}

// MarshalText names the level in JSON.
func (l WALLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// unixTime is a pg_time_t: seconds since 1970.
func unixTime(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
