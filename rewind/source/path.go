package source

import (
	"path"
	"strings"
)

// maxPath is the longest path that a server handles (MAXPGPATH in
// src/include/pg_config_manual.h), with its terminating zero.
const maxPath = 1024

// CheckPath refuses names that must not be used below a data directory:
// absolute ones, those that go upwards, and those that are not written in the
// one plain way, because they could be mistaken for another.
func CheckPath(name string) error {
	switch {
	case name == "":
		return &UnsafePathError{name, "empty"}
	case len(name) >= maxPath:
		return &UnsafePathError{name, "too long"}
	case name[0] == '/':
		return &UnsafePathError{name, "absolute"}
	}
	for part := range strings.SplitSeq(name, "/") {
		if reason := unsafeName(part); reason != "" {
			return &UnsafePathError{name, reason}
		}
	}
	return nil
}

// unsafeName says what is wrong with one part of a path, if anything.
func unsafeName(part string) string {
	switch {
	case part == "":
		return "empty component"
	case part == "." || part == "..":
		return "component " + part
	case strings.IndexByte(part, 0) >= 0:
		return "NUL byte"
	case strings.IndexByte(part, '/') >= 0:
		return "slash in a name"
	}
	return ""
}

// checkEntry checks a name that a directory listing gave.
func checkEntry(dir, name string) (string, error) {
	full := name
	if dir != "" {
		full = dir + "/" + name
	}
	if reason := unsafeName(name); reason != "" {
		return "", &UnsafePathError{full, reason}
	}
	return full, CheckPath(full)
}

// checkLink checks where a tablespace is said to be. inPlace is a directory in
// pg_tblspc itself, which the server names by a relative path.
func checkLink(name, target string) (inPlace bool, err error) {
	switch {
	case target == name:
		return true, nil
	case target == "" || target[0] != '/':
		return false, &UnsafePathError{target, "location of tablespace " + name + " is neither absolute nor its own place"}
	case strings.IndexByte(target, 0) >= 0:
		return false, &UnsafePathError{target, "NUL byte in the location of tablespace " + name}
	case path.Clean(target) != target:
		return false, &UnsafePathError{target, "location of tablespace " + name + " is not a plain path"}
	}
	return false, nil
}
