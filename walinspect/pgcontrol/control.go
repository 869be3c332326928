package pgcontrol

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"forkpoint/walinspect/pg"
)

// Size is the length of the file in bytes (PG_CONTROL_FILE_SIZE in
// src/include/catalog/pg_control.h).
const Size = 8192

// Control is the content of a control file.
type Control struct {
	SystemID       uint64     `json:"system_id,string"`
	Version        uint32     `json:"control_version"`
	CatalogVersion uint32     `json:"catalog_version"`
	Major          int        `json:"major"` // follows from the two before
	State          State      `json:"state"`
	Time           time.Time  `json:"time"`       // last change of this file
	Checkpoint     pg.LSN     `json:"checkpoint"` // start of the latest checkpoint record
	CheckpointCopy Checkpoint `json:"checkpoint_copy"`

	UnloggedLSN         pg.LSN        `json:"unlogged_lsn"`
	MinRecoveryPoint    pg.LSN        `json:"min_recovery_point"` // 0 on a primary after its first checkpoint
	MinRecoveryTimeline pg.TimelineID `json:"min_recovery_timeline"`
	BackupStart         pg.LSN        `json:"backup_start"`
	BackupEnd           pg.LSN        `json:"backup_end"`
	BackupEndRequired   bool          `json:"backup_end_required"`

	WALLevel             WALLevel `json:"wal_level"`
	WALLogHints          bool     `json:"wal_log_hints"`
	MaxConnections       int32    `json:"max_connections"`
	MaxWorkerProcesses   int32    `json:"max_worker_processes"`
	MaxWALSenders        int32    `json:"max_wal_senders"`
	MaxPreparedXacts     int32    `json:"max_prepared_transactions"`
	MaxLocksPerXact      int32    `json:"max_locks_per_transaction"`
	TrackCommitTimestamp bool     `json:"track_commit_timestamp"`

	MaxAlign            uint32         `json:"max_align"`
	BlockSize           uint32         `json:"block_size"`
	RelSegSize          uint32         `json:"relation_segment_blocks"`
	SLRUPagesPerSegment uint32         `json:"slru_pages_per_segment,omitempty"` // 19 and later
	WALBlockSize        uint32         `json:"wal_block_size"`
	SegmentSize         pg.SegmentSize `json:"wal_segment_size"`
	NameDataLen         uint32         `json:"name_data_len"`
	IndexMaxKeys        uint32         `json:"index_max_keys"`
	ToastMaxChunk       uint32         `json:"toast_max_chunk"`
	LargeObjectBlock    uint32         `json:"large_object_block"`
	Float8ByVal         bool           `json:"float8_by_value"`
	InitialChecksums    uint32         `json:"initial_checksums,omitempty"` // 19 and later
	DataChecksums       uint32         `json:"data_checksums"`              // version; 0 is off
	SignedChar          bool           `json:"signed_char"`                 // 18 and later
	AuthNonce           [32]byte       `json:"-"`
}

// floatFormat is the number by which a server knows the floating point format
// of another (FLOATFORMAT_VALUE).
const floatFormat = 1234567.0

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Decode reads a whole control file and checks all that can be: size, byte
// order, versions, CRC, machine and sizes.
func Decode(b []byte) (*Control, error) {
	if len(b) == 0 {
		return nil, &Error{Flaw: FlawEmpty}
	}
	if len(b) != Size {
		return nil, &Error{FlawSize, "size", fmt.Sprintf("%d bytes", Size), fmt.Sprintf("%d", len(b))}
	}
	c := &Control{
		Version:        binary.LittleEndian.Uint32(b[8:]),
		CatalogVersion: binary.LittleEndian.Uint32(b[12:]),
	}
	if c.Version%65536 == 0 && c.Version/65536 != 0 {
		return nil, &Error{FlawByteOrder, "byte order", "little-endian",
			fmt.Sprintf("big-endian (control version %d)", binary.BigEndian.Uint32(b[8:]))}
	}
	major, l, err := chooseLayout(c.Version, c.CatalogVersion)
	if err != nil {
		return nil, err
	}
	c.Major = major
	want, got := crc32.Checksum(b[:l.crc], castagnoli), binary.LittleEndian.Uint32(b[l.crc:])
	if want != got {
		return nil, &Error{FlawChecksum, "checksum", fmt.Sprintf("%08X", want), fmt.Sprintf("%08X", got)}
	}
	float := uint64(0)
	c.transfer(l, transfer{bytes: b}, &float)
	return c, c.check(float)
}

