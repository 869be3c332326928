package pg

import "strconv"

// Major versions that forkpoint knows.
const (
	MinMajor = 13
	MaxMajor = 19
)

// catalogMajors gives the major version for each released catalog version
// (CATALOG_VERSION_NO in src/include/catalog/catversion.h). The control file
// has the same version number from 13 to 16, so only the catalog version tells
// those apart.
var catalogMajors = map[uint32]int{
	202007201: 13, 202107181: 14, 202209061: 15, 202307071: 16,
	202406281: 17, 202506291: 18, 202610061: 19,
}

// MajorOfCatalog is the major version that has this catalog version; false
// for pre-releases and versions that are not known.
func MajorOfCatalog(catalog uint32) (int, bool) {
	major, known := catalogMajors[catalog]
	return major, known
}

// CatalogOfMajor is the catalog version of a released major version; 0 for one
// that is not known.
func CatalogOfMajor(major int) uint32 {
	for catalog, m := range catalogMajors {
		if m == major {
			return catalog
		}
	}
	return 0
}

// MajorOfMagic is the major version whose WAL pages begin with magic
// (XLOG_PAGE_MAGIC in src/include/access/xlog_internal.h); false for one that
// is not known. The magic stays the same for the life of a major.
func MajorOfMagic(magic uint16) (int, bool) {
	switch magic {
	case 0xD106:
		return 13, true
	case 0xD10D:
		return 14, true
	case 0xD110:
		return 15, true
	case 0xD113:
		return 16, true
	case 0xD116:
		return 17, true
	case 0xD118:
		return 18, true
	case 0xD122:
		return 19, true
	}
	return 0, false
}

// VersionName is how people call a major: "PostgreSQL 15".
func VersionName(major int) string { return "PostgreSQL " + strconv.Itoa(major) }
