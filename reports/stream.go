package reports

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"sync"
)

// Stream is a list that is not held in memory: its parts are made anew each time
// that somebody goes through it. One that was read from JSON is held. The zero
// value is empty.
type Stream[T any] struct {
	parts int
	part  func(i int) iter.Seq[T] // several may be gone through at a time
}

// StreamOf makes a stream of a list that is there.
func StreamOf[T any](list ...T) Stream[T] {
	return Stream[T]{1, func(int) iter.Seq[T] { return slices.Values(list) }}
}

// All goes through the list.
func (s Stream[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range s.parts {
			for v := range s.part(i) {
				if !yield(v) {
					return
				}
			}
		}
	}
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

// encoded is one part of a stream as JSON, without brackets.
type encoded struct {
	text []byte
	err  error
}

// chunks yields the list as JSON, with a separator between the elements of each
// chunk; the bytes are valid until the next step. Parts are encoded, several at
// a time, while the caller deals with those before.
func (s Stream[T]) chunks(separator string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var used sync.Pool // of the texts' memory
		encode := func(i int) encoded {
			b, _ := used.Get().([]byte)
			return encodePart(b[:0], s.part(i), separator)
		}
		for e := range ahead(s.parts, encode) {
			if (len(e.text) > 0 || e.err != nil) && !yield(e.text, e.err) {
				return
			}
			used.Put(e.text)
		}
	}
}

func encodePart[T any](text []byte, part iter.Seq[T], separator string) encoded {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	var v T
	fast, appends := any(&v).(jsonAppender)
	for v = range part {
		if len(text) > 0 {
			text = append(text, separator...)
		}
		if appends {
			text = fast.appendJSON(text)
			continue
		}
		buf.Reset()
		if err := enc.Encode(v); err != nil {
			return encoded{text, err}
		}
		text = append(text, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
	}
	return encoded{text: text}
}

// ahead yields what produce gives for 0 to n-1, in order. Several are made at a
// time, while the caller deals with those before.
func ahead[T any](n int, produce func(i int) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		ready, enough := make(chan chan T, decodedAhead()), make(chan struct{})
		var going sync.WaitGroup
		going.Go(func() {
			defer close(ready)
			for i := range n {
				one := make(chan T, 1)
				select {
				case ready <- one:
					going.Go(func() { one <- produce(i) })
				case <-enough:
					return
				}
			}
		})
		defer going.Wait()
		defer close(enough)
		for one := range ready {
			if !yield(<-one) {
				return
			}
		}
	}
}

// jsonAppender encodes itself as package json would, without reflection.
type jsonAppender interface{ appendJSON([]byte) []byte }

// streamed is what any Stream is to the writer.
type streamed interface {
	chunks(separator string) iter.Seq2[[]byte, error]
}