// Encode writes the whole file; what the version has no room for is dropped.
func (c *Control) Encode() ([]byte, error) {
	major, l, err := chooseLayout(c.Version, c.CatalogVersion)
	if err != nil {
		return nil, err
	}
	if major != c.Major {
		return nil, &Error{FlawCatalogVersion, "major version", fmt.Sprint(major), fmt.Sprint(c.Major)}
	}
	float := math.Float64bits(floatFormat)
	if err := c.check(float); err != nil {
		return nil, err
	}
	b, copied := make([]byte, Size), *c
	copied.transfer(l, transfer{bytes: b, write: true}, &float)
	seal(b, l)
	return b, nil
}

// seal puts the CRC where it belongs.
func seal(b []byte, l *layout) {
	binary.LittleEndian.PutUint32(b[l.crc:], crc32.Checksum(b[:l.crc], castagnoli))
}

// transfer is the list of the file's fields. Offsets that are numbers are the
// same in all versions; those relative to tail moved together with the size of
// the checkpoint.
func (c *Control) transfer(l *layout, t transfer, float *uint64) {
	double(t, 0, &c.SystemID)
	word(t, 8, &c.Version)
	word(t, 12, &c.CatalogVersion)
	word(t, 16, &c.State)
	t.seconds(24, &c.Time)
	double(t, 32, &c.Checkpoint)
	c.CheckpointCopy.transfer(l.checkpoint, transfer{t.bytes[40:], t.write})

	tail := l.unloggedLSN
	double(t, tail, &c.UnloggedLSN)
	double(t, tail+8, &c.MinRecoveryPoint)
	word(t, tail+16, &c.MinRecoveryTimeline)
	double(t, tail+24, &c.BackupStart)
	double(t, tail+32, &c.BackupEnd)
	t.flag(tail+40, &c.BackupEndRequired)
	word(t, tail+44, &c.WALLevel)
	t.flag(tail+48, &c.WALLogHints)
	word(t, tail+52, &c.MaxConnections)
	word(t, tail+56, &c.MaxWorkerProcesses)
	word(t, tail+60, &c.MaxWALSenders)
	word(t, tail+64, &c.MaxPreparedXacts)
	word(t, tail+68, &c.MaxLocksPerXact)
	t.flag(tail+72, &c.TrackCommitTimestamp)
	word(t, tail+76, &c.MaxAlign)
	double(t, tail+80, float)
	word(t, tail+88, &c.BlockSize)
	word(t, tail+92, &c.RelSegSize)
	word(t, l.slruPages, &c.SLRUPagesPerSegment)

	word(t, l.walBlockSize, &c.WALBlockSize)
	word(t, l.walBlockSize+4, &c.SegmentSize)
	word(t, l.walBlockSize+8, &c.NameDataLen)
	word(t, l.walBlockSize+12, &c.IndexMaxKeys)
	word(t, l.walBlockSize+16, &c.ToastMaxChunk)
	word(t, l.walBlockSize+20, &c.LargeObjectBlock)
	t.flag(l.walBlockSize+24, &c.Float8ByVal)
	word(t, l.initialChecksums, &c.InitialChecksums)
	word(t, l.checksums, &c.DataChecksums)
	t.flag(l.signedness, &c.SignedChar)
	if t.write {
		copy(t.bytes[l.nonce:], c.AuthNonce[:])
	} else {
		copy(c.AuthNonce[:], t.bytes[l.nonce:])
	}
}
