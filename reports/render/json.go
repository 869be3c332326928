package render

import (
	"io"

	"forkpoint/reports"
)

// writeJSON writes the report as it is.
func writeJSON(w io.Writer, r reports.Report) error { return reports.WriteJSON(w, r) }
