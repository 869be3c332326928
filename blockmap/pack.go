package blockmap

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"

	"forkpoint/walinspect/pg"
)

// Packed is the long lists of a segment as they are stored: encoded, see
// FORMAT.md, and compressed. That is a twentieth of the memory that the lists
// take.
type Packed struct {
	Xacts, XIDs, Snapshots, Assignments []byte // nil for an empty list
	Tally
}

// Tally is what the lists come to.
type Tally struct {
	Commits, Aborts, Prepares int64
	FirstEnd, LastEnd         time.Time // of transactions; zero if none ended
	MinXID, MaxXID            pg.XID    // as numbers; 0 if there are none
}

// Packer packs lists. It keeps memory between uses and belongs to one
// goroutine. The zero value is ready.
type Packer struct {
	w     *flate.Writer
	plain []byte
	room  columns
	out   bytes.Buffer
}

// Pack packs the lists of a segment.
func (p *Packer) Pack(s *Segment) *Packed {
	packed := &Packed{Tally: tally(s)}
	p.plain = appendXacts(p.plain[:0], s.Xacts, &p.room)
	packed.Xacts = p.compress()
	p.plain = appendXIDActivities(p.plain[:0], s.XIDs, &p.room)
	packed.XIDs = p.compress()
	p.plain = appendSnapshots(p.plain[:0], s.Snapshots)
	packed.Snapshots = p.compress()
	p.plain = appendAssignments(p.plain[:0], s.Assignments)
	packed.Assignments = p.compress()
	return packed
}

// compress returns nil for no bytes.
func (p *Packer) compress() []byte {
	if len(p.plain) == 0 {
		return nil
	}
	p.out.Reset()
	if p.w == nil {
		p.w, _ = flate.NewWriter(&p.out, flate.BestSpeed) // fails for unknown levels only
	} else {
		p.w.Reset(&p.out)
	}
	p.w.Write(p.plain) // a buffer does not fail
	p.w.Close()
	return bytes.Clone(p.out.Bytes())
}

func tally(s *Segment) Tally {
	var sum Tally
	var first, last int64 // as in FirstEnd and LastEnd
	for i := range s.Xacts {
		x := &s.Xacts[i]
		switch {
		case x.Kind.Commits():
			sum.Commits++
		case x.Kind.Ends():
			sum.Aborts++
		default:
			sum.Prepares++
			continue
		}
		at, none := x.Time.UnixMicro(), sum.FirstEnd.IsZero()
		if none || at < first {
			first, sum.FirstEnd = at, x.Time
		}
		if none || at > last {
			last, sum.LastEnd = at, x.Time
		}
	}
	for i := range s.XIDs {
		x := s.XIDs[i].XID
		if sum.MinXID == 0 || x < sum.MinXID {
			sum.MinXID = x
		}
		sum.MaxXID = max(sum.MaxXID, x)
	}
	return sum
}

// Encoded is the long lists of a segment, see FORMAT.md, not compressed.
type Encoded struct {
	Xacts, XIDs, Snapshots, Assignments []byte // nil for an empty list
}

// Encode encodes the lists of a segment.
func Encode(s *Segment) Encoded {
	return Encoded{EncodeXacts(s.Xacts), EncodeXIDs(s.XIDs), EncodeSnapshots(s.Snapshots), EncodeAssignments(s.Assignments)}
}

// Len is the number of bytes; 0 where all lists are empty.
func (e *Encoded) Len() int {
	return len(e.Xacts) + len(e.XIDs) + len(e.Snapshots) + len(e.Assignments)
}

// Decode fills in the lists of a segment, whose bounds they must keep.
func (e *Encoded) Decode(s *Segment) (err error) {
	most := s.ListBounds()
	if s.Xacts, err = DecodeXacts(e.Xacts, most); err != nil {
		return fmt.Errorf("list of transactions: %w", err)
	}
	if s.XIDs, err = DecodeXIDs(e.XIDs, most); err != nil {
		return fmt.Errorf("list of identifiers: %w", err)
	}
	if s.Snapshots, err = DecodeSnapshots(e.Snapshots, most); err != nil {
		return fmt.Errorf("list of snapshots: %w", err)
	}
	if s.Assignments, err = DecodeAssignments(e.Assignments, most); err != nil {
		return fmt.Errorf("list of assignments: %w", err)
	}
	return nil
}

// Unpack reverses what [Packer.Pack] did to the lists of a segment, of which the
// rest is filled in. The tally is not read.
func (p *Packed) Unpack(s *Segment) error {
	e, err := p.Inflate(s.ListBounds())
	if err != nil {
		return err
	}
	return e.Decode(s)
}

// Inflate undoes the compression alone.
func (p *Packed) Inflate(most ListBounds) (e Encoded, err error) {
	for _, list := range []struct {
		name     string
		from, to *[]byte
	}{{"transactions", &p.Xacts, &e.Xacts}, {"identifiers", &p.XIDs, &e.XIDs}, {"snapshots", &p.Snapshots, &e.Snapshots},
		{"assignments", &p.Assignments, &e.Assignments}} {
		if *list.to, err = inflate(*list.from, most.encoded()); err != nil {
			return e, fmt.Errorf("list of %s: %w", list.name, err)
		}
	}
	return e, nil
}

// UnpackXIDs reads one list alone.
func UnpackXIDs(b []byte, most ListBounds) ([]XIDActivity, error) {
	plain, err := inflate(b, most.encoded())
	if err != nil {
		return nil, err
	}
	return DecodeXIDs(plain, most)
}

// inflaters keeps decompressors, of which each takes 40 kB and what it last gave.
var inflaters sync.Pool

type inflater struct {
	from  bytes.Reader
	flate io.Reader
	to    bytes.Buffer
}

func inflate(b []byte, most int64) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	i, _ := inflaters.Get().(*inflater)
	if i == nil {
		i = &inflater{flate: flate.NewReader(nil)}
	}
	plain, err := i.inflate(b, most)
	if err == nil && i.to.Cap() <= inflaterKeeps {
		inflaters.Put(i)
	}
	return plain, err
}

// inflate keeps nothing of b.
func (i *inflater) inflate(b []byte, most int64) ([]byte, error) {
	i.from.Reset(b)
	defer i.from.Reset(nil)
	i.to.Reset()
	err := i.flate.(flate.Resetter).Reset(&i.from, nil)
	if err == nil {
		_, err = i.to.ReadFrom(io.LimitReader(i.flate, most+1))
	}
	if err == nil && int64(i.to.Len()) > most {
		err = fmt.Errorf("%w: more than the %d bytes that the segment can take", ErrBadList, most)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return bytes.Clone(i.to.Bytes()), nil
}

// inflaterKeeps is the most memory for its output that a decompressor is kept
// with, bytes.
const inflaterKeeps = 1 << 20
