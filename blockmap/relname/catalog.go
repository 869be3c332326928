package relname

import (
	"bytes"
	"encoding/binary"

	"forkpoint/walinspect/pg"
)

// OIDs of the catalogs that are read (src/include/catalog/pg_*.h).
const (
	tablespaceCatalog pg.OID = 1213
	classCatalog      pg.OID = 1259
	databaseCatalog   pg.OID = 1262
	indexCatalog      pg.OID = 2610
	namespaceCatalog  pg.OID = 2615
)

// nameLength is the width of a name column (NAMEDATALEN).
const nameLength = 64

// columns gives byte offsets in catalog rows, from the end of the tuple header.
// All columns up to the ones named have a fixed width and are never null, so
// the offsets are those of the C structures. In every catalog but pg_index the
// OID is at 0 and the name at 4.
type columns struct {
	classNamespace   int
	classFile        int
	classTablespace  int
	classToast       int
	classShared      int
	classPersistence int
	classKind        int
	dbTablespace     int
	indexTable       int
}

// columnsOf gives the offsets of a major version.
func columnsOf(major int) columns {
	c := columns{
		classNamespace: 68, classFile: 88, classTablespace: 92, classToast: 108, classShared: 113,
		classPersistence: 114, classKind: 115, dbTablespace: 224, indexTable: 4,
	}
	if major >= 15 {
		c.dbTablespace = 92
	}
	if major >= 18 { // relallfrozen came before reltoastrelid
		c.classToast, c.classShared, c.classPersistence, c.classKind = 112, 117, 118, 119
	}
	return c
}

// row is the fixed part of a catalog row.
type row []byte

func (r row) oid(at int) pg.OID {
	if at+4 > len(r) {
		return 0
	}
	return pg.OID(binary.LittleEndian.Uint32(r[at:]))
}

func (r row) byte(at int) byte {
	if at >= len(r) {
		return 0
	}
	return r[at]
}

// name reads the name column at 4.
func (r row) name() string {
	const at = 4
	if at+nameLength > len(r) {
		return ""
	}
	name, _, _ := bytes.Cut(r[at:at+nameLength], []byte{0})
	return string(name)
}

// class is a row of pg_class.
type class struct {
	oid         pg.OID
	name        string
	namespace   pg.OID
	file        pg.RelFileNumber // 0 for a mapped relation, and for one without storage
	tablespace  pg.OID           // 0 for the database's own
	toast       pg.OID           // its TOAST table
	shared      bool
	persistence byte
	kind        Kind
}

func (c columns) class(r row) class {
	return class{
		oid:         r.oid(0),
		name:        r.name(),
		namespace:   r.oid(c.classNamespace),
		file:        pg.RelFileNumber(r.oid(c.classFile)),
		tablespace:  r.oid(c.classTablespace),
		toast:       r.oid(c.classToast),
		shared:      r.byte(c.classShared) != 0,
		persistence: r.byte(c.classPersistence),
		kind:        Kind(r.byte(c.classKind)),
	}
}
