package codec

import (
	"bytes"
	"strings"
)

// Format is a way in which whole files are compressed.
type Format uint8

const (
	Plain Format = iota
	Gzip
	LZ4Frame
	ZstdFrame
	XZ
	Bzip2
)

// formats are the suffixes that archives use and the bytes that files of each
// format begin with. A WAL segment cannot begin with any of them.
var formats = [...]struct {
	format Format
	name   string
	suffix string
	magic  []byte
}{
	{Gzip, "gzip", ".gz", []byte{0x1F, 0x8B}},
	{LZ4Frame, "lz4", ".lz4", []byte{0x04, 0x22, 0x4D, 0x18}},
	{ZstdFrame, "zstd", ".zst", []byte{0x28, 0xB5, 0x2F, 0xFD}},
	{XZ, "xz", ".xz", []byte{0xFD, '7', 'z', 'X', 'Z', 0x00}},
	{Bzip2, "bzip2", ".bz2", []byte("BZh")},
}

const maxMagic = 6

func (f Format) String() string {
	for _, k := range formats {
		if k.format == f {
			return k.name
		}
	}
	return "plain"
}

// TrimSuffix splits a file name into the name before compression and the
// format that its suffix says; Plain if it says none.
func TrimSuffix(name string) (string, Format) {
	for _, k := range formats {
		if base, found := strings.CutSuffix(name, k.suffix); found {
			return base, k.format
		}
	}
	return name, Plain
}

// Suffixes lists what archives add to the names of compressed files.
func Suffixes() []string {
	all := make([]string, len(formats))
	for i, k := range formats {
		all[i] = k.suffix
	}
	return all
}

// Detect recognises the format of a file by its first bytes.
func Detect(head []byte) Format {
	for _, k := range formats {
		if bytes.HasPrefix(head, k.magic) {
			return k.format
		}
	}
	return Plain
}
