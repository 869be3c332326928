package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"forkpoint/rewind/target"
)

// readLog is the log of the bench's journal.
func (b *bench) readLog(t *testing.T) []byte {
	t.Helper()
	log, err := readFile(b.disk, b.j.Dir()+"/"+logFile, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// stageWith is the stage that List tells where the log is this one.
func (b *bench) stageWith(t *testing.T, log []byte) Summary {
	t.Helper()
	f, err := b.disk.OpenFile(b.j.Dir()+"/"+logFile, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(log, 0); err != nil {
		t.Fatal(err)
	}
	list, err := List(b.disk, b.state())
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list[0]
}

// TestStageOfDamagedLog changes every byte of a log, one at a time. A rewind
// that was finished stays finished, and one that was not never seems to be.
func TestStageOfDamagedLog(t *testing.T) {
	for _, end := range []Stage{Barred, Done} {
		t.Run(end.String(), func(t *testing.T) {
			b := newBench(t, Header{Undo: true}, true)
			e := b.bar(t)
			for _, name := range []string{"base/1/400", "PG_VERSION"} {
				if err := e.Remove(name); err != nil {
					t.Fatal(err)
				}
				if err := e.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if end == Done {
				if err := e.Finish(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			starts := slices.Clone(b.j.log.starts)
			whole := b.readLog(t)
			for at := logHeaderSize; at < len(whole); at++ {
				log := bytes.Clone(whole)
				log[at]++
				s := b.stageWith(t, log)
				switch {
				case end == Barred && s.Stage > Barred:
					t.Fatalf("byte %d changed: it seems to be %s", at, s.Stage)
				case end == Done && int64(at) < starts[len(starts)-1] && s.Stage != Done:
					t.Fatalf("byte %d changed: it seems to be %s", at, s.Stage)
				case end == Done && int64(at) >= starts[len(starts)-1] && s.Stage != Ready:
					t.Fatalf("byte %d of the last batch changed: it seems to be %s", at, s.Stage)
				}
				if s.Damage != "" && !strings.Contains(s.Damage, "is damaged, and batch") {
					t.Fatal(s.Damage)
				}
			}
		})
	}
}

// badSector is a log of which one byte cannot be read.
type badSector struct {
	target.FS
	at int64
}

func (b badSector) OpenFile(name string, flag int, mode fs.FileMode) (target.File, error) {
	f, err := b.FS.OpenFile(name, flag, mode)
	if err != nil || filepath.Base(name) != logFile {
		return f, err
	}
	return badFile{f, b.at}, nil
}

type badFile struct {
	target.File
	at int64
}

func (f badFile) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(p)) {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

// TestStageOfUnreadableLog: a finished rewind is never taken for an unfinished
// one because a piece of its log cannot be read.
func TestStageOfUnreadableLog(t *testing.T) {
	b := newBench(t, Header{Undo: true}, true)
	e := b.bar(t)
	if err := e.Remove("PG_VERSION"); err != nil {
		t.Fatal(err)
	}
	if err := e.Finish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	told := 0
	for at := range int64(len(b.readLog(t))) {
		s, err := summary(badSector{b.disk, at}, b.j.Dir())
		switch {
		case err == nil && s.Stage != Done:
			t.Fatalf("byte %d cannot be read: it seems to be %s", at, s.Stage)
		case err == nil && s.Damage != "":
			told++
		case err != nil && !errors.Is(err, syscall.EIO):
			t.Fatalf("byte %d cannot be read: %v", at, err)
		}
	}
	if told == 0 {
		t.Error("no damage was told")
	}
}

// TestStageInSavedBytes: the log of another rewind that was saved as the old
// bytes of a file does not count, though the batch that holds it is damaged.
func TestStageInSavedBytes(t *testing.T) {
	edits := func(b *bench, names ...string) *Editor {
		e := b.bar(t)
		for _, name := range names {
			if err := e.Truncate(name, 0); err != nil {
				t.Fatal(err)
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
	other := newBench(t, Header{Undo: true}, true)
	if err := edits(other, "PG_VERSION", "base/1/400").Finish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Header{Undo: true}, true)
	var err error
	if b.j, err = Create(b.disk, b.state(), Header{Undo: true}, nil, Options{Plain: true}); err != nil {
		t.Fatal(err)
	}
	b.put(t, "global/saved", string(other.readLog(t)))
	edits(b, "PG_VERSION", "global/saved")
	log := b.readLog(t)
	log[b.j.log.starts[len(b.j.log.starts)-1]]++
	l := batchLog{file: memory{log}, end: logHeaderSize}
	x := newIndex()
	var buf payloadBuffer
	defer buf.close()
	for err == nil {
		_, err = l.hop(&x, &buf)
	}
	seen := 0
	if err := l.later(int64(len(log)), func(_ int64, h batchHeader) bool { seen += int(h.sequence / (l.sequence + 2)); return true }); err != nil || seen == 0 {
		t.Fatalf("nothing in the saved bytes looks like a later batch: %v", err)
	}
	if damage, err := l.hopBehind(&x, &buf); err != nil || x.stage != Barred || damage != "" {
		t.Fatalf("the stage is %s, %q is damaged, %v", x.stage, damage, err)
	}
}
