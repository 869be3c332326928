// Package pgcontrol reads and writes global/pg_control, the control file of a
// data directory, and the checkpoint record that it holds a copy of, for
// versions 13 to 19.
//
// The file is 8192 bytes long. The structure lies at its start and the rest is
// zero. (ControlFileData and CheckPoint in src/include/catalog/pg_control.h.)
//
//	 0                   8          12         16       24      32
//	+-------------------+----------+----------+--------+-------+------------+
//	| system identifier | version  | catalog  | state  | time  | checkpoint |
//	+-------------------+----------+----------+--------+-------+------------+
//	 40                        crc
//	+--------------------+-----+--------+-----------------------------------+
//	| copy of checkpoint | ... | CRC-32C| zeros up to 8192                  |
//	+--------------------+-----+--------+-----------------------------------+
//
// Where the fields behind the checkpoint lie depends on the version and is
// gathered in layout.go. The CRC covers every byte before it.
//
// The control version number alone does not tell the versions 13 to 16 apart;
// the catalog version does. A pair of the two that no release had is refused,
// for the layouts of pre-releases differ from those of the release.
//
// The server replaces the file in place while it runs. A copy taken at that
// moment may hold half of each state; [Decode] then fails with an error that
// matches [ErrTorn], and reading again is right.
package pgcontrol
