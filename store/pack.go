package store

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// packer compresses lists. It keeps the compressor's memory between uses.
type packer struct {
	w *flate.Writer
}

// pack returns nil for no bytes.
func (p *packer) pack(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	var out bytes.Buffer
	if p.w == nil {
		p.w, _ = flate.NewWriter(&out, flate.BestSpeed) // fails for unknown levels only
	} else {
		p.w.Reset(&out)
	}
	p.w.Write(b) // a buffer does not fail
	p.w.Close()
	return out.Bytes()
}

// unpackLimit is far above any list: a segment of 1 GB has at most some 20
// million records.
const unpackLimit = 1 << 30

func unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), unpackLimit+1))
	if err == nil && len(out) > unpackLimit {
		err = fmt.Errorf("more than %d bytes", unpackLimit)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack list: %w", err)
	}
	return out, nil
}

// unpackList unpacks and decodes a list.
func unpackList[T any](b []byte, decode func([]byte) ([]T, error)) ([]T, error) {
	plain, err := unpack(b)
	if err != nil {
		return nil, err
	}
	return decode(plain)
}
