package journal

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strconv"
)

// Entries reads the log from the beginning, without what is not committed.
// Entry.Bytes is valid until the next step.
func (j *Journal) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var buf payloadBuffer
		defer buf.close()
		for n := range j.log.starts {
			if ctx.Err() != nil {
				yield(Entry{}, context.Cause(ctx))
				return
			}
			raw, h, err := j.log.batch(n, &buf)
			if err == nil {
				err = h.decodeEntries(raw, func(e *Entry) error {
					if !yield(*e, nil) {
						return errStopped
					}
					return nil
				})
			}
			if err == errStopped {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
		}
	}
}

var errStopped = errors.New("iteration stopped")

// KeptFile is where a removed file is kept, by the number of its entry.
func (j *Journal) KeptFile(number uint64) string {
	return j.join(keptDir + "/" + strconv.FormatUint(number, 10))
}

func (j *Journal) kept(number uint64) (bool, error) {
	if _, err := j.fs.Lstat(j.KeptFile(number)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}
