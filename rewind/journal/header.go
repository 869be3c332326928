package journal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/pg"
)

// FormatName is the first field of every header.
const FormatName = "forkpoint/journal/1"

// Header says what a rewind is about. It never changes.
type Header struct {
	Format       string        `json:"format"`
	ID           string        `json:"id"`
	Started      time.Time     `json:"started"`
	SystemID     uint64        `json:"system_id,string"`
	Target       string        `json:"target"` // data directory
	Source       string        `json:"source"` // for people; without a password
	Fork         pg.LSN        `json:"fork"`
	ForkTimeline pg.TimelineID `json:"fork_timeline"`
	// Where the source was when the plan was made. Zero in journals of versions
	// that did not note it.
	SourceEnd      pg.LSN        `json:"source_end,omitzero"`
	SourceTimeline pg.TimelineID `json:"source_timeline,omitempty"`
	// Identity is that of the data directory; nil in journals of versions that
	// did not note it.
	Identity   *target.Identity `json:"identity,omitempty"`
	Undo       bool             `json:"undo"` // old bytes are kept
	PlanSize   int64            `json:"plan_size"`
	PlanSHA256 string           `json:"plan_sha256"`
}

// newID is a name that sorts by time.
func newID(at time.Time) string {
	var tail [3]byte
	rand.Read(tail[:]) // never fails
	return at.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(tail[:])
}

func (h *Header) encode() ([]byte, error) {
	b, err := json.MarshalIndent(h, "", "  ")
	return append(b, '\n'), err
}

// sealPlan notes size and digest of the plan.
func (h *Header) sealPlan(plan []byte) {
	sum := sha256.Sum256(plan)
	h.PlanSize, h.PlanSHA256 = int64(len(plan)), hex.EncodeToString(sum[:])
}

// readHeader reads and checks header.json; the digest ties the log to it.
func readHeader(fsys target.FS, dir string) (h Header, digest [32]byte, err error) {
	b, err := readFile(fsys, dir+"/"+headerFile, 1<<20)
	if err != nil {
		return h, digest, err
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, digest, fmt.Errorf("%w: %s: %v", ErrCorrupt, headerFile, err)
	}
	if h.Format != FormatName {
		return h, digest, fmt.Errorf("%s: format %q is not known to this version", headerFile, h.Format)
	}
	return h, sha256.Sum256(b), nil
}

func readFile(fsys target.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrCorrupt, name, info.Size())
	}
	b := make([]byte, info.Size())
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// isJournal tells the names of journal directories.
func isJournal(name string) bool { return strings.HasPrefix(name, dirPrefix) }
