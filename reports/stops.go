package reports

import "slices"

// Stop reasons in the order in which help texts list them.
var stopOrder = []string{
	"clean-end", "recycled", "switch-tail", "torn", "limit", "missing-segment", "truncated-file", "zero-fill",
	"wrong-timeline", "wrong-cluster", "unknown-format", "overwritten", "corrupt", "no-record", "unreadable", "cancelled",
}

// StopReasons lists the codes of [EndOfWAL], the natural ends first.
func StopReasons() []string { return slices.Clone(stopOrder) }

// stops says in words why a log ends, for each code of walinspect.StopReason.
var stops = map[string]struct {
	text    string
	natural bool
}{
	"limit":           {"reading stopped where it was told to", true},
	"clean-end":       {"nothing was written after the last record", true},
	"recycled":        {"older WAL under a recycled name follows the last record: a normal end", true},
	"switch-tail":     {"the last record switched to a segment that is not there yet: a normal end", true},
	"torn":            {"the last record was begun and not finished, as a crash leaves it: a normal end", true},
	"overwritten":     {"the record was given up by a later server, which wrote over its rest", false},
	"missing-segment": {"the next segment is not there", false},
	"truncated-file":  {"the file is shorter than a segment", false},
	"zero-fill":       {"there are zeros where the log should go on, though it does go on after them", false},
	"wrong-timeline":  {"the file holds WAL of a timeline that cannot be here", false},
	"wrong-cluster":   {"the file belongs to another cluster", false},
	"unknown-format":  {"the pages are of a version that is not known", false},
	"corrupt":         {"the bytes contradict themselves: this is damage, not the end of the log", false},
	"unreadable":      {"the file could not be read", false},
	"no-record":       {"no record starts at the place that was asked for", false},
	"cancelled":       {"reading was cancelled", false},
}

// StopText says in words why reading ended.
func StopText(reason string) string {
	if s, known := stops[reason]; known {
		return s.text
	}
	return reason
}

// NaturalStop tells whether recovery would take the place for the end of the
// log. A missing segment does not count, for nothing tells whether the log
// goes on in it.
func NaturalStop(reason string) bool { return stops[reason].natural }
