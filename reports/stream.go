package reports

import (
	"bytes"
	"encoding/json"
	"iter"
	"sync"
)

// Stream is a list that is not held in memory: it is made anew each time that
// somebody goes through it. One that was read from JSON is held. The zero value
// is empty.
type Stream[T any] struct {
	all iter.Seq[T]
}

// StreamOf makes a stream of a list that is there.
func StreamOf[T any](list ...T) Stream[T] {
	return Stream[T]{func(yield func(T) bool) {
		for _, v := range list {
			if !yield(v) {
				return
			}
		}
	}}
}

// All goes through the list.
func (s Stream[T]) All() iter.Seq[T] {
	if s.all == nil {
		return func(func(T) bool) {}
	}
	return s.all
}

// UnmarshalJSON reads a list into memory.
func (s *Stream[T]) UnmarshalJSON(b []byte) error {
	var list []T
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*s = StreamOf(list...)
	return nil
}

// MarshalJSON puts the whole list together in memory; [WriteJSON] does not.
func (s Stream[T]) MarshalJSON() ([]byte, error) {
	list := []T{}
	for v := range s.All() {
		list = append(list, v)
	}
	return json.Marshal(list)
}

// elements yields each element as JSON on one line; the bytes are valid until
// the next step.
func (s Stream[T]) elements() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		var fast []byte
		for batch := range batches(s.All()) {
			for i := range batch {
				var err error
				if a, is := any(&batch[i]).(jsonAppender); is {
					fast = a.appendJSON(fast[:0])
				} else {
					buf.Reset()
					err = enc.Encode(batch[i])
					fast = append(fast[:0], bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
				}
				if !yield(fast, err) {
					return
				}
			}
		}
	}
}

// batchLen is how many elements are handed on at a time.
const batchLen = 512

// batches goes through a list in a goroutine of its own, while the caller deals
// with the elements before; they are valid until the next step.
func batches[T any](all iter.Seq[T]) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		full, used, enough := make(chan []T, 2), make(chan []T, 4), make(chan struct{})
		var going sync.WaitGroup
		going.Go(func() {
			defer close(full)
			var batch []T
			for v := range all {
				if batch = append(batch, v); len(batch) < batchLen {
					continue
				}
				select {
				case full <- batch:
				case <-enough:
					return
				}
				select {
				case batch = <-used:
					batch = batch[:0]
				default:
					batch = make([]T, 0, batchLen)
				}
			}
			select {
			case full <- batch:
			case <-enough:
			}
		})
		defer going.Wait()
		defer close(enough)
		for batch := range full {
			if !yield(batch) {
				return
			}
			used <- batch // holds all that there are
		}
	}
}

// jsonAppender encodes itself as package json would, without reflection.
type jsonAppender interface{ appendJSON([]byte) []byte }

// streamed is what any Stream is to the writer.
type streamed interface {
	elements() iter.Seq2[[]byte, error]
}
