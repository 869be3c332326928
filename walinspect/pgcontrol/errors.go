package pgcontrol

import (
	"errors"
	"fmt"
)

// ErrTorn is matched when the checksum does not fit the bytes. A reader of a
// running server's file reads again; if the error stays, the file is damaged.
var ErrTorn = errors.New("control file checksum mismatch")

// ErrUnsupported is matched when the file was written by a server or on a
// machine that this package does not know.
var ErrUnsupported = errors.New("unsupported control file")

// Flaw names what an [Error] found wrong. The names appear in reports and are
// part of the interface.
type Flaw string

const (
	FlawEmpty          Flaw = "empty"           // no bytes at all
	FlawSize           Flaw = "size"            // not 8192 bytes
	FlawByteOrder      Flaw = "byte-order"      // written by a big-endian server
	FlawVersion        Flaw = "control-version" // no release has this control version
	FlawCatalogVersion Flaw = "catalog-version" // no release has it with this control version
	FlawChecksum       Flaw = "checksum"        // the CRC does not fit
	FlawMachine        Flaw = "machine"         // alignment or floating point format of another machine
	FlawGeometry       Flaw = "geometry"        // block or segment sizes that no server has
)

// Error says why bytes are not a usable control file. It does not say which
// file: that, and whose it is, the caller knows.
type Error struct {
	Flaw Flaw
	What string // what was looked at
	Want string
	Got  string
}

func (e *Error) Error() string {
	if e.Flaw == FlawEmpty {
		return "control file is empty (0 bytes): it was being replaced when something died"
	}
	return fmt.Sprintf("control file %s: want %s, got %s", e.What, e.Want, e.Got)
}

// Is makes errors.Is work for [ErrTorn] and [ErrUnsupported].
func (e *Error) Is(target error) bool {
	switch e.Flaw {
	case FlawChecksum:
		return target == ErrTorn
	case FlawByteOrder, FlawVersion, FlawCatalogVersion, FlawMachine:
		return target == ErrUnsupported
	}
	return false
}

// Hint says what the operator can do, or "".
func (e *Error) Hint() string {
	switch e.Flaw {
	case FlawEmpty, FlawSize:
		return "put global/pg_control back from a backup of this data directory"
	case FlawVersion, FlawCatalogVersion:
		return "released versions 13 to 19 are known; pre-releases are not"
	case FlawByteOrder:
		return "only clusters of little-endian machines can be read"
	}
	return ""
}
