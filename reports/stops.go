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
var stops = map[string]string{
	"limit":           "reading stopped where it was told to",
	"clean-end":       "nothing was written after the last record",
	"recycled":        "older WAL under a recycled name follows the last record: a normal end",
	"switch-tail":     "the last record switched to a segment that is not there yet: a normal end",
	"torn":            "the last record was begun and not finished, as a crash leaves it: a normal end",
	"overwritten":     "the record was given up by a later server, which wrote over its rest",
	"missing-segment": "the next segment is not there",
	"truncated-file":  "the file is shorter than a segment",
	"zero-fill":       "there are zeros where the log should go on, though it does go on after them",
	"wrong-timeline":  "the file holds WAL of a timeline that cannot be here",
	"wrong-cluster":   "the file belongs to another cluster",
	"unknown-format":  "the pages are of a version that is not known",
	"corrupt":         "the bytes contradict themselves: this is damage, not the end of the log",
	"unreadable":      "the file could not be read",
	"no-record":       "no record starts at the place that was asked for",
	"cancelled":       "reading was cancelled",
}

// StopText says in words why reading ended.
func StopText(reason string) string {
	if text, known := stops[reason]; known {
		return text
	}
	return reason
}
