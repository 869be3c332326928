package render

import (
	"encoding/json"
	"io"

	"forkpoint/reports"
)

// writeJSON writes the report as it is, indented for the eye and for diffs.
func writeJSON(w io.Writer, r reports.Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
