// Package walinspect decodes PostgreSQL write-ahead log, versions 13 to 19.
//
// A segment file is a run of pages, and a page is a header followed by
// records. All integers are in the byte order of the machine that wrote them;
// this package reads little-endian clusters.
//
//	page header, src/include/access/xlog_internal.h
//	 0      2      4          8                16         20        24
//	+------+------+----------+----------------+----------+---------+
//	| magic| info | timeline |  page address  | rem len  | padding |
//	+------+------+----------+----------------+----------+---------+
//	the first page of a segment goes on:
//	 24                        32             36            40
//	+-------------------------+--------------+-------------+
//	|    system identifier    | segment size |  page size  |
//	+-------------------------+--------------+-------------+
//
//	record header, src/include/access/xlogrecord.h
//	 0           4       8               16     17     18    20     24
//	+-----------+-------+---------------+------+------+-----+------+
//	| total len |  xid  | previous LSN  | info | rmgr | pad | CRC  |
//	+-----------+-------+---------------+------+------+-----+------+
//
// Records start on 8-byte borders and may run over any number of pages; the
// pieces after the first follow the header of their page, and rem len says how
// many bytes of the record are still to come. The CRC is CRC-32C over the body
// and then over the header up to the CRC field.
//
// What differs between server versions is gathered in [Layout], which is chosen
// by the page magic and nothing else. Record payloads belong to package rmgr;
// finding segment files belongs to package segment.
//
// A [Reader] never skips damage. It stops, and [Reader.Stop] tells why: the
// log ended, the log broke off, or the bytes contradict themselves. What it
// finds past the place only helps to name the reason and is never handed out.
package walinspect
