package render

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"forkpoint/reports"
)

// Colours by their purpose, as SGR parameters of ECMA-48.
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	yellow = "33"
	cyan   = "36"
)

func (p *printer) paint(color, s string) string {
	if !p.opts.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func severityColor(s reports.Severity) string {
	switch s {
	case reports.Damage:
		return red
	case reports.Warning:
		return yellow
	}
	return cyan
}

// cell is a value in the units that people use.
func cell(value any) string {
	switch v := value.(type) {
	case nil:
		return "-"
	case reports.Bytes:
		return humanize.IBytes(uint64(v))
	case reports.Count:
		return humanize.Comma(int64(v))
	case reports.Percent:
		return fmt.Sprintf("%.1f %%", float64(v)*100)
	case time.Time:
		if v.IsZero() {
			return "-"
		}
		return v.UTC().Format("2006-01-02 15:04:05.000 MST")
	case time.Duration:
		return v.Round(time.Millisecond).String()
	}
	return clean(fmt.Sprint(value))
}

// clean shows control characters instead of sending them: names in a damaged
// or hostile data directory must not steer the reader's terminal.
func clean(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unprintable holds for control characters and for the invisible marks that
// reorder text.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}
