package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Kind is what an entry tells. The numbers are part of the format.
type Kind uint8

const (
	KindOrigin Kind = 1 // what a name stood for before it was first changed
	KindImage  Kind = 2 // bytes of a file before they were changed
	KindKept   Kind = 3 // a file that is removed, and where it is kept
	KindStage  Kind = 4 // how far the whole rewind is
	KindPhase  Kind = 5 // a phase of the caller's began or ended
	KindMark   Kind = 6 // an action of the caller's is done up to an offset
)

// Entry is one entry of the log. Which fields count is said per kind.
type Entry struct {
	Kind   Kind
	Path   string // origin, image, kept: relative to the data directory
	Was    State  // origin, kept
	Offset int64  // image: in bytes; mark
	Bytes  []byte // image; stage and mark: a note
	Number uint64 // kept: name in the directory of kept files; mark: action
	Stage  Stage  // stage
	Phase  string // phase
	Ended  bool   // phase
}

// Type is what a name stands for. The numbers are part of the format.
type Type uint8

const (
	Absent    Type = 0
	Regular   Type = 1
	Directory Type = 2
	Symlink   Type = 3
)

func (t Type) String() string {
	names := [...]string{"absent", "regular file", "directory", "symbolic link"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// State is what a name stood for.
type State struct {
	Type    Type
	Size    int64       // of a regular file
	Mode    fs.FileMode // permission bits
	ModTime time.Time
	Link    string // of a symbolic link
}

// Stage is how far a rewind is as a whole. The numbers are part of the format.
type Stage uint8

const (
	Opened   Stage = 0 // nothing of the target was changed but, perhaps, its label
	Barred   Stage = 1 // no server can start; changes are being made
	Ready    Stage = 2 // all changes are durable; what remains is to let servers start
	Done     Stage = 3
	Undoing  Stage = 4 // barred again; the old bytes are being put back
	Restored Stage = 5 // they are durable; what remains is the old label
	Undone   Stage = 6
	// Abandoned is a rewind that was not finished and cannot be: another data
	// directory has taken the place of its target.
	Abandoned Stage = 7
)

var stageNames = [...]string{"opened", "barred", "ready", "done", "undoing", "restored", "undone", "abandoned"}

func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// MarshalText makes a stage read the same everywhere.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

const (
	maxString = 1 << 12 // of a name, as PATH_MAX
	maxNote   = 1 << 16
	maxImage  = 1 << 20 // bytes of one image; longer ones are cut
)

var errEntry = errors.New("invalid entry")

func (e *Entry) encode(w *encoder) {
	w.byte(byte(e.Kind))
	switch e.Kind {
	case KindOrigin:
		w.string(e.Path)
		w.state(e.Was)
	case KindImage:
		w.string(e.Path)
		w.uint(uint64(e.Offset))
		w.string(string(e.Bytes))
	case KindKept:
		w.string(e.Path)
		w.uint(e.Number)
		w.state(e.Was)
	case KindStage:
		w.byte(byte(e.Stage))
		w.string(string(e.Bytes))
	case KindPhase:
		w.string(e.Phase)
		w.bool(e.Ended)
	case KindMark:
		w.uint(e.Number)
		w.uint(uint64(e.Offset))
		w.string(string(e.Bytes))
	}
}

// decode reads one entry. Bytes points into the decoder's buffer.
func (e *Entry) decode(r *decoder) {
	*e = Entry{Kind: Kind(r.byte())}
	switch e.Kind {
	case KindOrigin:
		e.Path = string(r.bytes(maxString))
		e.Was = r.state()
	case KindImage:
		e.Path = string(r.bytes(maxString))
		e.Offset = r.int()
		e.Bytes = r.bytes(maxImage)
	case KindKept:
		e.Path = string(r.bytes(maxString))
		e.Number = r.uint()
		e.Was = r.state()
	case KindStage:
		if e.Stage = Stage(r.byte()); e.Stage > Abandoned {
			r.fail()
		}
		e.Bytes = r.bytes(maxNote)
	case KindPhase:
		e.Phase = string(r.bytes(maxString))
		e.Ended = r.bool()
	case KindMark:
		e.Number = r.uint()
		e.Offset = r.int()
		e.Bytes = r.bytes(maxNote)
	default:
		r.fail()
	}
	if e.pathless() != (e.Path == "") {
		r.fail()
	}
}

func (e *Entry) pathless() bool { return e.Kind >= KindStage }

// check refuses what decode would not read back.
func (e *Entry) check() error {
	switch {
	case e.Kind < KindOrigin || e.Kind > KindMark,
		e.pathless() != (e.Path == ""),
		len(e.Path) > maxString, len(e.Phase) > maxString, len(e.Was.Link) > maxString,
		e.Kind != KindImage && len(e.Bytes) > maxNote, len(e.Bytes) > maxImage,
		e.Offset < 0, e.Was.Size < 0:
		return fmt.Errorf("%w: kind %d, path %.80q", errEntry, e.Kind, e.Path)
	}
	return nil
}
