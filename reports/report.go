package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
)

// Report is an answer that can be shown.
type Report interface {
	// Document is the report for people.
	Document() Document
	// Worst is the gravest severity among the findings, [None] without any.
	Worst() Severity
}

// Severity grades findings. The order is that of gravity.
type Severity int

const (
	None    Severity = iota
	Notice           // worth knowing, nothing is wrong
	Warning          // somebody should look before going on
	Damage           // bytes contradict each other, or are gone
)

var severityNames = [...]string{"none", "notice", "warning", "damage"}

func (s Severity) String() string {
	if s < None || int(s) >= len(severityNames) {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText names the severity in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of [Severity.MarshalText].
func (s *Severity) UnmarshalText(b []byte) error { return s.Set(string(b)) }

// Set reads a severity from the command line.
func (s *Severity) Set(text string) error {
	if i := slices.Index(severityNames[:], text); i > 0 {
		*s = Severity(i)
		return nil
	}
	return fmt.Errorf("want notice, warning or damage")
}

// Type is the name of the value in help texts.
func (s *Severity) Type() string { return "severity" }

// Finding is one thing that a reader should know. Codes are stable: scripts
// may test for them.
type Finding struct {
	Code     string        `json:"code"`
	Severity Severity      `json:"severity"`
	Title    string        `json:"title"`
	Detail   string        `json:"detail,omitempty"`
	Timeline pg.TimelineID `json:"timeline,omitempty"`
	LSN      pg.LSN        `json:"lsn,omitzero"`
	Path     string        `json:"path,omitempty"`
	Line     int           `json:"line,omitempty"` // of the file, from 1
	Rule     string        `json:"rule,omitempty"` // what should hold, where the title does not say it
	Hint     string        `json:"hint,omitempty"` // what to do
}

// Findings are kept with the gravest first.
type Findings []Finding

// Add puts a finding on the list.
func (f *Findings) Add(finding Finding) { *f = append(*f, finding) }

// Worst is the gravest severity in the list.
func (f Findings) Worst() Severity {
	worst := None
	for _, finding := range f {
		worst = max(worst, finding.Severity)
	}
	return worst
}

// sort orders the gravest first, otherwise by place, so that two runs agree.
func (f Findings) sort() {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Timeline, b.Timeline),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.LSN, b.LSN))
	})
}

// shortList names the first of a list.
func shortList(names []string) string {
	const shown = 4
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown-1], ", "), len(names)-shown+1)
	}
	return strings.Join(names, ", ")
}
