package source

import (
	"context"
	"fmt"
	"iter"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// Source is where a rewind reads from. Its methods may be called at the same
// time; what they return belongs to the caller.
type Source interface {
	// Control reads the control file, again where a running server is just
	// writing it, until its checksum holds.
	Control(ctx context.Context) (raw []byte, c *pgcontrol.Control, err error)

	// History reads a timeline's history file from pg_wal; the error matches
	// fs.ErrNotExist where there is none.
	History(ctx context.Context, tli pg.TimelineID) ([]byte, error)

	// Timeline is the timeline that the source is on, also where it was
	// promoted and its control file does not say so yet.
	Timeline(ctx context.Context) (pg.TimelineID, error)

	// Files lists the source as datadir.Dir.Files does: every directory before
	// its content, names in the order of their bytes. A live server tells no
	// permissions and no links but those of tablespaces; it lists other links
	// as what they point to.
	Files(ctx context.Context) iter.Seq2[datadir.File, error]

	// ReadFile reads a whole file; the error matches fs.ErrNotExist where
	// there is none.
	ReadFile(ctx context.Context, path string) ([]byte, error)

	// Fetch reads ranges of files and hands the bytes to deliver. The chunks of
	// a file come in order; those of several files may be mixed, because each
	// of several connections works on a file of its own. Neither ranges nor
	// deliver is called by two goroutines at a time, nor both at once. Ranges
	// of a file should follow each other, in ascending order: those that touch
	// are read together. The first error ends the call.
	Fetch(ctx context.Context, ranges iter.Seq[Range], deliver func(Chunk) error) error

	// Hash is Fetch with the SHA-256 sum of each part instead of its bytes,
	// which a live server computes itself. Each range is cut into parts of
	// PartSize from its offset on; ranges that touch are not joined.
	Hash(ctx context.Context, ranges iter.Seq[Range], deliver func(Digest) error) error

	// Hashes is Hash for the first size bytes of one file. The error matches
	// fs.ErrNotExist where there is no such file; of a shorter one the digests
	// end early.
	Hashes(ctx context.Context, path string, size int64) ([]Digest, error)

	// EndOfWAL is how far a copy must replay before it is consistent with
	// everything that was read from the source up to now.
	EndOfWAL(ctx context.Context) (Position, error)

	// InRecovery tells whether the source is a standby.
	InRecovery(ctx context.Context) (bool, error)

	// FullPageWrites tells whether the source writes full-page images at present.
	FullPageWrites(ctx context.Context) (bool, error)

	// Settings reads configuration parameters. Those that the source does not
	// know, or does not show to the role, are left out.
	Settings(ctx context.Context, names ...string) (map[string]string, error)

	Kind() Kind

	// BytesRead is how much was read so far: of files, or over the network.
	BytesRead() int64

	// String names the source in messages. It never holds a password.
	String() string

	// Close ends all connections and waits until they are gone.
	Close() error
}

// Kind is what sort of source it is.
type Kind uint8

const (
	Directory Kind = iota // a stopped data directory
	Live                  // a running server
)

func (k Kind) String() string {
	if k == Live {
		return "live server"
	}
	return "data directory"
}

// MarshalText names the kind in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Position is a place in the log on a timeline.
type Position struct {
	LSN      pg.LSN        `json:"lsn"`
	Timeline pg.TimelineID `json:"timeline"`
}

func (p Position) String() string { return fmt.Sprintf("%s on timeline %d", p.LSN, p.Timeline) }

// PartSize is the most that is read or hashed in one piece, in bytes.
const PartSize = 1 << 20

// Range is a part of a file that is wanted. One without length is passed over,
// unless it goes to the end.
type Range struct {
	Path   string
	Offset int64
	Length int64
	// ToEnd asks for everything from Offset on, however long the file is by
	// now. Length is then how much there was when the file was listed, which
	// saves round trips.
	ToEnd bool
	// Holes allows Fetch to tell zeros that are not stored as [Chunk.Zeros].
	Holes bool
}

// Chunk is a piece of a file.
type Chunk struct {
	Path   string
	Offset int64
	Data   []byte // valid until deliver returns
	// Zeros is how many zeros there are that the source's file system does not
	// store; then there is no Data.
	Zeros int64

	// Missing: the file is gone at the source. Nothing more of the ranges that
	// were given in a row follows.
	Missing bool

	// Short: the file ended before the range did, at or before the end of
	// Data. A range with ToEnd has no end, so its last chunk is always Short.
	Short bool

	// Last: nothing more of the ranges that were given in a row for the file.
	Last bool
}

// Digest is the sum of a piece of a file.
type Digest struct {
	Path    string
	Offset  int64
	Length  int64 // bytes that there were, less than asked for if Short
	Sum     [32]byte
	Missing bool // as in Chunk, as are the following
	Short   bool
	Last    bool
}
