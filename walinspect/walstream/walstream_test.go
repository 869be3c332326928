package walstream

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"forkpoint/walinspect/pg"
)

func TestSegmentSize(t *testing.T) {
	for text, want := range map[string]pg.SegmentSize{
		"16MB": 16 << 20, "1MB": 1 << 20, "1GB": 1 << 30, "1024kB": 1 << 20, "16777216": 16 << 20,
		"": 0, "MB": 0, "3MB": 0, "2GB": 0, "16TB": 0, "-1MB": 0,
	} {
		got, err := segmentSize(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestMessages(t *testing.T) {
	at := pg.LSN(0x1000000)
	log := func(from pg.LSN, data string) []byte {
		b := binary.BigEndian.AppendUint64([]byte{'w'}, uint64(from))
		return append(append(b, make([]byte, 16)...), data...)
	}
	alive := func(asks byte) []byte { return append(append([]byte{'k'}, make([]byte, 16)...), asks) }
	tests := []struct {
		name  string
		in    []byte
		piece string
		asked bool
		bad   bool
	}{
		{name: "log", in: log(at, "records"), piece: "records"},
		{name: "sign of life", in: alive(0)},
		{name: "question", in: alive(1), asked: true},
		{name: "log from elsewhere", in: log(at+8, "records"), bad: true},
		{name: "log without bytes", in: log(at, ""), bad: true},
		{name: "short sign of life", in: alive(1)[:17], bad: true},
		{name: "other message", in: []byte("x"), bad: true},
		{name: "nothing", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Conn{received: at}
			p, err := c.data(tt.in)
			if (err != nil) != tt.bad || string(p.Data) != tt.piece || p.Asked != tt.asked {
				t.Fatalf("got %+v, %v", p, err)
			}
			if c.received != at+pg.LSN(len(tt.piece)) {
				t.Errorf("received up to %s", c.received)
			}
		})
	}
}

func TestSwitch(t *testing.T) {
	row := func(values ...string) *pgproto3.DataRow {
		r := &pgproto3.DataRow{}
		for _, v := range values {
			r.Values = append(r.Values, []byte(v))
		}
		return r
	}
	if got, err := switchOf(row("3", "16/B374D848")); err != nil || *got != (Switch{3, 0x16B374D848}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []*pgproto3.DataRow{row(), row("3"), row("x", "0/0"), row("3", "here")} {
		if _, err := switchOf(bad); err == nil {
			t.Errorf("%q is taken for a switch", bad.Values)
		}
	}
}

// A piece goes on in the next segment's file, in any order, and what did not
// come is zeros.
func TestSpool(t *testing.T) {
	const size = pg.SegmentSize(1 << 20)
	t.Setenv("TMPDIR", t.TempDir())
	s, err := NewSpool(size)
	if err != nil {
		t.Fatal(err)
	}
	write := func(at pg.LSN, data []byte) {
		t.Helper()
		if err := s.Write(1, at, data); err != nil {
			t.Fatal(err)
		}
	}
	border := size.Start(6)
	write(border-3, []byte("abcdef"))
	write(border-5, []byte("xy"))
	read := func(n uint64) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(s.Dir(), size.Name(1, n)))
		if err != nil || len(b) != int(size) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		return b
	}
	if b := read(5); string(b[len(b)-5:]) != "xyabc" || !bytes.Equal(b[:len(b)-5], make([]byte, len(b)-5)) {
		t.Error("segment 5 is wrong")
	}
	if b := read(6); string(b[:3]) != "def" || !bytes.Equal(b[3:], make([]byte, len(b)-3)) {
		t.Error("segment 6 is wrong")
	}
	if err := s.Forget(pg.SegmentName{Timeline: 1, Number: 5}); err != nil {
		t.Error(err)
	}
	if err := s.Forget(pg.SegmentName{Timeline: 1, Number: 5}); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := s.WriteHistory(2, []byte("1\t0/5000000\tno recovery target specified\n")); err != nil {
		t.Error(err)
	}
	if err := s.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}
