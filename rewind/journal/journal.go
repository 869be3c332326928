package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"forkpoint/rewind/target"
)

// Names in a journal's directory.
const (
	dirPrefix   = "rewind-"
	headerFile  = "header.json"
	planFile    = "plan"
	logFile     = "log"
	keptDir     = "kept"
	reserveFile = "reserve"
)

// reserveSize is room set aside for the end of an undo on a full disk.
const reserveSize = 1 << 16

// Journal is what is known of one rewind: its plan, what it has done, and what
// was there before. It is for one goroutine.
type Journal struct {
	fs     target.FS
	dir    string
	header Header
	log    *batchLog
	index  index

	// Names that an earlier process changed and may not have flushed, or tried
	// to in vain: what can be read of them need not be on disk.
	inherited map[string]bool
}

// Options of [Create] and [Open].
type Options struct {
	Plain bool // do not compress
}

// Create makes a new journal in the state directory, which must exist and be
// durable ([MakeStateDir]). ID, Format, plan fields and, if zero, Started of
// the header are filled in. When Create returns the journal is on disk; a
// directory that it did not finish counts for nothing.
func Create(fsys target.FS, state string, h Header, plan []byte, o Options) (*Journal, error) {
	if h.Started.IsZero() {
		h.Started = time.Now().UTC()
	}
	if h.ID == "" {
		h.ID = newID(h.Started)
	}
	h.Format = FormatName
	h.sealPlan(plan)
	j := &Journal{fs: fsys, dir: filepath.Join(state, dirPrefix+h.ID), header: h, index: newIndex()}
	if err := j.create(state, plan, o); err != nil {
		if j.log != nil {
			j.log.close()
		}
		return nil, fmt.Errorf("create journal %s: %w", j.dir, err)
	}
	return j, nil
}

func (j *Journal) create(state string, plan []byte, o Options) error {
	if err := j.fs.Declare(state); err != nil {
		return err
	}
	header, err := j.header.encode()
	if err != nil {
		return err
	}
	if err := j.fs.Mkdir(j.dir, 0o700); err != nil {
		return err
	}
	if err := j.fs.Mkdir(j.join(keptDir), 0o700); err != nil {
		return err
	}
	if j.log, err = createLog(j.fs, j.join(logFile), sha256.Sum256(header), !o.Plain); err != nil {
		return err
	}
	if err := target.WriteFile(j.fs, j.join(planFile), plan); err != nil {
		return err
	}
	if err := target.WriteFile(j.fs, j.join(reserveFile), make([]byte, reserveSize)); err != nil {
		return err
	}
	if err := target.WriteFile(j.fs, j.join(headerFile+".new"), header); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	// From here on the journal exists.
	if err := j.fs.Rename(j.join(headerFile+".new"), j.join(headerFile)); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	return j.fs.SyncDir(state)
}

// Open opens a journal to go on with it. All of the log is read; a torn last
// batch is dropped, for what it announced was not begun.
func Open(fsys target.FS, dir string, o Options) (*Journal, error) {
	j, err := open(fsys, dir)
	if err != nil {
		return nil, err
	}
	if err := j.settle(!o.Plain); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", dir, err), j.Close())
	}
	j.inherited = make(map[string]bool, len(j.index.origins))
	for name := range j.index.origins {
		j.inherited[name] = true
	}
	return j, nil
}

// settle makes durable what an interrupted process may have left in memory:
// the last batch, the names of kept files, the very names of the journal.
func (j *Journal) settle(compress bool) error {
	if err := j.log.settle(compress); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.join(keptDir)); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	return j.fs.SyncDir(filepath.Dir(j.dir))
}

// OpenReader opens a journal without changing anything.
func OpenReader(fsys target.FS, dir string) (*Journal, error) {
	j, err := open(fsys, dir)
	if err == nil {
		j.log.err = errors.New("journal is open for reading only")
	}
	return j, err
}

func open(fsys target.FS, dir string) (j *Journal, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open journal %s: %w", dir, err)
		}
	}()
	if err := fsys.Declare(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	j = &Journal{fs: fsys, dir: dir, index: newIndex()}
	var digest [32]byte
	if j.header, digest, err = readHeader(fsys, dir); err != nil {
		return nil, err
	}
	f, err := fsys.OpenFile(j.join(logFile), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if j.log, err = openLog(f, digest, j.index.note); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// Close closes the files. Entries that were not committed are lost.
func (j *Journal) Close() error { return j.log.close() }

func (j *Journal) join(name string) string { return j.dir + "/" + name }

// Dir is the journal's directory.
func (j *Journal) Dir() string { return j.dir }

// Header is what the rewind is about.
func (j *Journal) Header() Header { return j.header }

// Stage is how far the rewind is, as the log has it; see [Journal.Settle].
func (j *Journal) Stage() Stage { return j.index.stage }

// Size is the length of the log in bytes.
func (j *Journal) Size() int64 { return j.log.end }

// Noted is what of an [Estimate] of the whole rewind the journal has taken
// already, in bytes: it counts nothing as compressed, like the estimate.
func (j *Journal) Noted() int64 { return j.log.raw + reserveSize }

// Plan reads the plan and checks it against its digest.
func (j *Journal) Plan() ([]byte, error) {
	b, err := readFile(j.fs, j.join(planFile), j.header.PlanSize)
	if err != nil {
		return nil, fmt.Errorf("read plan of %s: %w", j.dir, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != j.header.PlanSHA256 {
		return nil, fmt.Errorf("%w: the plan in %s has another digest than its header says", ErrCorrupt, j.dir)
	}
	return b, nil
}

// Mark is how far the caller has come with its actions.
type Mark struct {
	Action uint64
	Offset int64
	Note   []byte
}

// LastMark is the mark that was made last, if any was.
func (j *Journal) LastMark() (Mark, bool) { return j.index.mark, j.index.marked }

// Phases are the phases that ended, in order.
func (j *Journal) Phases() []string { return j.index.phases }

// Phase notes that a phase of the caller's began or ended. It becomes durable
// with the next batch.
func (j *Journal) Phase(name string, ended bool) error {
	return j.append(&Entry{Kind: KindPhase, Phase: name, Ended: ended})
}

// Commit makes everything that was noted durable.
func (j *Journal) Commit() error { return j.log.commit() }

// append notes an entry in the open batch and in the index.
func (j *Journal) append(e *Entry) error {
	if err := j.log.append(e); err != nil {
		return err
	}
	j.index.note(e)
	return nil
}

// dropReserve frees the room that was set aside.
func (j *Journal) dropReserve() error {
	if err := j.fs.Remove(j.join(reserveFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
