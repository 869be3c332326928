package timeline

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"forkpoint/walinspect/pg"
)

// Entry is one line of a history file: an ancestor and where it was left.
type Entry struct {
	Timeline pg.TimelineID `json:"timeline"`
	End      pg.LSN        `json:"end"` // first position that belongs to the next timeline
	Reason   string        `json:"reason,omitempty"`
	Line     int           `json:"-"` // in the file, counted from 1
}

// History is the content of a timeline's history file.
type History struct {
	Timeline pg.TimelineID `json:"timeline"`
	Entries  []Entry       `json:"entries"` // ancestors, oldest first
}

// Rule names what a malformed history file offends against. The names appear
// in reports and are part of the interface.
type Rule string

const (
	RuleTimeline    Rule = "numeric-timeline"    // a line begins with a timeline number
	RuleSwitchpoint Rule = "switchpoint"         // and goes on with a log position
	RuleIncreasing  Rule = "increasing-sequence" // timeline numbers increase
	RuleChild       Rule = "less-than-child"     // and are below the file's own
)

var ruleTexts = map[Rule]string{
	RuleTimeline:    "expected a numeric timeline ID",
	RuleSwitchpoint: "expected a write-ahead log switchpoint location",
	RuleIncreasing:  "timeline IDs must be in increasing sequence",
	RuleChild:       "timeline IDs must be less than child timeline's ID",
}

// SyntaxError is a line of a history file that a server would stop at.
type SyntaxError struct {
	Timeline pg.TimelineID // whose history it is
	Line     int           // counted from 1
	Rule     Rule
	Text     string // the line
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s line %d: %s: %q", e.Timeline.HistoryName(), e.Line, ruleTexts[e.Rule], e.Text)
}

// Parse reads the history file of tli. It accepts and refuses what a server
// does, so blank lines, comments and text behind the position are fine. Where
// versions differ it goes with 13 to 18, see [ParseAs].
func Parse(tli pg.TimelineID, b []byte) (*History, error) { return ParseAs(Server13, tli, b) }

// ParseAs is [Parse] by the rules of one reader.
func ParseAs(d Dialect, tli pg.TimelineID, b []byte) (*History, error) {
	h := &History{Timeline: tli}
	for line, number := range lines(b, d.lineLimit()) {
		s := string(line)
		if text := strings.TrimLeft(s, space); text == "" || text[0] == '#' {
			continue
		}
		e, rule := parseEntry(s, d.digitLimit())
		if last := len(h.Entries) - 1; rule == "" && last >= 0 && e.Timeline <= h.Entries[last].Timeline {
			rule = RuleIncreasing
		}
		if rule != "" {
			return nil, &SyntaxError{tli, number, rule, strings.Trim(s, space)}
		}
		e.Line = number
		h.Entries = append(h.Entries, e)
	}
	if n := len(h.Entries); n > 0 && h.Entries[n-1].Timeline >= tli {
		last := h.Entries[n-1]
		return nil, &SyntaxError{tli, last.Line, RuleChild, fmt.Sprintf("%d\t%s", last.Timeline, last.End)}
	}
	return h, nil
}

// maxLine is how much of a line the server reads at once; what is left it
// takes for another line (fgets with a buffer of MAXPGPATH).
const maxLine = 1023

// lines splits a file as the server does. A line ends at a NUL byte as well,
// and what follows the NUL is lost.
func lines(b []byte, most int) iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		for number := 1; len(b) > 0; {
			n, ended := bytes.IndexByte(b, '\n')+1, true
			if n == 0 || n > most {
				n, ended = min(len(b), most), false
			}
			line, _, _ := bytes.Cut(b[:n], []byte{0})
			if !yield(line, number) {
				return
			}
			if b = b[n:]; ended {
				number++
			}
		}
	}
}

// parseEntry reads one line, or names the rule that it breaks.
func parseEntry(s string, digits int) (Entry, Rule) {
	tli, rest, ok := scanNumber(s, 10, 0)
	if !ok {
		return Entry{}, RuleTimeline
	}
	high, rest, ok := scanNumber(rest, 16, 0)
	if !ok || !strings.HasPrefix(rest, "/") {
		return Entry{}, RuleSwitchpoint
	}
	low, rest, ok := scanNumber(rest[1:], 16, digits)
	if !ok {
		return Entry{}, RuleSwitchpoint
	}
	return Entry{
		Timeline: pg.TimelineID(tli),
		End:      pg.LSN(uint64(high)<<32 | uint64(low)),
		Reason:   strings.Trim(rest, space),
	}, ""
}

// Format writes a history file as a server of that major version would, one
// line an ancestor.
func (h *History) Format(major int) []byte {
	var b bytes.Buffer
	for _, e := range h.Entries {
		line := fmt.Sprintf("%d\t%s", e.Timeline, e.End.Format(major))
		if reason := strings.Trim(oneLine.Replace(e.Reason), space); reason != "" {
			line += "\t" + reason
		}
		b.WriteString(line[:min(len(line), maxLine-1)])
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// oneLine keeps a reason from ending its line early.
var oneLine = strings.NewReplacer("\n", " ", "\x00", " ")
