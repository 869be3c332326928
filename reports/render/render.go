// Package render shows reports: as text for a terminal or a mail, as JSON for
// programs, or as a page for a browser. Numbers are rounded for people here and nowhere else.
package render

import (
	"fmt"
	"io"

	"forkpoint/reports"
)

// Format is how a report is written.
type Format string

const (
	Text Format = "text"
	JSON Format = "json"
	HTML Format = "html"
)

// Set reads a format from the command line. HTML is for the commands that have
// a page to show, which take it by themselves.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case Text, JSON:
		*f = Format(s)
		return nil
	}
	return fmt.Errorf("want text or json")
}

// String is the name of the format.
func (f *Format) String() string { return string(*f) }

// Type is the name of the value in help texts.
func (f *Format) Type() string { return "format" }

// Options say how and for whom a report is written.
type Options struct {
	Format Format
	Color  bool // the reader's terminal shows colours
	Width  int  // columns of the terminal; 0 when there is none, for unlimited
}

// Write shows a report.
func Write(w io.Writer, r reports.Report, opts Options) error {
	switch opts.Format {
	case JSON:
		return writeJSON(w, r)
	case HTML:
		return writeHTML(w, r)
	}
	return writeText(w, r.Document(), opts)
}
