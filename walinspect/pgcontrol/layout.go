package pgcontrol

import (
	"encoding/binary"
	"strconv"
	"time"

	"forkpoint/walinspect/pg"
)

// absent marks a field that a version does not have.
const absent = -1

// checkpointLayout gives the byte offsets inside a checkpoint record.
type checkpointLayout struct {
	size           int
	walLevel       int
	logical        int
	nextXID        int
	nextOID        int
	nextMulti      int
	multiOffset    int
	wideOffset     bool // the multixact offset has 8 bytes
	oldestXID      int
	oldestXIDDB    int
	oldestMulti    int
	oldestMultiDB  int
	time           int
	oldestCommitTS int
	newestCommitTS int
	oldestActive   int
}

// Redo, the two timelines and full_page_writes lie at 0, 8, 12 and 16 in all
// versions.
var (
	checkpoint13 = checkpointLayout{
		size: 88, walLevel: absent, logical: absent,
		nextXID: 24, nextOID: 32, nextMulti: 36, multiOffset: 40,
		oldestXID: 44, oldestXIDDB: 48, oldestMulti: 52, oldestMultiDB: 56,
		time: 64, oldestCommitTS: 72, newestCommitTS: 76, oldestActive: 80,
	}
	checkpoint17 = checkpointLayout{
		size: 88, walLevel: 20, logical: absent,
		nextXID: 24, nextOID: 32, nextMulti: 36, multiOffset: 40,
		oldestXID: 44, oldestXIDDB: 48, oldestMulti: 52, oldestMultiDB: 56,
		time: 64, oldestCommitTS: 72, newestCommitTS: 76, oldestActive: 80,
	}
	checkpoint19 = checkpointLayout{
		size: 96, walLevel: 20, logical: 24,
		nextXID: 32, nextOID: 40, nextMulti: 44, multiOffset: 48, wideOffset: true,
		oldestXID: 56, oldestXIDDB: 60, oldestMulti: 64, oldestMultiDB: 68,
		time: 72, oldestCommitTS: 80, newestCommitTS: 84, oldestActive: 88,
	}
)

// layout gives the byte offsets of what lies behind the checkpoint copy.
type layout struct {
	version          uint32
	checkpoint       *checkpointLayout
	unloggedLSN      int // the fields from here to locksPerXact are counted from it, see tail
	slruPages        int
	walBlockSize     int // from here on again one after the other
	initialChecksums int
	checksums        int
	signedness       int
	nonce            int
	crc              int
}

// The first part up to the checkpoint copy at 40 is the same in all versions.
var (
	control13 = layout{version: 1300, checkpoint: &checkpoint13, unloggedLSN: 128, slruPages: absent,
		walBlockSize: 224, initialChecksums: absent, checksums: 252, signedness: absent, nonce: 256, crc: 288}
	control17 = layout{version: 1700, checkpoint: &checkpoint17, unloggedLSN: 128, slruPages: absent,
		walBlockSize: 224, initialChecksums: absent, checksums: 252, signedness: absent, nonce: 256, crc: 288}
	control18 = layout{version: 1800, checkpoint: &checkpoint17, unloggedLSN: 128, slruPages: absent,
		walBlockSize: 224, initialChecksums: absent, checksums: 252, signedness: 256, nonce: 257, crc: 292}
	control19 = layout{version: 1905, checkpoint: &checkpoint19, unloggedLSN: 136, slruPages: 232,
		walBlockSize: 236, initialChecksums: 264, checksums: 268, signedness: 272, nonce: 273, crc: 308}
)

// layoutOf gives the layout of a major version, nil for one that is not known.
func layoutOf(major int) *layout {
	switch major {
	case 13, 14, 15, 16:
		return &control13
	case 17:
		return &control17
	case 18:
		return &control18
	case 19:
		return &control19
	}
	return nil
}

// chooseLayout finds the version that wrote a file by its two version numbers.
func chooseLayout(version, catalog uint32) (int, *layout, error) {
	major, known := pg.MajorOfCatalog(catalog)
	if known && layoutOf(major).version == version {
		return major, layoutOf(major), nil
	}
	for m := pg.MinMajor; m <= pg.MaxMajor; m++ {
		if layoutOf(m).version == version {
			return 0, nil, &Error{FlawCatalogVersion, "catalog version",
				"one that was released with control version " + utoa(version), utoa(catalog)}
		}
	}
	return 0, nil, &Error{FlawVersion, "version number", "1300, 1700, 1800 or 1905",
		utoa(version) + " (catalog version " + utoa(catalog) + ")"}
}

func utoa[T ~uint32 | ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// transfer moves fields between a structure and its bytes, in one direction
// or the other, so that reading and writing share one list of fields.
type transfer struct {
	bytes []byte
	write bool
}

func word[T ~uint32 | ~int32](t transfer, offset int, p *T) {
	switch {
	case offset == absent:
	case t.write:
		binary.LittleEndian.PutUint32(t.bytes[offset:], uint32(*p))
	default:
		*p = T(binary.LittleEndian.Uint32(t.bytes[offset:]))
	}
}

func double[T ~uint64 | ~int64](t transfer, offset int, p *T) {
	if t.write {
		binary.LittleEndian.PutUint64(t.bytes[offset:], uint64(*p))
	} else {
		*p = T(binary.LittleEndian.Uint64(t.bytes[offset:]))
	}
}

func (t transfer) flag(offset int, p *bool) {
	switch {
	case offset == absent:
	case !t.write:
		*p = t.bytes[offset] != 0
	case *p:
		t.bytes[offset] = 1
	default:
		t.bytes[offset] = 0
	}
}

func (t transfer) seconds(offset int, p *time.Time) {
	sec := p.Unix()
	double(t, offset, &sec)
	*p = unixTime(sec)
}
