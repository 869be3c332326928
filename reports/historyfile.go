package reports

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// historyName is the name a file has in pg_wal: archives add a suffix for the
// compression.
func historyName(path string) string {
	name := filepath.Base(path)
	if stem, suffix, found := strings.Cut(name, ".history."); found && suffix != "" && !strings.Contains(suffix, ".") {
		return stem + ".history"
	}
	return name
}

// checkDialects reports a file that is not read alike by all, and rows that no
// server wrote.
func (c *HistoryCheck) checkDialects(f HistoryFile, tli pg.TimelineID) {
	readings := timeline.Readings(tli, f.Content)
	for _, r := range readings[1:] {
		if sameReading(readings[0], r) {
			continue
		}
		c.Findings.Add(Finding{Code: "history-dialect", Severity: Warning, Timeline: tli, Path: f.Path, Line: dialectLine(readings[0], r),
			Title:  fmt.Sprintf("readers do not agree on the history file of timeline %d", tli),
			Detail: fmt.Sprintf("A %s reads %s; %s reads %s.", readings[0].By, readingText(readings[0]), r.By, readingText(r)),
			Rule:   "positions have at most eight digits on each side, and lines at most 1023 bytes",
			Hint:   "rebuild the file with forkpoint history repair, before a node of another version reads it"})
	}
	for _, odd := range timeline.Oddities(f.Content) {
		c.Findings.Add(Finding{Code: "history-odd-row", Severity: Notice, Timeline: tli, Path: f.Path, Line: odd.Line, LSN: odd.Entry.End,
			Title:  "a row has a form that no server writes",
			Detail: fmt.Sprintf("%q is read as timeline %d until %s. Somebody edited the file, and a later version may refuse it.", odd.Text, odd.Entry.Timeline, odd.Entry.End),
			Rule:   "timeline, tab, position such as 0/3000060, tab, reason",
			Hint:   "compare with the copies of the other nodes and of the archive"})
	}
}

func sameReading(a, b timeline.Reading) bool {
	return (a.Err == nil) == (b.Err == nil) && (a.Err != nil || agree(a.History.Entries, b.History.Entries))
}

func readingText(r timeline.Reading) string {
	if r.Err != nil {
		return "an error (" + r.Err.Error() + ")"
	}
	return rowsText(r.History.Entries)
}

// dialectLine is the first line that two readers take differently, 0 if it is
// not one line.
func dialectLine(a, b timeline.Reading) int {
	if a.History == nil || b.History == nil {
		return 0
	}
	for i, row := range a.History.Entries {
		if i >= len(b.History.Entries) || b.History.Entries[i].End != row.End || b.History.Entries[i].Timeline != row.Timeline {
			return row.Line
		}
	}
	return 0
}

// checkCopies compares files of one name, and finds one file under two names.
func (c *HistoryCheck) checkCopies(files []parsedHistory) {
	for i, f := range files {
		for _, first := range files[:i] {
			switch same := agree(first.Entries, f.Entries); {
			case first.Timeline == f.Timeline && !same:
				c.differingCopies(first, f)
			case first.Timeline != f.Timeline && same && len(f.Entries) > 0 && sameReasons(first.Entries, f.Entries):
				c.Findings.Add(Finding{Code: "history-two-names", Severity: Notice, Timeline: f.Timeline, Path: f.path,
					Title:  fmt.Sprintf("the files of timelines %d and %d say the same", first.Timeline, f.Timeline),
					Detail: fmt.Sprintf("Both left timeline %d at %s; the other one is %s. Either two standbys were promoted at one place, or a file was copied under a wrong name.", f.Entries[len(f.Entries)-1].Timeline, f.Entries[len(f.Entries)-1].End, first.path),
					Rule:   "a file's name is the timeline whose ancestors it lists",
					Hint:   "forkpoint history validate tells by the WAL, if the segment in which the timeline begins is there"})
			default:
				continue
			}
			break
		}
	}
}

// differingCopies reports two files of one name whose rows differ in a way that
// is not told as a conflict about a beginning.
func (c *HistoryCheck) differingCopies(a, b parsedHistory) {
	for _, conflict := range timeline.NewTree(a.History, b.History).Conflicts() {
		if len(conflict.Stories) > 1 {
			return
		}
	}
	line := 0
	for i, row := range b.Entries {
		if i >= len(a.Entries) || a.Entries[i].Timeline != row.Timeline || a.Entries[i].End != row.End {
			line = row.Line
			break
		}
	}
	c.Findings.Add(Finding{Code: "history-copies", Severity: Damage, Timeline: b.Timeline, Path: b.path, Line: line,
		Title:  fmt.Sprintf("two copies of %s differ", b.Timeline.HistoryName()),
		Detail: fmt.Sprintf("Here: %s. In %s: %s.", rowsText(b.Entries), a.path, rowsText(a.Entries)),
		Rule:   "every copy of a history file has the same rows",
		Hint:   "forkpoint history repair rebuilds it from the other files and from the WAL"})
}

func sameReasons(a, b []timeline.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y timeline.Entry) bool { return bytes.Equal([]byte(x.Reason), []byte(y.Reason)) })
}
